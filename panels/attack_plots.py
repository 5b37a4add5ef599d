"""The report card's plots for Plotly; every figure is a row of the report."""

from __future__ import annotations

from typing import Any

from fiftyone_dp2vl.measure.cards import Row
from fiftyone_dp2vl.measure.report import Arm, AttackReport
from fiftyone_dp2vl.measure.report_views import Lens, heat_map, ladder, ratio_curve
from fiftyone_dp2vl.measure.report_words import ASK_WORDS, arm_words, percent, share
from fiftyone_dp2vl.store.panels.report import leak_rows

__all__ = ["Plot", "heat_plot", "ladder_plot", "leak_key", "leak_plot", "ratio_plot"]

Plot = tuple[list[dict[str, Any]], dict[str, Any]]
"""(traces, layout)"""

CLEAN, PROTECTED, WINS, CONTROL = "#3b8fd6", "#f2792b", "#d32f2f", "#8a8f98"
_CONTROL_SYMBOLS = {
    "x-thin": "\N{MULTIPLICATION SIGN}",
    "cross-thin": "+",
    "asterisk": "\N{ASTERISK OPERATOR}",
    "y-up-open": "Y",
    "hash-open": "#",
    "triangle-up-open": "\N{WHITE UP-POINTING TRIANGLE}",
    "square-open": "\N{WHITE SQUARE}",
    "hexagon-open": "\N{WHITE HEXAGON}",
}
_LANE = 34
_AXIS = {"range": [-0.02, 1.02], "tickformat": ".0%", "zeroline": False, "title": {"text": ""}}
_PLAIN = {"showlegend": False, "margin": {"t": 8, "l": 8, "r": 16, "b": 8}, "hovermode": "closest"}


def leak_plot(lens: Lens) -> Plot | None:
    """Returns what leaks before and after, a line for each kind of question and scenario."""
    asked = leak_rows(lens)
    arms = lens.arms("control", "protection")
    if not asked or not arms:
        return None
    places = {question: len(asked) - 1 - at for at, question in enumerate(asked)}
    traces = [_chance(lens, places)]
    main = [arm for arm in arms if arm.name in ("clean", "protected")]
    others = [arm for arm in arms if arm not in main]
    spread = 0.5 / max(1, len(others) + 1)
    for at, arm in enumerate([*others, *main]):
        offset = (
            0.25 - spread * (at + 1) if arm in others else (0.12 if arm.name == "clean" else -0.12)
        )
        points = [
            (row, places[ask, scenario] + offset)
            for ask, scenario in asked
            if (row := lens.accuracy(arm.name, ask, scenario)) is not None
        ]
        if points:
            look = _look(arm, at)
            traces.append(_dots(points, arm_words(arm), look, whiskers=arm in main))
    labels = [ASK_WORDS[ask] if scenario == "all" else f"… {scenario}" for ask, scenario in asked]
    return traces, {
        "height": 50 + _LANE * len(asked),
        "xaxis": dict(_AXIS),
        "yaxis": {
            "tickvals": list(places.values()),
            "ticktext": labels,
            "range": [-0.7, len(asked) - 0.3],
            "showgrid": False,
            "zeroline": False,
            "automargin": True,
            "title": {"text": ""},
        },
        **_PLAIN,
    }


def leak_key(lens: Lens) -> str:
    """Returns what the marks of :func:`leak_plot` mean, as Markdown."""
    symbols = list(_CONTROL_SYMBOLS.values())
    arms = [a for a in lens.arms("control", "protection") if a.name not in ("clean", "protected")]
    grey = [f"{symbols[at % len(symbols)]} {arm_words(arm)}" for at, arm in enumerate(arms)]
    key = "**Blue circle**: trained on clean photos. **Orange diamond**: on protected ones."
    # Markdown would read a plus or a hash at the start of a line as a list or a heading
    return key + (f" Grey controls: {', '.join(grey)}." if grey else "")


