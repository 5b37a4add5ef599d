"""The parts of a report card as HTML; each returns None where nothing was measured for it."""

from __future__ import annotations

from collections.abc import Sequence

from .cards import Row
from .markup import Markup, tag
from .report import Answer, Arm, AttackReport
from .report_charts import axis, lane, ratio_plot
from .report_checks import ASKS
from .report_style import HEAT_STEPS
from .report_views import (
    HeatMap,
    Lens,
    compared_attackers,
    dozen,
    heat_map,
    ladder,
    ratio_curve,
)
from .report_words import ASK_WORDS, arm_words, attacker_words, percent, share

__all__ = [
    "adaptive_section",
    "answers_section",
    "attackers_section",
    "leak_section",
    "ratio_section",
    "robustness_section",
    "section",
    "table",
]

_NOT_MEASURED = "\N{EN DASH}"

_KINDS = {"clean": "clean", "protected": "protected"}


def section(title: str, lead: str | None, *content: object) -> Markup:
    """Returns a part of the page under a heading."""
    return tag(
        "section", tag("h2", title), tag("p", lead, class_="lead") if lead else None, content
    )


def table(heads: Sequence[str], lines: Sequence[Sequence[object]], caption: str = "") -> Markup:
    """Returns a table whose first column names its lines and whose others are numbers."""
    head = [
        tag("th", text, class_=None if i == 0 else "n", scope="col") for i, text in enumerate(heads)
    ]
    body = [
        tag(
            "tr",
            tag("th", line[0], scope="row"),
            [tag("td", text, class_="n") for text in line[1:]],
        )
        for line in lines
    ]
    return tag(
        "div",
        tag(
            "table",
            tag("caption", caption) if caption else None,
            tag("thead", tag("tr", head)),
            tag("tbody", body),
        ),
        class_="scroll",
    )


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
        _as_table(heads, lines, "Share of right answers with 95 % intervals"),
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
            pair = [arm for arm in lens.arms("control", "protection") if arm.name in _KINDS]
            lanes = [_lane_of(lens, arm, ask, "all", marks=True) for arm in pair]
            if any(lanes):
                items += [tag("div", attacker_words(lens.attacker), class_="group"), lanes]
        if items:
            panels.append(_lanes(ASK_WORDS[ask], items))
            heads += [f"{ask}, clean", f"{ask}, protected"]
            for lens in lenses:
                lines[lens.attacker] += [share(lens.accuracy(name, ask)) for name in _KINDS]
    return section(
        "Every attacker",
        "Some see photos through an encoder that the protection was made against, others through "
        "one that it never met. Probes on frozen features are proxies: no model was fine-tuned "
        "for them.",
        tag("div", panels, class_="panels two"),
        _as_table(heads, [[attacker_words(name), *line] for name, line in lines.items()]),
    )


def ratio_section(lens: Lens) -> Markup | None:
    """Accuracy against the share of photos, and of people, that was protected."""
    figures = []
    lines = []
    for of, across in (("photos", "of each person's photos"), ("people", "of the people")):
        curves = {ask: points for ask in ASKS if (points := ratio_curve(lens, of, ask))}
        if not curves:
            continue
        chances = {ask: chance for ask in curves if (chance := lens.chance(ask)) is not None}
        title = f"Share {across} that is protected"
        plot = ratio_plot(curves, chances, title, across)
        figures.append(
            tag(
                "figure",
                tag("h3", title),
                tag("div", plot, class_="plot"),
                class_="panel",
            )
        )
        places = sorted({at for points in curves.values() for at, _ in points})
        lines += [
            [f"{percent(at)} {across}", *(share(dict(curves.get(ask, [])).get(at)) for ask in ASKS)]
            for at in places
        ]
    if not figures:
        return None
    legend = [_key(f"curve {ask}", words.lower()) for ask, words in ASK_WORDS.items()]
    return section(
        "When not everything is protected",
        "The attacker trains on protected and clean photos together. The band is the 95 % "
        "interval, the dashed line what guessing gives.",
        tag("ul", legend, class_="legend"),
        tag("div", figures, class_="panels two"),
        _as_table(["protected", *ASKS], lines),
    )


