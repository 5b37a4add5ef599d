"""Which reading of "antithetical" protects: every strategy at equal steps and budget."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from ..measure.cards import Row
from .base import Cell, Findings, Result, Study
from .leak import measure_leak, measure_quality, measure_shift
from .rows import chance_rows, leak_rows, quality_rows, shift_rows

if TYPE_CHECKING:
    from .options import Options
    from .workshop import Workshop

__all__ = ["STUDY", "choice_rows", "choose"]

COVERED = ("embedded", "surrogate", "fine-tuned")
"""Labels of the encoders that a protection claims to hold on: its surrogate and a light fine-tune
of it. On an independent one no strategy does anything, so that it tells none from another."""

PLANTED = 0.5
"""A wrong name that a person's photos are given more often than all other answers together."""

CHOICE_NOTE = (
    "worst_leak is the larger of identity probe and inverted probe over pooled and mean-token "
    "features of the surrogate and of its fine-tuned copy; chosen is the strategy with the "
    "smallest, among those whose worst_commonest_wrong does not lie above one half by its whole "
    "interval."
)


def choose(rows: Sequence[Row], planted: float = PLANTED) -> str:
    """Returns the strategy that the rule for the default names, from the rows of this study.

    The rule looks at every view of an attacker whom a protection claims to hold against: the
    encoders of :data:`COVERED`, pooled and mean-token features.

    1. A strategy *leaks* what the best attacker gets: the largest accuracy of the identity probe
       and the inverted probe over all views.
    2. A strategy *plants a name* if its share of the commonest wrong answer, in the view where
       that is largest, is above one half by its whole interval. It is not chosen.
    3. Of the others the one that leaks least is chosen; of two that leak the same, the one with
       the smaller share of the commonest wrong answer.

    Args:
        rows: of the study's card
        planted: the bar of the second step, a share

    Raises:
        ValueError: if every strategy plants a name
    """
    leaks, names = _worst(rows, "identity_probe", "inverted_probe"), _worst(rows, "commonest_wrong")
    left = [name for name in leaks if not _above(names[name], planted)]
    if not left:
        raise ValueError("every strategy plants a name: the rule names none")
    return min(left, key=lambda name: (leaks[name].value, names[name].value))


def choice_rows(rows: Sequence[Row]) -> list[Row]:
    """Returns what :func:`choose` looks at, strategy by strategy, and what it names.

    Figures: ``worst_leak``, ``worst_commonest_wrong``, and ``chosen``, which stands beside one
    strategy only and repeats its leak. The first two are rows of the card, with their intervals.

    Args:
        rows: of the study's card
    """
    leaks, names = _worst(rows, "identity_probe", "inverted_probe"), _worst(rows, "commonest_wrong")
    found = []
    for figure, worst in (("worst_leak", leaks), ("worst_commonest_wrong", names)):
        found += [
            replace(row, figure=figure, conditions={"strategy": name})
            for name, row in worst.items()
        ]
    chosen = choose(rows)
    return [*found, replace(leaks[chosen], figure="chosen", conditions={"strategy": chosen})]


def _worst(rows: Sequence[Row], *figures: str) -> dict[str, Row]:
    """Strategy -> the row with the largest value of some figures over the attackers' views."""
    worst: dict[str, Row] = {}
    for row in rows:
        name = row.conditions.get("strategy")
        seen = row.figure in figures and row.conditions.get("encoder") in COVERED
        if name is None or name == "clean" or not seen:
            continue
        if name not in worst or row.value > worst[name].value:
            worst[name] = row
    return worst


def _above(row: Row, bar: float) -> bool:
    return (row.interval.low if row.interval else row.value) > bar


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
    rows += choice_rows(rows)
    notes = [
        "Measured on people of the choosing split, whom no reported figure uses.",
        "All strategies have equal steps, budget, optimiser and weights; only the target differs.",
        "Only the first encoder is a surrogate; the others were never seen by the protection.",
        CHOICE_NOTE,
    ]
    return Findings(rows, configs, notes)


STUDY = Study(
    name="strategies",
    title="Every strategy at equal steps and budget, on people used for choosing only",
    estimate="one protection of 140 photos for each strategy and seed: 1 to 4 minutes each",
    plan=_plan,
    conclude=_conclude,
)
