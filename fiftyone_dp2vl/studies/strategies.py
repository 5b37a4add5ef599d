"""Which reading of "antithetical" protects: every strategy at equal steps and budget."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from .base import Cell, Findings, Result, Study
from .leak import measure_leak, measure_quality, measure_shift
from .rows import chance_rows, leak_rows, quality_rows, shift_rows

if TYPE_CHECKING:
    from .options import Options
    from .workshop import Workshop

__all__ = ["STUDY"]


def _cell(options: Options, strategy: str | None, repetition: int) -> Cell:
    # the strategy is what varies here, so it wins over a change asked for
    config = (
        None
        if strategy is None
        else options.config().__class__.from_dict(
            {**options.config(seed=repetition).to_dict(), "strategy": strategy}
        )
    )

    def measure(workshop: Workshop) -> Result:
        album = workshop.album("dev", repetition)
        result: Result = {"leak": {}, "shift": {}}
        shared = [shot.path for shot in album.share]
        if config is not None:
            made = workshop.protected(album.share, config)
            shared = [record.path for record in made]
            result["quality"] = measure_quality(album, made)
        for label, name in options.encoders.items():
            result["leak"][label] = measure_leak(workshop, album, shared, name)
            if config is not None:
                result["shift"][label] = measure_shift(workshop, album, shared, name)
        return result

    return Cell(
        f"{strategy or 'clean'}, album {repetition}",
        {
            "kind": "strategy",
            "album": repetition,
            "config": None if config is None else config.to_dict(),
        },
        measure,
    )


def _strategies() -> list[str]:
    from ..protection import list_strategies

    return list(list_strategies())


def _plan(options: Options) -> list[Cell]:
    return [
        _cell(options, strategy, repetition)
        for strategy in (None, *_strategies())
        for repetition in range(options.seeds)
    ]


def _conclude(options: Options, cells: Sequence[Cell], results: Sequence[Result]) -> Findings:
    from ..protection import get_strategy

    count = options.seeds
    config = options.config()
    rows = chance_rows(results[0]["leak"][next(iter(options.encoders))])
    configs = {}
    for index, strategy in enumerate(("clean", *_strategies())):
        group = results[index * count : (index + 1) * count]
        level = "-"
        if strategy != "clean":
            level = "yes" if get_strategy(strategy).dataset_level else "no"
            fixed = {**config.to_dict(), "strategy": strategy}
            configs[strategy] = type(config).from_dict(fixed).fingerprint()
        for label in options.encoders:
            where = {"encoder": label, "strategy": strategy, "dataset_level": level}
            rows += leak_rows([result["leak"][label] for result in group], where)
            if strategy != "clean":
                rows += shift_rows([result["shift"][label] for result in group], where)
        if strategy != "clean":
            where = {"strategy": strategy, "dataset_level": level}
            rows += quality_rows([r["quality"] for r in group], config.epsilon, where)
    notes = [
        "Measured on people of the choosing split, whom no reported figure uses.",
        "All strategies have equal steps, budget, optimiser and weights; only the target differs.",
        "Only the first encoder is a surrogate; the others were never seen by the protection.",
    ]
    return Findings(rows, configs, notes)


STUDY = Study(
    name="strategies",
    title="Every strategy at equal steps and budget, on people used for choosing only",
    estimate="one protection of 140 photos for each strategy and seed: 1 to 4 minutes each",
    plan=_plan,
    conclude=_conclude,
)
