"""The sections of a report's page that compare arms: controls, attackers, the adaptive ladder."""

from __future__ import annotations

from collections.abc import Sequence

from .cards import Row
from .markup import Markup, tag
from .report import Arm, AttackReport
from .report_checks import ASKS
from .report_parts import KINDS, as_table, dot_plot, lane_cells, lane_of, legend_key, section
from .report_views import Lens, compared_attackers, ladder
from .report_words import ASK_WORDS, arm_words, attacker_words, rung_words, share

__all__ = ["adaptive_section", "attackers_section", "leak_section"]


def leak_section(lens: Lens) -> Markup | None:
    """Accuracy before and after protection beside every control, overall and by scenario."""
    arms = [arm for arm in lens.arms("control", "protection") if not arm.variant]
    if not arms:
        return None
    asks = [ask for ask in ASKS if any(lens.accuracy(arm.name, ask) for arm in arms)]
    overall = [_panel(lens, arms, ask, "all", ASK_WORDS[ask]) for ask in asks]
    scenarios = lens.scenarios()
    by_scenario = [
        _panel(lens, arms, "affiliation", scenario, scenario.replace("_", " "), marks=False)
        for scenario in scenarios
    ]
    lines = [
        [
            arm_words(arm),
            *(share(lens.accuracy(arm.name, ask)) for ask in asks),
            *(share(lens.accuracy(arm.name, "affiliation", name)) for name in scenarios),
        ]
        for arm in arms
    ]
    heads = ["trained on", *asks, *(name.replace("_", " ") for name in scenarios)]
    return section(
        "Before and after protection",
        f"What {attacker_words(lens.attacker)} says of clean photos that it never saw, by what it "
        "was trained on. A protection does something only where it stands apart from its "
        "controls.",
        _legend(),
        tag("div", overall, class_="panels two"),
        tag("h3", "Affiliation by scenario", class_="subhead") if by_scenario else None,
        tag("div", by_scenario, class_="panels many") if by_scenario else None,
        as_table(heads, lines, "Share of right answers with 95 % intervals"),
    )


def attackers_section(report: AttackReport) -> Markup | None:
    """Every attacker's accuracy before and after; None where there is only one."""
    lenses = compared_attackers(report)
    if len(lenses) < 2:
        return None
    panels = []
    lines: dict[str, list[str]] = {lens.attacker: [] for lens in lenses}
    heads = ["attacker"]
    for ask in ASKS:
        items: list[object] = []
        for lens in lenses:
            pair = [arm for arm in lens.arms("control", "protection") if arm.name in KINDS]
            lanes = [lane_of(lens, arm, ask, "all", marks=True) for arm in pair]
            if any(lanes):
                items += [tag("div", attacker_words(lens.attacker), class_="group"), lanes]
        if items:
            panels.append(dot_plot(ASK_WORDS[ask], items))
            heads += [f"{ask}, clean", f"{ask}, protected"]
            for lens in lenses:
                lines[lens.attacker] += [share(lens.accuracy(name, ask)) for name in KINDS]
    return section(
        "Every attacker",
        "Some see photos through an encoder that the protection was made against, others through "
        "one that it never met. Probes on frozen features are proxies: no model was fine-tuned "
        "for them.",
        tag("div", panels, class_="panels two"),
        as_table(heads, [[attacker_words(name), *line] for name, line in lines.items()]),
    )


def adaptive_section(report: AttackReport) -> Markup | None:
    """The attackers who know of the protection; those who get through are red."""
    rungs = ladder(report)
    if not rungs:
        return None
    first = Lens(report)
    plain = [arm for arm in first.arms("protection") if arm.name == "protected"]
    items = [
        _rung(
            arm,
            "The plain attacker, for comparison.",
            "protected",
            first,
            {ask: row for ask in ASKS if (row := first.accuracy(arm.name, ask))},
        )
        for arm in plain
    ]
    for rung in rungs:
        kind = "wins" if rung.arm.wins else "control"
        items.append(_rung(rung.arm, rung_words(rung), kind, rung.lens, rung.rows))
    won = sum(rung.arm.wins is True for rung in rungs)
    return section(
        "Attackers who know of the protection",
        f"{won} of the {len(rungs)} that were tested get far above guessing in spite of it."
        if won
        else f"None of the {len(rungs)} that were tested gets far above guessing. Others may.",
        tag("ol", items, class_="rungs"),
    )


def _panel(
    lens: Lens, arms: Sequence[Arm], ask: str, scenario: str, title: str, *, marks: bool = True
) -> Markup:
    return dot_plot(title, [lane_of(lens, arm, ask, scenario, marks=marks) for arm in arms])


def _rung(arm: Arm, needs: str, kind: str, lens: Lens, rows: dict[str, Row]) -> Markup:
    won = tag("span", "gets through", class_="won") if kind == "wins" else None
    lanes = [lane_cells(ask, row, lens.chance(ask), kind) for ask, row in rows.items()]
    return tag(
        "li",
        tag("div", tag("h3", arm_words(arm), won), tag("p", needs) if needs else None),
        tag("div", lanes, class_="lanes"),
        class_=kind,
    )


def _legend() -> Markup:
    return tag(
        "ul",
        legend_key("lane clean", "trained on clean photos"),
        legend_key("lane protected", "trained on protected photos"),
        legend_key("lane control", "controls"),
        tag(
            "li",
            tag(
                "svg",
                tag("line", class_="whisker", x1=0, x2=24, y1=8, y2=8),
                tag("line", class_="whisker", x1=0, x2=0, y1=4, y2=12),
                tag("line", class_="whisker", x1=24, x2=24, y1=4, y2=12),
                class_="lane",
                width=24,
                height=16,
                aria_hidden="true",
            ),
            "95 % interval",
        ),
        tag(
            "li",
            tag(
                "svg",
                tag("line", class_="mark", x1=3, x2=3, y1=1, y2=15),
                class_="lane",
                width=6,
                height=16,
                aria_hidden="true",
            ),
            "best epoch",
        ),
        tag(
            "li",
            tag(
                "svg",
                tag("line", class_="chance", x1=3, x2=3, y1=0, y2=16),
                width=6,
                height=16,
                aria_hidden="true",
            ),
            "guessing",
        ),
        class_="legend",
    )
