"""The sections of a report's page on ratio, post-processing, and questions and answers."""

from __future__ import annotations

from .markup import Markup, tag
from .report import Answer, AttackReport
from .report_charts import ratio_plot
from .report_checks import ASKS
from .report_parts import NOT_MEASURED, as_table, legend_key, section
from .report_style import HEAT_STEPS
from .report_views import HeatMap, Lens, dozen, heat_map, ratio_curve
from .report_words import ASK_WORDS, percent, share

__all__ = ["answers_section", "ratio_section", "robustness_section"]


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
    legend = [legend_key(f"curve {ask}", words.lower()) for ask, words in ASK_WORDS.items()]
    return section(
        "When not everything is protected",
        "The attacker trains on protected and clean photos together. The band is the 95 % "
        "interval, the dashed line what guessing gives.",
        tag("ul", legend, class_="legend"),
        tag("div", figures, class_="panels two"),
        as_table(["protected", *ASKS], lines),
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
        "trained on them, for the attacker who gets most. The redder the field, the more of the "
        "protection is gone.",
        _heat_table(found),
        ramp,
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
        "In the model's own words, where it has any, and its choice among the given answers. "
        "The mark belongs to the choice.",
        tag(
            "div",
            tag("table", tag("thead", head), tag("tbody", lines), class_="answers"),
            class_="scroll",
            style="margin-top:14px",
        ),
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
                fields.append(tag("td", NOT_MEASURED, class_="empty"))
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
        parts.append(tag("small" if parts else "span", mark, f"{chosen}{told}"))
    return tag("td", parts or NOT_MEASURED, data_label=label)
