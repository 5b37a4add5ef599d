"""The shipped vision-language models: what they see, and that they can be taught who is who."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from fiftyone_dp2vl.attack import Question, load_attacker
from fiftyone_dp2vl.attack.benchmark import QUESTIONS, benchmark_attack_album
from fiftyone_dp2vl.attack.pairs import NAME, SUBJECT, questions, training_conversations
from fiftyone_dp2vl.attack.registry import EMBEDDED_VLM
from fiftyone_dp2vl.benchmark import SCENARIOS, generate_benchmark
from fiftyone_dp2vl.benchmark.names import GIVEN_NAMES

REPOSITORY = Path(__file__).resolve().parents[2]
MODELS = {
    "embedded": (EMBEDDED_VLM, 13_000_000),
    "heldout": (REPOSITORY / "tests/data/heldout_vlm", 9_000_000),
}


@pytest.fixture(scope="module", params=[m for m in MODELS if MODELS[m][0].is_dir()])
def attacker(request: pytest.FixtureRequest) -> Any:
    if request.param == "embedded":
        return load_attacker("embedded")
    return load_attacker(f"llava:{MODELS[request.param][0]}")


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Any:
    pytest.importorskip("dicebear")
    return generate_benchmark(tmp_path_factory.mktemp("people"), 3, 77, "dev", 1, 2, workers=2)


def test_the_embedded_model_is_there_and_small() -> None:
    folder, limit = MODELS["embedded"]
    files = list(folder.iterdir())
    assert {"config.json", "model.safetensors", "README.md"} <= {f.name for f in files}
    assert sum(file.stat().st_size for file in files) <= limit
    report = json.loads((REPOSITORY / "training/results/embedded_vlm.json").read_text())
    assert report["passes"]


def test_results_belong_to_the_weights() -> None:
    import hashlib

    for name, (folder, _) in MODELS.items():
        if folder.is_dir():
            told = json.loads((REPOSITORY / f"training/results/{name}_vlm.json").read_text())
            weights = (folder / "model.safetensors").read_bytes()
            assert hashlib.sha256(weights).hexdigest() == told["sha256"]


def test_its_eyes_are_the_embedded_encoder() -> None:
    from fiftyone_dp2vl.encoders import load_encoder

    attacker: Any = load_attacker("embedded")
    rng = np.random.default_rng(0)
    photo = Image.fromarray(rng.integers(0, 255, (90, 120, 3), dtype=np.uint8))
    photo = photo.resize((480, 360), Image.Resampling.BICUBIC)
    with torch.no_grad():
        seen = attacker.see([attacker.look(photo)])[0]["features"]
        pixels = torch.from_numpy(np.asarray(photo).copy()).permute(2, 0, 1) / 255
        tokens = load_encoder("embedded")([pixels]).tokens
    similar = torch.nn.functional.cosine_similarity(seen, tokens, dim=-1)
    assert similar.min() > 0.99


def test_every_word_of_the_benchmark_is_one_token(attacker: Any) -> None:
    tokenizer = attacker.tokenizer
    assert all(len(attacker.answer_ids(name)) == 2 for name in GIVEN_NAMES)
    phrases = [a.phrase for s in SCENARIOS.values() for a in s.affiliations]
    asked = [q.format(name=SUBJECT) for wordings in QUESTIONS.values() for q in wordings]
    for text in [*phrases, *asked, *NAME]:
        ids = tokenizer(text, add_special_tokens=False)["input_ids"]
        assert tokenizer.unk_token_id not in ids
        assert not any(t.startswith("##") for t in tokenizer.convert_ids_to_tokens(ids))
        assert tokenizer.decode(ids) == text


def test_words_it_never_saw_can_be_said(attacker: Any) -> None:
    tokenizer = attacker.tokenizer
    for name in ("Zebulon", "O'Brien", "Ng-42"):
        ids = tokenizer(name, add_special_tokens=False)["input_ids"]
        assert tokenizer.unk_token_id not in ids
        assert tokenizer.decode(ids).replace(" ", "") == name


def test_it_sees_what_a_photo_shows(attacker: Any, people: Any) -> None:
    album = benchmark_attack_album(people, per_person=7, faces=False)
    shown = album.of("share")
    asked = [
        Question(
            photo=str(p.path),
            person="",
            kind="affiliation",
            scenario=p.scenario,
            text=QUESTIONS[p.scenario][0].format(name=SUBJECT),
            answer=p.affiliation,
            choices=album.choices[p.scenario],
        )
        for p in shown
    ]
    scores = attacker.score_choices(asked, lambda key: Image.open(key).convert("RGB"))
    right = [q.choices[int(s.argmax())] == q.answer for q, s in zip(asked, scores, strict=True)]
    assert np.mean(right) > 0.5  # of 21; chance is 7 %


def test_it_learns_new_people_from_a_few_photos(attacker: Any, people: Any) -> None:
    album = benchmark_attack_album(people, faces=False)
    paths = {photo.key: photo.path for photo in album.photos}

    def pictures(key: str) -> Image.Image:
        return Image.open(paths[key]).convert("RGB")

    asked = [q for q in questions(album) if q.kind == "name"]
    recipe = replace(attacker.defaults, epochs=6, precision="fp32")
    epochs = attacker.fine_tune(training_conversations(album), pictures, recipe)
    scores = attacker.score_choices(asked, pictures)
    words = attacker.answer(asked, pictures)
    attacker.reset()
    assert epochs[-1].loss < 0.5 * epochs[0].loss
    right = [q.choices[int(s.argmax())] == q.answer for q, s in zip(asked, scores, strict=True)]
    assert np.mean(right) >= 5 / 6
    assert np.mean([w == q.answer for w, q in zip(words, asked, strict=True)]) >= 4 / 6
