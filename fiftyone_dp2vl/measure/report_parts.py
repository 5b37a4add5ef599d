"""What the sections of a report's page are made of: headings, tables, lines of a dot plot."""

from __future__ import annotations

from collections.abc import Sequence

from .cards import Row
from .markup import Markup, tag
from .report import Arm
from .report_charts import axis, lane
from .report_views import Lens
from .report_words import arm_words, percent

__all__ = [
    "KINDS",
    "NOT_MEASURED",
    "as_table",
    "legend_key",
    "lane_cells",
    "lane_of",
    "dot_plot",
    "section",
    "table",
]

NOT_MEASURED = "\N{EN DASH}"

KINDS = {"clean": "clean", "protected": "protected"}
"""Arm -> CSS class of the arms that are compared; all others are controls."""


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


def as_table(heads: Sequence[str], lines: Sequence[Sequence[object]], caption: str = "") -> Markup:
    """Returns a plot's figures as a table that is folded away."""
    return tag("details", tag("summary", "These figures as a table"), table(heads, lines, caption))


def dot_plot(title: str, items: object) -> Markup:
    """Returns lines of a dot plot over one scale, under a title."""
    return tag(
        "figure",
        tag("h3", title),
        tag("div", items, tag("span"), axis(), tag("span"), class_="lanes"),
        class_="panel",
    )


def lane_of(lens: Lens, arm: Arm, ask: str, scenario: str, *, marks: bool) -> list[Markup] | None:
    """Returns an arm's line of a dot plot, or None where it was not measured.

    Args:
        lens: the attacker's
        arm: the arm
        ask: ``"identity"`` or ``"affiliation"``
        scenario: or ``"all"``
        marks: whether to mark the best epoch, where it is better than the last
    """
    row = lens.accuracy(arm.name, ask, scenario)
    if row is None:
        return None
    best = None
    if marks:
        best = Lens(lens.report, lens.attacker, setting=lens.setting, epoch="peak").accuracy(
            arm.name, ask, scenario
        )
    peaks = [best] if best is not None and best.value > row.value else []
    kind = KINDS.get(arm.name, "control")
    return lane_cells(arm_words(arm), row, lens.chance(ask, scenario), kind, peaks)


def lane_cells(
    name: str, row: Row, chance: float | None, kind: str, marks: Sequence[Row] = ()
) -> list[Markup]:
    """Returns name, line and value; see :func:`~fiftyone_dp2vl.measure.report_charts.lane`."""
    return [
        tag("span", name, class_=f"name {kind}"),
        lane(row, chance, kind, name, marks),
        tag("span", percent(row.value), class_="value"),
    ]


def legend_key(kind: str, text: str) -> Markup:
    """Returns an entry of a legend: a dot in the colour of a CSS class, and what it stands for."""
    dot = tag("circle", class_="dot", cx=6, cy=8, r=4.5)
    # a lane is coloured by the class of its svg, a curve by the class of its group
    return tag(
        "li",
        tag(
            "svg", tag("g", dot, class_=kind), class_=kind, width=12, height=16, aria_hidden="true"
        ),
        text,
    )