def robustness_section(lens: Lens) -> Markup | None:
    """The heat map of what is left after the protected photos were processed."""
    found = heat_map(lens)
    if found is None:
        return None
    ramp = tag(
        "p",
        "guessing",
        tag("span", [tag("i", class_=f"h{step}") for step in range(HEAT_STEPS)], class_="steps"),
        "always right",
        class_="ramp",
    )
    return section(
        "When the attacker processes the photos first",
        "Share of right answers after the protected photos went through this before the attacker "
        "trained on them. The redder the field, the more of the protection is gone.",
        _heat_table(found),
        ramp,
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
        needs = rung.arm.needs
        if rung.lens.attacker != first.attacker:
            needs = f"{needs} Attacker: {attacker_words(rung.lens.attacker)}.".strip()
        kind = "wins" if rung.arm.wins else "control"
        items.append(_rung(rung.arm, needs, kind, rung.lens, rung.rows))
    won = sum(rung.arm.wins is True for rung in rungs)
    return section(
        "Attackers who know of the protection",
        f"{won} of the {len(rungs)} that were tested get far above guessing in spite of it."
        if won
        else f"None of the {len(rungs)} that were tested gets far above guessing. Others may.",
        tag("ol", items, class_="rungs"),
    )


def answers_section(report: AttackReport) -> Markup | None:
    """A dozen questions with the answers of the model trained on clean and protected photos."""
    arms = ("clean", "protected")
    answers = dozen(report, arms)
    if not answers:
        return None
    head = tag(
        "tr",
        [
            tag("th", text, scope="col")
            for text in (
                "asked of a clean photo",
                "trained on clean photos",
                "trained on protected photos",
            )
        ],
    )
    labels = ("trained on clean photos", "trained on protected photos")
    lines = [
        tag(
            "tr",
            tag(
                "td",
                answer.question,
                tag("small", f"right: {answer.truth} · photo {answer.photo}"),
            ),
            [_said(answer, arm, label) for arm, label in zip(arms, labels, strict=True)],
        )
        for answer in answers
    ]
    return section(
        "Questions and answers",
        "In the model's own words, and below them its choice among the given answers. "
        "The mark belongs to the choice.",
        tag(
            "div",
            tag("table", tag("thead", head), tag("tbody", lines), class_="answers"),
            class_="scroll",
            style="margin-top:14px",
        ),
    )


def _panel(
    lens: Lens, arms: Sequence[Arm], ask: str, scenario: str, title: str, *, marks: bool = True
) -> Markup:
    return _lanes(title, [_lane_of(lens, arm, ask, scenario, marks=marks) for arm in arms])


def _lanes(title: str, items: object) -> Markup:
    return tag(
        "figure",
        tag("h3", title),
        tag("div", items, tag("span"), axis(), tag("span"), class_="lanes"),
        class_="panel",
    )


def _lane_of(lens: Lens, arm: Arm, ask: str, scenario: str, *, marks: bool) -> list[Markup] | None:
    row = lens.accuracy(arm.name, ask, scenario)
    if row is None:
        return None
    best = None
    if marks:
        best = Lens(lens.report, lens.attacker, setting=lens.setting, epoch="peak").accuracy(
            arm.name, ask, scenario
        )
    peaks = [best] if best is not None and best.value > row.value else []
    kind = _KINDS.get(arm.name, "control")
    return _cells(arm_words(arm), row, lens.chance(ask, scenario), kind, peaks)


def _cells(
    name: str, row: Row, chance: float | None, kind: str, marks: Sequence[Row] = ()
) -> list[Markup]:
    return [
        tag("span", name, class_=f"name {kind}"),
        lane(row, chance, kind, name, marks),
        tag("span", percent(row.value), class_="value"),
    ]


def _rung(arm: Arm, needs: str, kind: str, lens: Lens, rows: dict[str, Row]) -> Markup:
    won = tag("span", "gets through", class_="won") if kind == "wins" else None
    lanes = [_cells(ask, row, lens.chance(ask), kind) for ask, row in rows.items()]
    return tag(
        "li",
        tag("div", tag("h3", arm_words(arm), won), tag("p", needs) if needs else None),
        tag("div", lanes, class_="lanes"),
        class_=kind,
    )


def _heat_table(found: HeatMap) -> Markup:
    asks = list(dict.fromkeys(ask for _, ask in found.columns))
    wide = len(found.columns) // len(asks)
    heads = [
        tag(
            "tr",
            tag("td"),
            [tag("th", ASK_WORDS[ask], colspan=wide, scope="colgroup") for ask in asks],
        )
    ]
    if wide > 1:
        heads.append(
            tag(
                "tr",
                tag("td"),
                [
                    tag("th", variant or "this protection", scope="col")
                    for variant, _ in found.columns
                ],
            )
        )
    lines = []
    for after, cells in found.lines.items():
        fields = []
        for cell in cells:
            if cell is None:
                fields.append(tag("td", _NOT_MEASURED, class_="empty"))
                continue
            step = round(cell.above_chance * (HEAT_STEPS - 1))
            told = share(cell.row).partition("[")
            fields.append(
                tag(
                    "td",
                    percent(cell.row.value),
                    tag("small", told[1] + told[2]) if told[1] else None,
                    class_=f"h{step}",
                )
            )
        name = after or "nothing"
        lines.append(
            tag("tr", tag("th", name, scope="row"), fields, class_=None if after else "base")
        )
    return tag(
        "div",
        tag("table", tag("thead", heads), tag("tbody", lines), class_="heat"),
        class_="scroll",
    )


def _said(answer: Answer, arm: str, label: str) -> Markup:
    words, chosen = answer.words.get(arm), answer.chosen.get(arm)
    parts: list[object] = []
    if words is not None:
        parts.append(tag("q", words))
    if chosen is not None:
        right = chosen == answer.truth
        mark = tag(
            "span",
            "✓ " if right else "✗ ",
            class_=f"mark {'right' if right else 'wrong'}",
            aria_label="right: " if right else "wrong: ",
            role="img",
        )
        told = f" ({percent(answer.confidence[arm])})" if arm in answer.confidence else ""
        parts.append(tag("small", mark, f"{chosen}{told}"))
    return tag("td", parts or _NOT_MEASURED, data_label=label)


def _legend() -> Markup:
    return tag(
        "ul",
        _key("lane clean", "trained on clean photos"),
        _key("lane protected", "trained on protected photos"),
        _key("lane control", "controls"),
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


def _key(kind: str, text: str) -> Markup:
    dot = tag("circle", class_="dot", cx=6, cy=8, r=4.5)
    # a lane is coloured by the class of its svg, a curve by the class of its group
    return tag(
        "li",
        tag(
            "svg", tag("g", dot, class_=kind), class_=kind, width=12, height=16, aria_hidden="true"
        ),
        text,
    )


def _as_table(heads: Sequence[str], lines: Sequence[Sequence[object]], caption: str = "") -> Markup:
    return tag("details", tag("summary", "These figures as a table"), table(heads, lines, caption))