def ratio_plot(lens: Lens) -> Plot | None:
    """Returns accuracy by the share of photos, or of people, that was protected."""
    traces: list[dict[str, Any]] = []
    looks = {"photos": PROTECTED, "people": "#7f6bd1"}
    for ask, dash in (("identity", "solid"), ("affiliation", "dot")):
        for of, colour in looks.items():
            points = ratio_curve(lens, of, ask)
            if points:
                name = f"{ASK_WORDS[ask].lower()}, share of {of}"
                traces += _curve(points, name, colour, dash)
    if not traces:
        return None
    chance = lens.chance("identity")
    lines = [] if chance is None else [_line("y", chance)]
    return traces, {
        "height": 280,
        "xaxis": {**_AXIS, "title": {"text": "share that was protected"}},
        "yaxis": {**_AXIS, "title": {"text": "right"}},
        "shapes": lines,
        **_PLAIN,
    }


def heat_plot(lens: Lens) -> Plot | None:
    """Returns accuracy after the protected photos were processed."""
    found = heat_map(lens)
    if found is None:
        return None
    after = list(found.lines)
    several = len({variant for variant, _ in found.columns}) > 1
    heads = [_head(variant, ask, several) for variant, ask in found.columns]
    cells = [found.lines[name] for name in after]
    return [
        {
            "type": "heatmap",
            "x": heads,
            "y": [name or "as released" for name in after],
            "z": [[None if c is None else c.above_chance for c in line] for line in cells],
            "text": [["" if c is None else percent(c.row.value) for c in line] for line in cells],
            "customdata": [["" if c is None else share(c.row) for c in line] for line in cells],
            "texttemplate": "%{text}",
            "hovertemplate": "%{y}<br>%{x}<br>%{customdata}<extra></extra>",
            "zmin": 0,
            "zmax": 1,
            "colorscale": [[0, "#2f7d6d"], [0.25, "#b9a44c"], [0.6, "#d9722e"], [1, "#b71c1c"]],
            "showscale": True,
            "colorbar": {
                "title": {"text": "above chance", "side": "right"},
                "tickformat": ".0%",
                "thickness": 12,
                "outlinewidth": 0,
            },
            "xgap": 2,
            "ygap": 2,
        }
    ], {
        "height": 110 + 30 * len(after),
        "xaxis": {"side": "top", "showgrid": False, "title": {"text": ""}, "automargin": True},
        "yaxis": {
            "autorange": "reversed",
            "showgrid": False,
            "title": {"text": ""},
            "automargin": True,
        },
        "margin": {"t": 50, "l": 8, "r": 8, "b": 8},
    }


def ladder_plot(report: AttackReport, lens: Lens) -> Plot | None:
    """Returns what each adaptive attacker gets; those that win are red."""
    rungs = ladder(report)
    if not rungs:
        return None
    places = {rung.arm.name: len(rungs) - 1 - at for at, rung in enumerate(rungs)}
    traces = []
    for ask, symbol, offset in (("identity", "circle", 0.13), ("affiliation", "diamond", -0.13)):
        for wins in (True, False):
            points = [
                (rung.rows[ask], places[rung.arm.name] + offset)
                for rung in rungs
                if ask in rung.rows and bool(rung.arm.wins) == wins
            ]
            if points:
                look = {"color": WINS if wins else CONTROL, "symbol": symbol, "size": 11}
                name = f"{ASK_WORDS[ask].lower()}{', gets through' if wins else ''}"
                traces.append(_dots(points, name, look, whiskers=True))
    lines = [
        _line("x", row.value, colour)
        for name, colour in (("clean", CLEAN), ("protected", PROTECTED))
        if (row := lens.accuracy(name, "identity")) is not None
    ]
    return traces, {
        "height": 50 + _LANE * len(rungs),
        "xaxis": dict(_AXIS),
        "yaxis": {
            "tickvals": list(places.values()),
            "ticktext": [arm_words(rung.arm) for rung in rungs],
            "range": [-0.7, len(rungs) - 0.3],
            "showgrid": False,
            "zeroline": False,
            "automargin": True,
            "title": {"text": ""},
        },
        "shapes": lines,
        **_PLAIN,
    }


