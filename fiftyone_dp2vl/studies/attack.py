"""The embedded attacker, fine-tuned on clean, changed and protected photos of new people."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import ConfigError
from .base import Cell, Findings, Result, Study

if TYPE_CHECKING:
    from ..attack import AttackAlbum
    from ..config import ProtectionConfig
    from ..measure.cards import Row
    from .options import Options
    from .workshop import Workshop

__all__ = ["STUDY", "attack_study"]

PEOPLE = 10
"""As many as the small attacker is asked to learn; ``--people`` can only lower it."""

OTHERS = 8
"""People of whom nothing is shared, for false naming and for attackers who run our tool."""

EPOCHS_MEASURED = 4
"""Of the recipe's twelve: questioning after each would make a study half as long again."""

_TOLD_BY_SCENARIO = ("none", "clean", "random signs", "protected")


def _people(options: Options) -> int:
    return min(options.people, PEOPLE)


def _album(workshop: Workshop, options: Options, repetition: int) -> AttackAlbum:
    from ..attack.benchmark import benchmark_attack_album

    benchmark = workshop.benchmark(
        "eval", repetition, people=_people(options), queries=options.queries
    )
    for attempt in range(20):
        others = workshop.benchmark(
            "eval", 1000 + 20 * repetition + attempt, people=OTHERS, per_scenario=0, queries=4
        )
        try:
            return benchmark_attack_album(benchmark, per_person=6, others=others)
        except ConfigError:  # by chance one look is in both: draw other people
            continue
    raise ConfigError("no other people are left for the attack: ask for fewer people")


def _cell(
    name: str, options: Options, title: str, strategy: str | None, settings: dict[str, Any]
) -> Cell:
    from ..attack.settings import AttackConfig

    protection = _protection(options, strategy)
    config = AttackConfig(seeds=options.seeds, epochs_measured=EPOCHS_MEASURED, **settings)

    def measure(workshop: Workshop) -> Result:
        from ..attack.evaluate import AttackProgress, evaluate_attack

        albums = [_album(workshop, options, k) for k in range(options.seeds)]

        def show(told: AttackProgress) -> None:
            left = "" if told.eta_seconds is None else f", {told.eta_seconds / 60:.0f} min left"
            workshop.report(told.done / told.total, f"{told.label}: {told.doing}{left}")

        report = evaluate_attack(
            albums,
            config,
            protection=protection,
            facts={"encoders": list(protection.encoders)},
            source="the synthetic benchmark's evaluation people",
            cache=options.cache / "attack",
            device=options.device,
            name=name,
            title=title,
            progress=show,
        )
        # beside the card, for `dp2vl report`: with questions, answers and what was not tested
        report.save(options.cache / "reports" / f"{name}.json")
        found: Result = json.loads(report.to_json())
        return found

    spec = {
        "kind": name,
        "models": {who: _weights(who) for who in (*config.attackers, *config.transfer)},
        "people": _people(options),
        "seeds": options.seeds,
        "attack": config.to_dict(),
        "protection": protection.to_dict(),
    }
    return Cell("attack", spec, measure)


def _protection(options: Options, strategy: str | None) -> ProtectionConfig:
    asked = options.config()
    return asked if strategy is None else replace(asked, strategy=strategy)


def _weights(attacker: str) -> str:
    """Digest of a model's weights; a proxy's encoder is among the study's own."""
    from ..attack.loading import weights_sha256
    from ..attack.registry import EMBEDDED_VLM

    kind, _, target = attacker.partition(":")
    if kind == "proxy":
        return ""
    folder = EMBEDDED_VLM if attacker == "embedded" else Path(target)
    if not folder.is_dir():
        raise ConfigError(f"{attacker} is not in this checkout: run the study from its top folder")
    return weights_sha256(folder)


def _told(row: Row) -> bool:
    """Whether a card keeps a row: single scenarios only where they are compared."""
    conditions = row.conditions
    if conditions.get("scenario", "all") == "all" or row.figure == "chance":
        return True
    return (
        conditions.get("arm") in _TOLD_BY_SCENARIO
        and conditions.get("scoring") == "forced choice"
        and conditions.get("epoch") == "final"
        and not conditions.get("attacker", "").startswith("proxy:")
    )


def attack_study(
    name: str, title: str, estimate: str, *, strategy: str | None = None, **settings: Any
) -> Study:
    """Returns a study that is one evaluation of attacks.

    Args:
        name: of the study and its card
        title: what it shows, one sentence
        estimate: how long it takes, in words
        strategy: of the protection, by default that of its options
        **settings: of :class:`~fiftyone_dp2vl.attack.settings.AttackConfig`
    """

    def plan(options: Options) -> list[Cell]:
        return [_cell(name, options, title, strategy, settings)]

    def conclude(options: Options, cells: Sequence[Cell], results: Sequence[Result]) -> Findings:
        from ..measure.report import AttackReport

        report = AttackReport.from_json(json.dumps(results[0]), name)
        return Findings(
            [row for row in report.rows if _told(row)],
            {"protection": _protection(options, strategy).fingerprint()},
            [*report.notes, *report.tested, *(f"Not tested: {text}" for text in report.not_tested)],
        )

    rooms = ("config", "encoders", "protection", "media", "runs", "benchmark", "attack")
    return Study(name, title, estimate, plan, conclude, rooms)


STUDY = attack_study(
    "attack",
    "What the embedded VLM learns from photos of ten new people, before and after protection",
    "about 20 fine-tunings a seed, one minute each on a quiet machine",
    proxies=("proxy:linear@embedded",),
    transfer=("llava:tests/data/heldout_vlm",),
    arms=(
        "controls",
        "ratio",
        "after-jpeg-75",
        "after-half-size-and-back",
        "no-jpeg-loop",
        "no-jpeg-loop-after-jpeg-75",
        "no-jpeg-loop-after-half-size-and-back",
    ),
)
