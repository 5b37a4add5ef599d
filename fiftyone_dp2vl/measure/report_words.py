"""The words of a report card: what it claims, how it says a figure, what it cannot tell."""

from __future__ import annotations

from typing import NamedTuple

from .cards import Row
from .render import figure_text
from .report import Arm, AttackReport
from .report_checks import ASKS
from .report_views import Lens, Rung, is_proxy, ladder

__all__ = [
    "ASK_WORDS",
    "FIGURE_WORDS",
    "LIMITS",
    "Verdict",
    "arm_words",
    "attacker_words",
    "duration",
    "percent",
    "rung_words",
    "share",
    "verdict_sentences",
    "verdicts",
]

ASK_WORDS = {"identity": "Names the person", "affiliation": "Knows the affiliation"}

FIGURE_WORDS = {
    "accuracy": "right",
    "inverted_accuracy": "least likely is right",
    "commonest_wrong": "same wrong name",
    "training_accuracy": "right on its training photos",
    "false_naming": "names strangers",
}

_ARM_WORDS = {
    "none": "no fine-tuning",
    "jpeg": "JPEG only",
}

LIMITS = (
    "This is empirical protection against the attackers that were tested, on these photos. It "
    "raises the cost of an attack and does not prevent one.",
    "It is a one-way door: copies that are published cannot be upgraded, and a future model or "
    "a future way of cleaning photos may undo what is in them.",
    "Photos that are online already, or that friends post, are not covered; a few clean photos of "
    "a person can be enough to learn that person from.",
    "Only the link from photo to person is made harder to learn. Captions, file names, metadata "
    "and everything else that tells a name in words tell it as before.",
    "Face recognition and human viewers are not hindered: a protected photo looks like its "
    "original, and a face recogniser with its own training was not the adversary here.",
    "An attacker who processes the photo that is asked about, or who has this tool, is another "
    "attacker; see what was tested above, and what was not.",
)
"""What no figure of a report can tell its reader."""


_SPACE = "\N{NO-BREAK SPACE}"


def percent(value: float) -> str:
    """Returns a share in per cent without decimals, ``12 %``."""
    return f"{round(100 * value)}{_SPACE}%"


def share(row: Row | None, *, interval: bool = True) -> str:
    """Returns a figure as ``12 % [8, 17]``; another unit's as cards print it; a dash for None."""
    if row is None:
        return "\N{EN DASH}"
    if row.unit != "share":
        return figure_text(row, interval=interval)
    text = percent(row.value)
    if interval and row.interval is not None:
        low, high = (round(100 * end) for end in row.interval)
        text += f" [{low},{_SPACE}{high}]"
    return text


def arm_words(arm: Arm) -> str:
    """Returns an arm's name as a reader finds it in a plot."""
    return _ARM_WORDS.get(arm.name, arm.name.removeprefix("adaptive: "))


def attacker_words(name: str) -> str:
    """Returns an attacker's name, with the word *proxy* where it is one."""
    return f"{name.removeprefix('proxy:')} (proxy)" if is_proxy(name) else name


def rung_words(rung: Rung) -> str:
    """Returns what an adaptive attacker needs, who it was, and how well its detector told."""
    report = rung.lens.report
    said = [rung.arm.needs]
    if rung.lens.attacker != next(iter(report.attackers)):
        said.append(f"Attacker: {attacker_words(rung.lens.attacker)}.")
    detector = report.find("detector_accuracy", arm=rung.arm.name)
    if detector is not None and "arm" in detector.conditions:
        said.append(f"Its detector told protected photos from clean ones in {share(detector)}.")
    return " ".join(text for text in said if text)


def duration(seconds: float) -> str:
    """Returns a time as a person says it."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    return f"{round(seconds / 60)} min" if seconds < 90 * 60 else f"{seconds / 3600:.1f} h"


class Verdict(NamedTuple):
    """The figures that a report's first sentences are made of.

    Attributes:
        ask: what was asked
        clean: accuracy after training on clean photos
        protected: accuracy after training on protected photos
        untrained: accuracy without fine-tuning
        noise: accuracy after training on photos with random noise of the same budget
        chance: what guessing gives, in [0, 1]
    """

    ask: str
    clean: Row | None
    protected: Row | None
    untrained: Row | None
    noise: Row | None
    chance: float | None


def verdicts(lens: Lens) -> list[Verdict]:
    """Returns a verdict for each kind of question that was asked after training."""
    found = [
        Verdict(
            ask,
            lens.accuracy("clean", ask),
            lens.accuracy("protected", ask),
            lens.accuracy("none", ask),
            lens.accuracy("random signs", ask),
            lens.chance(ask),
        )
        for ask in ASKS
    ]
    return [verdict for verdict in found if verdict.clean or verdict.protected]


def verdict_sentences(report: AttackReport) -> list[str]:
    """Returns what the report says in words, failures of the protection included."""
    lens = Lens(report)
    who = f"the attacker “{attacker_words(lens.attacker)}”"
    sentences = [_claim(verdict, who) for verdict in verdicts(lens)]
    won = [rung for rung in ladder(report) if rung.arm.wins]
    if won:
        sentences.append(_defeat(won))
    inverted = _inversion(lens)
    if inverted is not None:
        sentences.append(inverted)
    if is_proxy(lens.attacker):
        sentences.append(
            "No model was fine-tuned: the figures come from a probe on frozen features, which "
            "can understate what fine-tuning learns."
        )
    return sentences


def _claim(verdict: Verdict, who: str) -> str:
    does = (
        "names the person on {} of the clean photos that it never saw"
        if verdict.ask == "identity"
        else "picks the right affiliation in {} of the questions about such photos"
    )
    guessing = "" if verdict.chance is None else f"; guessing gives {percent(verdict.chance)}"
    if verdict.protected is None:
        trained = does.format(share(verdict.clean))
        return f"Nothing was protected: {who} {trained}{guessing}."
    without = "" if verdict.clean is None else f"; without protection, {share(verdict.clean)}"
    noise = "" if verdict.noise is None else f"; with random noise instead, {share(verdict.noise)}"
    got = does.format(share(verdict.protected))
    return f"After protection, {who} {got}{without}{noise}{guessing}."


def _defeat(won: list[Rung]) -> str:
    best = max(won, key=lambda rung: max(row.value for row in rung.rows.values()))
    ask, row = max(best.rows.items(), key=lambda item: item[1].value)
    told = "names the person on" if ask == "identity" else "picks the right affiliation in"
    count = "One adaptive attacker gets" if len(won) == 1 else f"{len(won)} adaptive attackers get"
    strongest = "it" if len(won) == 1 else f"the strongest ({arm_words(best.arm)})"
    if len(won) == 1:
        count = f"One adaptive attacker ({arm_words(best.arm)}) gets"
    return f"{count} through in spite of the protection: {strongest} {told} {share(row)}."


def _inversion(lens: Lens) -> str | None:
    """Returns a warning where the least likely choice tells more than the likeliest."""
    likely = lens.accuracy("protected", "identity")
    least = lens.figure("inverted_accuracy", "protected", "identity")
    chance = lens.chance("identity")
    if likely is None or least is None or chance is None or least.interval is None:
        return None
    if least.interval.low <= max(likely.value, chance):
        return None
    return (
        f"An attacker who takes the name that the model holds for the least likely is right on "
        f"{share(least)}: the protection can be inverted."
    )