def _look(arm: Arm, at: int) -> dict[str, Any]:
    if arm.name == "clean":
        return {"color": CLEAN, "symbol": "circle", "size": 12}
    if arm.name == "protected":
        return {"color": PROTECTED, "symbol": "diamond", "size": 13}
    symbol = list(_CONTROL_SYMBOLS)[at % len(_CONTROL_SYMBOLS)]
    return {
        "color": CONTROL,
        "symbol": symbol,
        "size": 8,
        "line": {"width": 1.5, "color": CONTROL},
    }


def _dots(
    points: list[tuple[Row, float]], name: str, look: dict[str, Any], *, whiskers: bool
) -> dict[str, Any]:
    trace: dict[str, Any] = {
        "type": "scatter",
        "mode": "markers",
        "name": name,
        "x": [row.value for row, _ in points],
        "y": [place for _, place in points],
        "customdata": [share(row) for row, _ in points],
        "hovertemplate": f"{name}: %{{customdata}}<extra></extra>",
        "marker": look,
    }
    if whiskers:
        trace["error_x"] = {
            "type": "data",
            "symmetric": False,
            "array": [row.interval.high - row.value if row.interval else 0 for row, _ in points],
            "arrayminus": [
                row.value - row.interval.low if row.interval else 0 for row, _ in points
            ],
            "color": look["color"],
            "thickness": 1.5,
            "width": 4,
        }
    return trace


def _chance(lens: Lens, places: dict[tuple[str, str], int]) -> dict[str, Any]:
    known = [(lens.chance(*question), place) for question, place in places.items()]
    return {
        "type": "scatter",
        "mode": "markers",
        "name": "guessing",
        "x": [value for value, _ in known if value is not None],
        "y": [place for value, place in known if value is not None],
        "hovertemplate": "guessing: %{x:.0%}<extra></extra>",
        "marker": {
            "symbol": "line-ns",
            "size": 22,
            "color": CONTROL,
            "line": {"width": 2, "color": CONTROL},
        },
    }


def _curve(
    points: list[tuple[float, Row]], name: str, colour: str, dash: str
) -> list[dict[str, Any]]:
    x = [at for at, _ in points]
    drawn: list[dict[str, Any]] = []
    if dash == "solid":
        ends = [row.interval or (row.value, row.value) for _, row in points]
        drawn.append(
            {
                "type": "scatter",
                "mode": "lines",
                "x": [*x, *reversed(x)],
                "y": [*(high for _, high in ends), *(low for low, _ in reversed(ends))],
                "fill": "toself",
                "fillcolor": _faint(colour),
                "line": {"width": 0},
                "hoverinfo": "skip",
            }
        )
    drawn.append(
        {
            "type": "scatter",
            "mode": "lines+markers",
            "name": name,
            "x": x,
            "y": [row.value for _, row in points],
            "customdata": [share(row) for _, row in points],
            "hovertemplate": "%{x:.0%} protected: %{customdata}<extra></extra>",
            "line": {"color": colour, "width": 2, "dash": dash},
            "marker": {"size": 7, "color": colour},
        }
    )
    return drawn


def _faint(colour: str) -> str:
    red, green, blue = (int(colour[at : at + 2], 16) for at in (1, 3, 5))
    return f"rgba({red},{green},{blue},0.16)"


def _line(axis: str, at: float, colour: str = CONTROL) -> dict[str, Any]:
    other = "y" if axis == "x" else "x"
    return {
        "type": "line",
        f"{axis}0": at,
        f"{axis}1": at,
        f"{other}0": 0,
        f"{other}1": 1,
        f"{other}ref": "paper",
        "line": {"color": colour, "width": 1.5, "dash": "dot"},
    }


def _head(variant: str, ask: str, several: bool) -> str:
    who = "person" if ask == "identity" else "affiliation"
    return f"{who}<br>{variant or 'as configured'}" if several else who
