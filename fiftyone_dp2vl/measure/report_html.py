"""A report card as one HTML file: no script, nothing fetched, every string escaped."""

from __future__ import annotations

from datetime import datetime

from .markup import Markup, tag
from .report import AttackReport
from .report_details import details_section
from .report_leak import adaptive_section, attackers_section, leak_section
from .report_parts import section
from .report_sections import answers_section, ratio_section, robustness_section
from .report_style import style
from .report_views import Lens, ladder
from .report_words import (
    ASK_WORDS,
    LIMITS,
    Verdict,
    arm_words,
    duration,
    percent,
    share,
    verdict_sentences,
    verdicts,
)

__all__ = ["report_html"]


def report_html(report: AttackReport) -> str:
    """Returns a page that shows a report; it stands alone and can be printed.

    Args:
        report: the report
    """
    lens = Lens(report)
    body = tag(
        "main",
        _header(report),
        _verdict(report, lens),
        leak_section(lens),
        attackers_section(report),
        ratio_section(lens),
        robustness_section(lens),
        adaptive_section(report),
        answers_section(report),
        _tested(report),
        details_section(report),
        tag(
            "footer",
            "Made by fiftyone_dp2vl from ",
            tag("code", f"{report.name}.json"),
            ", which holds every figure in full.",
        ),
    )
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        # nothing is fetched, and nothing that slipped in could be
        tag(
            "meta",
            http_equiv="Content-Security-Policy",
            content="default-src 'none'; style-src 'unsafe-inline'",
        ),
        tag("title", report.title),
        tag("style", Markup(style())),
    )
    return f"<!doctype html>\n{tag('html', head, tag('body', body), lang='en')}\n"


def _header(report: AttackReport) -> Markup:
    made = datetime.fromisoformat(report.created.replace("Z", "+00:00"))
    album, run = report.album, report.protection.get("run")
    counts = [
        f"{album[key]} {text}"
        for key, text in (("people", "people"), ("shared", "shared photos"), ("queries", "queries"))
        if key in album
    ]
    repeated = len(report.seeds)
    told = [
        f"{made.day} {made:%B %Y, %H:%M}",
        ", ".join(counts) or None,
        f"{repeated} repetition{'s' if repeated != 1 else ''}" if repeated else None,
        f"protection {run}" if run else None,
        f"took {duration(report.seconds)}",
    ]
    return tag(
        "header",
        tag("p", "Report card of an attack", class_="eyebrow"),
        tag("h1", report.title),
        tag("p", [tag("span", text) for text in told if text], class_="meta"),
    )


def _verdict(report: AttackReport, lens: Lens) -> Markup:
    tiles = [_tile(verdict) for verdict in verdicts(lens)]
    won = [rung for rung in ladder(report) if rung.arm.wins]
    if won:
        best = max(won, key=lambda rung: max(row.value for row in rung.rows.values()))
        ask, row = max(best.rows.items(), key=lambda item: item[1].value)
        tiles.append(
            tag(
                "div",
                tag("h3", "Strongest adaptive attacker"),
                tag("p", tag("b", percent(row.value), class_="won"), class_="pair"),
                tag("small", f"{arm_words(best.arm)}: {ask} {share(row)}"),
                class_="tile",
            )
        )
    sentences = [tag("li", text) for text in verdict_sentences(report)]
    return section(
        "What leaks",
        None,
        tag("div", tiles, class_="tiles") if tiles else None,
        tag("ul", sentences, class_="sentences"),
    )


def _tile(verdict: Verdict) -> Markup:
    numbers: list[Markup] = []
    told = []
    if verdict.clean is not None:
        numbers.append(tag("b", percent(verdict.clean.value), class_="was"))
        told.append(f"before {share(verdict.clean)}")
    if verdict.protected is not None:
        numbers += [tag("i", "→", aria_label="to")] if numbers else []
        numbers.append(tag("b", percent(verdict.protected.value), class_="is"))
        told.append(f"after {share(verdict.protected)}")
    under = [", ".join(told)]
    if verdict.chance is not None:
        under.append(f"guessing {percent(verdict.chance)}")
    if verdict.untrained is not None:
        under.append(f"untrained {share(verdict.untrained, interval=False)}")
    return tag(
        "div",
        tag("h3", ASK_WORDS[verdict.ask]),
        tag("p", numbers, class_="pair"),
        [tag("small", line) for line in (under[0], ", ".join(under[1:])) if line],
        class_="tile",
    )


def _tested(report: AttackReport) -> Markup:
    lists = [
        tag("div", tag("h2", title), tag("ul", [tag("li", text) for text in texts], class_="plain"))
        for title, texts in (
            ("Tested", report.tested),
            ("Not tested", report.not_tested),
            ("How to read the figures", report.notes),
        )
        if texts
    ]
    limits = tag(
        "div",
        tag("h2", "What no figure here can tell"),
        tag("ul", [tag("li", text) for text in LIMITS], class_="plain"),
        class_="subhead" if lists else None,
    )
    return tag("section", tag("div", lists, class_="columns") if lists else None, limits)
