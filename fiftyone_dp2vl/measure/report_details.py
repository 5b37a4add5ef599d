"""The last section of a report's page: every figure, and what was attacked with what."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from .cards import Row
from .markup import Markup, join, tag
from .report import AttackReport
from .report_checks import GROUPS
from .report_parts import section, table
from .report_views import ARM_FIGURES, Lens, compared_attackers
from .report_words import ASK_WORDS, FIGURE_WORDS, arm_words, attacker_words, share

__all__ = ["details_section"]


def details_section(report: AttackReport) -> Markup:
    """Facts of attackers, photos and protection, every arm's figures, configurations."""
    attackers = [
        tag("div", tag("h3", attacker_words(name)), _facts(facts))
        for name, facts in report.attackers.items()
    ]
    rest = [
        tag("div", tag("h3", title), _facts(facts))
        for title, facts in (
            ("Photos", report.album),
            ("Protection", report.protection),
            ("Measured on", report.environment),
        )
        if facts
    ]
    configs = [
        tag(
            "details",
            tag("summary", f"Configuration: {label}"),
            tag("pre", json.dumps(config, indent=1, ensure_ascii=False, default=str)),
        )
        for label, config in report.configs.items()
    ]
    return section(
        "What was attacked with what",
        None,
        tag(
            "div",
            tag("div", attackers, class_="stack"),
            tag("div", rest, class_="stack"),
            class_="columns",
            style="margin-top:18px",
        ),
        [_every_figure(lens) for lens in compared_attackers(report)],
        configs,
    )


def _every_figure(lens: Lens) -> Markup:
    """Returns every arm's figures under one attacker, in words and by choice, final and best."""
    report, name = lens.report, lens.attacker
    blocks = []
    for setting in lens.settings or [lens.setting]:
        own = Lens(report, name, setting=setting)
        peak = Lens(report, name, setting=setting, epoch="peak")
        words = Lens(report, name, setting=setting, scoring="free words")
        heads = [
            "arm",
            "identity",
            "best epoch",
            "in words",
            "affiliation",
            "best epoch",
            "in words",
            *(FIGURE_WORDS[figure] for figure in ARM_FIGURES[1:]),
        ]
        lines = []
        for arm in own.arms(*GROUPS):
            cells = [
                share(each.accuracy(arm.name, ask))
                for ask in ASK_WORDS
                for each in (own, peak, words)
            ]
            cells += [share(_whatever(own, words, figure, arm.name)) for figure in ARM_FIGURES[1:]]
            lines.append([arm_words(arm), *cells])
        caption = (
            "Every photo told all facts of its person"
            if setting == "all"
            else "Every photo told only what it shows"
        )
        blocks.append(table(heads, lines, caption))
    return tag("details", tag("summary", f"Every arm: {attacker_words(name)}"), blocks)


def _whatever(first: Lens, second: Lens, figure: str, arm: str) -> Row | None:
    found = first.figure(figure, arm, "identity")
    return found if found is not None else second.figure(figure, arm, "identity")


def _facts(facts: Mapping[str, Any]) -> Markup:
    pairs = [
        [tag("dt", str(key).replace("_", " ")), tag("dd", _plain(value))]
        for key, value in facts.items()
        if value not in ("", None, {}, [])
    ]
    return tag("dl", pairs, class_="facts")


def _plain(value: Any) -> Markup:
    if isinstance(value, Mapping):
        return join(", ".join(f"{key} {_plain(item)}" for key, item in value.items()))
    if isinstance(value, Sequence) and not isinstance(value, str):
        return join(", ".join(str(item) for item in value))
    if isinstance(value, bool):
        return join("yes" if value else "no")
    if isinstance(value, int) and abs(value) >= 10_000:
        return join(f"{value:,}".replace(",", "\N{NO-BREAK SPACE}"))
    if isinstance(value, str) and re.fullmatch("[0-9a-f]{40,}", value):
        return join(f"{value[:16]}…")  # enough to tell weights apart; the JSON has all of it
    return join(value)
