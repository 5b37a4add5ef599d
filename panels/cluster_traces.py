"""A run's points as Plotly traces: circles before, diamonds after, coloured by what is chosen."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from typing import Any

import numpy as np

from fiftyone_dp2vl.store.panels.points import PlotPoints

from .cluster_table import DASH

__all__ = ["HALO", "STATUS", "halo", "layout", "traces"]

STATUS = "status"
"""The choice of colours that tells clean from protected, and nothing else."""

HALO = 1
"""Which trace marks the photos that are selected elsewhere."""

CLEAN, PROTECTED, GREY = "#3b8fd6", "#f2792b", "#8a8f98"
# Okabe and Ito's colours, which people with colour blindness can tell apart, and four more
_PALETTE = (
    *("#0090d0", "#e69f00", "#009e73", "#cc79a7", "#d55e00", "#56b4e9"),
    *("#b8a800", "#7f6bd1", "#a65628", "#17becf", "#e377c2", "#5f9e3a"),
)
_SYMBOLS = {False: "circle", True: "diamond"}
_STATES = {False: "clean", True: "protected"}
_HOVER = (
    "<b>%{customdata[0]}</b><br>%{customdata[1]}<br>"
    "cosine %{customdata[2]} · L∞ %{customdata[3]} · PSNR %{customdata[4]}<extra></extra>"
)


def traces(
    points: PlotPoints,
    colours: list[Any],
    kind: str,
    visible: Collection[str] | None,
    lines: bool,
    marked: Collection[str] = (),
) -> list[dict[str, Any]]:
    """Returns the plot's traces; the first two are the lines and the halo.

    Args:
        points: N photos
        colours: N values of the field to colour by
        kind: ``"category"``, ``"number"`` or :data:`STATUS`
        visible: ids of the photos in the App's view, or None for all
        lines: whether each protected photo is joined with its original
        marked: ids of photos that are selected elsewhere
    """
    rows = [i for i, key in enumerate(points.ids) if visible is None or key in visible]
    size = 9 if len(rows) <= 300 else 7 if len(rows) <= 3000 else 4
    drawn = [_lines(points, rows if lines else []), halo(points, marked, visible)]
    if kind == "number":
        return drawn + _by_number(points, rows, colours, size)
    names = [None] * len(points.ids) if kind == STATUS else colours
    return drawn + _by_category(points, rows, names, size, status=kind == STATUS)


def halo(
    points: PlotPoints, marked: Collection[str], visible: Collection[str] | None
) -> dict[str, Any]:
    """Returns the trace that rings the points of photos that are selected elsewhere."""
    chosen = set(marked)
    rows = [
        i
        for i, key in enumerate(points.ids)
        if key in chosen and (visible is None or key in visible)
    ]
    after = [i for i in rows if points.protected[i]]
    xy = np.concatenate([points.clean[rows], points.released[after]])
    return {
        "type": "scattergl",
        "mode": "markers",
        "name": "selected in the grid",
        "x": _short(xy[:, 0]),
        "y": _short(xy[:, 1]),
        "ids": [points.ids[i] for i in (*rows, *after)],
        "marker": {
            "size": 17,
            "color": "rgba(0,0,0,0)",
            "line": {"width": 2, "color": "#d81b60"},
        },
        "hoverinfo": "skip",
        "showlegend": bool(rows),
        "legendrank": 1,
    }


def layout(points: PlotPoints, frame: str, selection: int) -> dict[str, Any]:
    """Returns the plot's layout.

    Args:
        points: what is shown
        frame: names the plane; while it is the same, the reader's zoom is kept
        selection: counts up where the reader's lasso is over
    """
    both = np.concatenate([points.clean, points.released])
    low, high = both.min(axis=0), both.max(axis=0)
    # a lone point, or equal ones, still need an area around them
    pad = np.where(high > low, (high - low) * 0.06, 1.0)
    axis = {"showticklabels": False, "zeroline": False, "ticks": "", "title": {"text": ""}}
    return {
        "dragmode": "lasso",
        "hovermode": "closest",
        "uirevision": frame,
        "selectionrevision": selection,
        "showlegend": True,
        "margin": {"t": 8, "l": 8, "r": 8, "b": 8},
        "xaxis": {**axis, "range": [float(low[0] - pad[0]), float(high[0] + pad[0])]},
        "yaxis": {**axis, "range": [float(low[1] - pad[1]), float(high[1] + pad[1])]},
        "legend": {
            "orientation": "h",
            "x": 0,
            "y": -0.02,
            "yanchor": "top",
            "bgcolor": "rgba(0,0,0,0)",
            "itemsizing": "constant",
            "font": {"size": 13},
        },
        "hoverlabel": {"align": "left"},
    }


def _lines(points: PlotPoints, rows: list[int]) -> dict[str, Any]:
    moved = [i for i in rows if points.protected[i]]
    x, y = ([None] * (3 * len(moved)) for _ in range(2))
    for column, values in enumerate((x, y)):
        values[0::3] = _short(points.clean[moved, column])
        values[1::3] = _short(points.released[moved, column])
    return {
        "type": "scattergl",
        "mode": "lines",
        "name": "from clean to protected",
        "x": x,
        "y": y,
        "line": {"width": 1, "color": "rgba(138,143,152,0.55)"},
        "hoverinfo": "skip",
        "showlegend": bool(moved),
        "legendrank": 2000,
    }


def _by_category(
    points: PlotPoints, rows: list[int], values: list[Any], size: int, *, status: bool
) -> list[dict[str, Any]]:
    counts = Counter(str(values[i]) for i in rows if values[i] is not None)
    common = sorted(name for name, _ in counts.most_common(len(_PALETTE)))
    colour = {name: _PALETTE[at] for at, name in enumerate(common)}
    groups: dict[tuple[str, bool], list[int]] = {}
    for i in rows:
        name = "" if status else str(values[i])
        if not status and name not in colour:
            name = "none" if values[i] is None else "other"
        groups.setdefault((name, False), []).append(i)
        if points.protected[i]:
            groups.setdefault((name, True), []).append(i)
    order = [*common, "other", "none", ""]
    drawn = []
    for name, after in sorted(groups, key=lambda key: (order.index(key[0]), key[1])):
        paint = (PROTECTED if after else CLEAN) if status else colour.get(name, GREY)
        trace = _markers(points, groups[name, after], size, after, paint)
        trace["name"] = f"{name} {_STATES[after]}".strip()
        trace["legendgroup"] = trace["name"] if status else name
        if not status:
            # one entry a category; the shapes are told in a line below the plot
            trace["name"], trace["showlegend"] = name, not after
        drawn.append(trace)
    return drawn


def _by_number(
    points: PlotPoints, rows: list[int], values: list[Any], size: int
) -> list[dict[str, Any]]:
    known = [float(values[i]) for i in rows if values[i] is not None]
    low, high = (min(known), max(known)) if known else (0.0, 1.0)
    drawn = []
    for after in (False, True):
        own = [i for i in rows if points.protected[i] or not after]
        trace = _markers(points, own, size, after, GREY)
        trace["name"] = _STATES[after]
        trace["marker"] |= {
            "color": [None if values[i] is None else float(values[i]) for i in own],
            "colorscale": "Viridis",
            "cmin": low,
            "cmax": high if high > low else low + 1,
            "showscale": not after,
            "colorbar": {"thickness": 12, "len": 0.9, "outlinewidth": 0},
        }
        drawn.append(trace)
    return [trace for trace in drawn if trace["ids"]]


def _markers(
    points: PlotPoints, rows: list[int], size: int, after: bool, colour: str
) -> dict[str, Any]:
    xy = (points.released if after else points.clean)[rows]
    return {
        "type": "scattergl",
        "mode": "markers",
        "x": _short(xy[:, 0]),
        "y": _short(xy[:, 1]),
        "ids": [points.ids[i] for i in rows],
        "customdata": [_told(points, i, after) for i in rows],
        "hovertemplate": _HOVER if after else _HOVER.split("<br>cosine")[0] + "<extra></extra>",
        "marker": {
            "size": size + (1 if after else 0),
            "symbol": _SYMBOLS[after],
            "color": colour,
            "opacity": 0.85,
            "line": {"width": 0.5, "color": "rgba(255,255,255,0.6)"},
        },
        "selected": {"marker": {"opacity": 1}},
        "unselected": {"marker": {"opacity": 0.12}},
    }


def _told(points: PlotPoints, row: int, after: bool) -> list[str]:
    """Returns what hovering over a point tells."""
    known = {name: values[row] for name, values in points.fields.items()}
    # Plotly reads these as HTML
    who = str(known.get("identity") or "photo").replace("<", "&lt;")
    if not after:
        return [who, "clean original" if known.get("status") == "protected" else "clean"]
    return [
        who,
        "protected",
        _number(known.get("cosine"), 3),
        DASH if known.get("linf") is None else f"{known['linf']:g}/255",
        DASH if known.get("psnr") is None else f"{known['psnr']:.1f} dB",
    ]


def _number(value: float | None, digits: int) -> str:
    return DASH if value is None else f"{value:.{digits}f}"


def _short(values: Iterable[float]) -> list[float]:
    """Returns numbers as short as a plot can show, since all of them travel to the browser."""
    return [float(f"{value:.5g}") for value in values]
