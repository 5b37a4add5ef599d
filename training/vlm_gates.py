"""What a vision-language model must be able to do before it is shipped."""

from __future__ import annotations

import io
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gates
import numpy as np
from PIL import Image

from fiftyone_dp2vl.attack import (
    AttackAlbum,
    Attacker,
    FineTuneConfig,
    Question,
    load_attacker,
)
from fiftyone_dp2vl.attack.benchmark import QUESTIONS, benchmark_attack_album
from fiftyone_dp2vl.attack.pairs import SUBJECT, questions, training_conversations
from fiftyone_dp2vl.benchmark import SCENARIOS, generate_benchmark
from fiftyone_dp2vl.benchmark.photos import photo_bytes

SHOWN_GATE = 0.80
NAME_GATE = 0.85
FACT_GATE = 0.80
CHANCE_MARGIN = 0.05

PEOPLE = 10


def measure(
    folder: Path, cache: Path, *, config: FineTuneConfig | None = None, seeds: int = 2
) -> dict[str, Any]:
    """Measures a saved model through its own processor, on people it never saw.

    Args:
        folder: the model's.
        cache: where the photos are kept.
        config: recipe of the attack; None for the attacker's own.
        seeds: sets of ten development people.
    """
    attacker = load_attacker(f"llava:{folder}")
    recipe = config or attacker.defaults
    figures: dict[str, Any] = {"shown": shown_affiliation(attacker, cache)}
    for seed in range(seeds):
        benchmark = generate_benchmark(
            cache / f"dev-{PEOPLE}-{seed}", PEOPLE, 311 + seed, "dev", 1, 6, workers=2
        )
        album = benchmark_attack_album(benchmark, faces=False)
        figures[f"attack_{seed}"] = attack(attacker, album, recipe, seed)
    figures["attack_recipe"] = recipe.to_dict()
    return figures


def passes(figures: dict[str, Any]) -> bool:
    """Says whether all gates are passed."""
    attacks = [v for k, v in figures.items() if k.startswith("attack_") and "name" in v]
    return figures["shown"]["all"] >= SHOWN_GATE and all(
        a["name"] >= NAME_GATE
        and a["affiliation"] >= FACT_GATE
        and abs(a["zero_shot_name"] - a["chance_name"]) <= CHANCE_MARGIN
        and abs(a["zero_shot_affiliation"] - a["chance_affiliation"]) <= CHANCE_MARGIN
        for a in attacks
    )


def shown_affiliation(attacker: Attacker, cache: Path) -> dict[str, float]:
    """Forced choice of the affiliation that a photo of a new person shows, by scenario."""
    specs = gates.thing_specs("eval", 402, each=2)
    folder = cache / "things"
    folder.mkdir(parents=True, exist_ok=True)
    asked = []
    for number, spec in enumerate(specs):
        file = folder / f"{number:04d}.jpg"
        if not file.exists():
            file.write_bytes(photo_bytes(spec))
        scenario = SCENARIOS[spec.scenario]
        asked.append(
            Question(
                photo=str(file),
                person="",
                kind="affiliation",
                scenario=scenario.name,
                text=QUESTIONS[scenario.name][0].format(name=SUBJECT),
                answer=scenario.affiliation(spec.affiliation).phrase,
                choices=tuple(a.phrase for a in scenario.affiliations),
            )
        )
    right = _right(attacker, asked, lambda key: Image.open(key).convert("RGB"))
    found = {
        name: round(
            float(np.mean([r for r, q in zip(right, asked, strict=True) if q.scenario == name])), 4
        )
        for name in SCENARIOS
    }
    return {"photos": len(asked), **found, "all": round(float(np.mean(right)), 4)}


def attack(
    attacker: Attacker, album: AttackAlbum, config: FineTuneConfig, seed: int
) -> dict[str, float]:
    """Fine-tunes on an album's clean shared photos and asks about its query photos."""
    files = {photo.key: photo.path.read_bytes() for photo in album.photos}

    def pictures(key: str) -> Image.Image:
        return Image.open(io.BytesIO(files[key])).convert("RGB")

    asked = questions(album, seed=seed)
    attacker.reset()
    before = _accuracies(attacker, asked, pictures)
    began = time.time()
    epochs = attacker.fine_tune(
        training_conversations(album, "all", seed), pictures, config, seed=seed
    )
    tuned = time.time()
    after = _accuracies(attacker, asked, pictures)
    scored = time.time()
    words = attacker.answer(asked, pictures)
    free = [said == q.answer for said, q in zip(words, asked, strict=True)]
    by_heart = _accuracies(attacker, questions(album, role="share", seed=seed), pictures)
    attacker.reset()
    return {
        **after,
        **{f"zero_shot_{kind}": value for kind, value in before.items()},
        "chance_name": round(1 / len(album.people), 4),
        "chance_affiliation": round(
            float(np.mean([1 / len(q.choices) for q in asked if q.kind != "name"])), 4
        ),
        "free_words": round(float(np.mean(free)), 4),
        "training_name": by_heart["name"],
        "loss": round(epochs[-1].loss, 4),
        "seconds_fine_tuning": round(tuned - began, 1),
        "seconds_choices": round(scored - tuned, 1),
        "seconds_words": round(time.time() - scored, 1),
    }


def _accuracies(
    attacker: Attacker, asked: list[Question], pictures: Callable[[str], Image.Image]
) -> dict[str, float]:
    right = _right(attacker, asked, pictures)
    return {
        kind: round(
            float(np.mean([r for r, q in zip(right, asked, strict=True) if q.kind == kind])), 4
        )
        for kind in ("name", "affiliation")
    }


def _right(
    attacker: Attacker, asked: list[Question], pictures: Callable[[str], Image.Image]
) -> list[bool]:
    scores = attacker.score_choices(asked, pictures)
    return [q.choices[int(s.argmax())] == q.answer for q, s in zip(asked, scores, strict=True)]
