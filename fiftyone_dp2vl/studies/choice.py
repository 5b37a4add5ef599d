"""The rule that names the default strategy, from what a card says of all of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ..measure.cards import Row

__all__ = [
    "CHOICE_NOTE",
    "CLEAN",
    "CONTROLS",
    "IGNORANT",
    "NAMED",
    "NAMELESS",
    "choice_rows",
    "choose",
]

COVERED = ("embedded", "surrogate", "fine-tuned")
"""Labels of the encoders that a protection claims to hold on: its surrogate and a light fine-tune
of it. On an independent one no strategy does anything, so that it tells none from another."""

CLEAN, IGNORANT = "clean", "pictures of nobody"
CONTROLS = (CLEAN, IGNORANT)
"""What attackers train on where nothing was protected: the photos, or procedural pictures under the
people's names, from which nothing about anybody can be learned."""

NAMELESS, NAMED = "not named", "named"
"""Whether a protection is told who is on which photo."""

CHOICE_NOTE = (
    "worst_leak is the larger of identity probe and inverted probe over pooled and mean-token "
    "features of the surrogate and of its fine-tuned copy; chosen, for runs that are told the "
    "names and for those that are not, are the strategies with the smallest, among those (without "
    "names: that read none) whose "
    f"worst_commonest_wrong does not lie above the whole interval of the control {IGNORANT!r}."
)


def choose(rows: Sequence[Row], people: str, planted: float | None = None) -> list[str]:
    """Returns the strategies that the rule for the default allows, from the rows of a card.

    The rule looks at every view of an attacker whom a protection claims to hold against: the
    encoders of :data:`COVERED`, pooled and mean-token features.

    Where nobody is named, a run cannot know that more than one person is there, and in an album of
    one person those strategies that put others in their place do nothing: they do not stand there.

    1. A strategy *leaks* what the best attacker gets: the largest accuracy of the identity probe
       and the inverted probe over all views.
    2. A strategy *plants a name* if its share of the commonest wrong answer, in the view where
       that is largest, is above the whole interval of the same share of an attacker who trained
       on pictures of nobody. It is not chosen. Clean photos of a person are alike, so whoever
       learned nothing gives them one and the same wrong name, too: that much is not planted.
    3. Of the others the one that leaks least is chosen. Where several leak the same, to the
       question, the figures do not tell them apart: all of them are, the one with the smallest
       share of the commonest wrong answer first.

    Args:
        rows: of the card of the study of strategies
        people: :data:`NAMED` or :data:`NAMELESS`: what runs are told; strategies that read no
            names stand in both
        planted: the bar of the second step, a share; by default the upper end of the control's
            interval, in the view where that is highest

    Raises:
        ValueError: if every strategy plants a name
    """
    if planted is None:
        ignorant = [row for row in rows if _is_view(row, IGNORANT, "commonest_wrong")]
        planted = max(row.interval.high if row.interval else row.value for row in ignorant)
    leaks = _worst(rows, people, "identity_probe", "inverted_probe")
    names = _worst(rows, people, "commonest_wrong")
    left = [name for name in leaks if names[name].value <= planted]
    if not left:
        raise ValueError("every strategy plants a name: the rule names none")
    least = min(leaks[name].value for name in left)
    tied = [name for name in left if leaks[name].value == least]
    return sorted(tied, key=lambda name: names[name].value)


def choice_rows(rows: Sequence[Row]) -> list[Row]:
    """Returns what :func:`choose` looks at, strategy by strategy, and what it names.

    Figures: ``worst_leak``, ``worst_commonest_wrong``, and ``chosen``, which stands beside what is
    chosen only and repeats its leak. The first two are rows of the card, with their intervals.

    Args:
        rows: of the study's card
    """
    found = []
    for people in (NAMED, NAMELESS):
        leaks = _worst(rows, people, "identity_probe", "inverted_probe")
        names = _worst(rows, people, "commonest_wrong")
        for figure, worst in (("worst_leak", leaks), ("worst_commonest_wrong", names)):
            found += [
                replace(row, figure=figure, conditions={"strategy": name, "people": people})
                for name, row in worst.items()
            ]
        found += [
            replace(leaks[name], figure="chosen", conditions={"strategy": name, "people": people})
            for name in choose(rows, people)
        ]
    return found


def _worst(rows: Sequence[Row], people: str, *figures: str) -> dict[str, Row]:
    """Strategy -> the row with the largest value of some figures over the attackers' views."""
    # exactly those that read names were measured with them
    told = {
        row.conditions["strategy"]
        for row in rows
        if row.conditions.get("people") == NAMED and "encoder" in row.conditions
    }
    worst: dict[str, Row] = {}
    for row in rows:
        name = row.conditions.get("strategy", CLEAN)
        if name in CONTROLS or not _is_view(row, name, *figures):
            continue
        if name in told and NAMELESS in (people, row.conditions["people"]):
            continue
        if name not in worst or row.value > worst[name].value:
            worst[name] = row
    return worst


def _is_view(row: Row, strategy: str, *figures: str) -> bool:
    conditions = row.conditions
    covered = conditions.get("encoder") in COVERED
    return covered and conditions.get("strategy") == strategy and row.figure in figures
