"""A report card as Markdown: the same sentences and figures, in tables."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Sequence

from .report import Answer, AttackReport
from .report_checks import ASKS, GROUPS
from .report_views import (
    ARM_FIGURES,
    Lens,
    compared_attackers,
    dozen,
    heat_map,
    ladder,
    ratio_curve,
)
from .report_words import (
    FIGURE_WORDS,
    LIMITS,
    arm_words,
    attacker_words,
    duration,
    percent,
    rung_words,
    share,
    verdict_sentences,
)

__all__ = ["report_markdown"]

_SPECIAL = re.compile(r"([\\`*_|~]|(?<=\])[(\[])")


def report_markdown(report: AttackReport) -> str:
    """Returns a report as a Markdown document; strings of the report are escaped.

    Args:
        report: the report
    """
    lens = Lens(report)
    album = ", ".join(f"{key} {value}" for key, value in report.album.items())
    blocks = [
        f"# {_text(report.title)}",
        f"{report.created}, {duration(report.seconds)}; photos: {_text(album)}",
        _list(verdict_sentences(report)),
        *_every_attacker(report),
        *_scenarios(lens),
        *_ratio(lens),
        *_robustness(lens),
        *_adaptive(report),
        *_answers(report),
        *_listed("Tested", report.tested),
        *_listed("Not tested", report.not_tested),
        *_listed("How to read the figures", report.notes),
        *_listed("What no figure here can tell", LIMITS),
        *_where(report),
    ]
    return "\n\n".join(blocks) + "\n"


def _every_attacker(report: AttackReport) -> list[str]:
    blocks = []
    for lens in compared_attackers(report):
        heads = ["trained on", *ASKS, *(FIGURE_WORDS[figure] for figure in ARM_FIGURES[1:])]
        lines = [
            [
                arm_words(arm),
                *(share(lens.accuracy(arm.name, ask)) for ask in ASKS),
                *(share(lens.figure(name, arm.name, "identity")) for name in ARM_FIGURES[1:]),
            ]
            for arm in lens.arms(*GROUPS[:2])
        ]
        told = [f"{ask} {percent(at)}" for ask in ASKS if (at := lens.chance(ask)) is not None]
        blocks += [f"## {_text(attacker_words(lens.attacker))}", _table(heads, lines)]
        if told:
            blocks.append(f"Guessing gives: {', '.join(told)}.")
    return blocks


def _scenarios(lens: Lens) -> list[str]:
    names = lens.scenarios()
    arms = lens.arms(*GROUPS[:2])
    if not names or not arms:
        return []
    lines = [
        [name, *(share(lens.accuracy(arm.name, "affiliation", name)) for arm in arms)]
        for name in names
    ]
    return ["## Affiliation by scenario", _table(["scenario", *map(arm_words, arms)], lines)]


def _ratio(lens: Lens) -> list[str]:
    lines = []
    for of, across in (("photos", "of each person's photos"), ("people", "of the people")):
        curves = [dict(ratio_curve(lens, of, ask)) for ask in ASKS]
        lines += [
            [f"{percent(at)} {across}", *(share(curve.get(at)) for curve in curves)]
            for at in sorted({at for curve in curves for at in curve})
        ]
    if not lines:
        return []
    return ["## When not everything is protected", _table(["protected", *ASKS], lines)]


def _robustness(lens: Lens) -> list[str]:
    found = heat_map(lens)
    if found is None:
        return []
    heads = [f"{ask}, {variant}" if variant else ask for variant, ask in found.columns]
    lines = [
        [after or "nothing", *(share(cell.row if cell else None) for cell in cells)]
        for after, cells in found.lines.items()
    ]
    title = "## When the attacker processes the photos first"
    return [title, "Of the attacker who gets most.", _table(["processed by", *heads], lines)]


def _adaptive(report: AttackReport) -> list[str]:
    lines = [
        [
            arm_words(rung.arm),
            *(share(rung.rows.get(ask)) for ask in ASKS),
            {True: "yes", False: "no", None: ""}[rung.arm.wins],
            rung_words(rung),
        ]
        for rung in ladder(report)
    ]
    if not lines:
        return []
    heads = ["attacker", *ASKS, "gets through", "needs"]
    return ["## Attackers who know of the protection", _table(heads, lines, numbers=2)]


def _answers(report: AttackReport) -> list[str]:
    lines = [
        [answer.question, answer.truth, _said(answer, "clean"), _said(answer, "protected")]
        for answer in dozen(report)
    ]
    if not lines:
        return []
    heads = ["asked of a clean photo", "right", "trained on clean", "trained on protected"]
    return ["## Questions and answers", _table(heads, lines, numbers=0)]


def _said(answer: Answer, arm: str) -> str:
    words, chosen = answer.words.get(arm, ""), answer.chosen.get(arm)
    return f"{words} (chose: {chosen})" if chosen is not None else words


def _where(report: AttackReport) -> list[str]:
    attackers = [
        f"{attacker_words(name)}: " + ", ".join(f"{k} {v}" for k, v in facts.items())
        for name, facts in report.attackers.items()
    ]
    protection = ", ".join(f"{key} {value}" for key, value in report.protection.items())
    places = ", ".join(f"{key} {value}" for key, value in report.environment.items())
    lines = [*attackers, f"protection: {protection or 'none'}", f"measured on: {places}"]
    return _listed("What was attacked with what", lines)


def _listed(title: str, sentences: Sequence[str]) -> list[str]:
    return [f"## {title}", _list(sentences)] if sentences else []


def _list(sentences: Iterable[str]) -> str:
    return "\n".join(f"- {_text(sentence)}" for sentence in sentences)


def _table(heads: Sequence[str], lines: Sequence[Sequence[str]], numbers: int | None = None) -> str:
    """Returns a table whose columns after the first, or ``numbers`` of them, stand at the right."""
    right = len(heads) - 1 if numbers is None else numbers
    rule = ["---", *["---:"] * right, *["---"] * (len(heads) - 1 - right)]
    rows = [map(_text, heads), rule, *(map(_text, line) for line in lines)]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def _text(value: str) -> str:
    """Returns text that Markdown shows as it is, on one line."""
    return _SPECIAL.sub(r"\\\1", html.escape(" ".join(value.split()), quote=False))
