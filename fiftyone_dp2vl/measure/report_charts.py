"""The plots of a report card, as SVG that needs no script and keeps its letters' size.

Positions across are in per cent of the plot's width and positions down in pixels, so that a plot
fits a phone as well as a wide window and nothing in it is stretched. What a plot shows is also in
its accessible name, and in a table beside it.
"""

from __future__ import annotations

from collections.abc import Sequence

from .cards import Row
from .markup import Markup, join, tag
from .report_words import percent, share

__all__ = ["axis", "lane", "ratio_plot"]

_LANE_TICKS = (0.0, 0.5, 1.0)
_GRID = (0.0, 0.25, 0.5, 0.75, 1.0)

_CURVE_HEIGHT = 240
_CURVE_TOP, _CURVE_BOTTOM = 12, 26


def lane(
    row: Row, chance: float | None, kind: str, label: str, marks: Sequence[Row] = ()
) -> Markup:
    """Returns one line of a dot plot: a bar from 0, its interval, its dot, and chance.

    Args:
        row: a share in [0, 1]
        chance: what guessing gives
        kind: CSS class that colours it: ``clean``, ``protected``, ``control``, ``wins``
        label: whose figure it is, for readers who cannot see it
        marks: other figures to mark by a tick, without a dot
    """
    parts = [_line("track", 0, 1, 0), _line("bar", 0, row.value, 0)]
    parts += [_tick("mark", other.value, -7, 7) for other in marks]
    if row.interval is not None:
        low, high = row.interval
        parts.append(_line("whisker", low, high, 0))
        parts += [_tick("whisker", end, -4, 4) for end in (low, high)]
    parts.append(tag("circle", class_="dot", cx=_across(row.value), cy=0, r=4.5))
    told = f"{label}: {share(row)}"
    if chance is not None:
        told += f"; guessing gives {percent(chance)}"
    return tag(
        "svg",
        tag("title", told),
        # beside a name of two lines a lane is higher, and chance must still be one line
        _tick("chance", chance, 0, "100%") if chance is not None else None,
        tag("svg", parts, y="50%", width="100%", height=1),
        class_=f"lane {kind}",
        role="img",
        aria_label=told,
        width="100%",
    )


def axis() -> Markup:
    """Returns the scale under lanes, from 0 to 100 %."""
    ticks = [
        tag(
            "text",
            percent(at),
            class_=_anchor(at),
            x=_across(at),
            y=12,
            text_anchor=_anchor(at),
        )
        for at in _LANE_TICKS
    ]
    return tag("svg", ticks, class_="axis", aria_hidden="true", width="100%", height=16)


def ratio_plot(
    curves: dict[str, list[tuple[float, Row]]], chances: dict[str, float], title: str, across: str
) -> Markup:
    """Returns accuracy against the share that was protected: lines in their intervals' bands.

    Args:
        curves: name, also the CSS class -> (share in [0, 1], figure), from left to right
        chances: name -> what guessing gives
        title: what the plot shows
        across: what the share is of
    """
    bottom = _CURVE_HEIGHT - _CURVE_BOTTOM
    parts = [_grid_line(at) for at in _GRID]
    for name, chance in chances.items():
        y = _down(chance)
        parts.append(tag("line", class_=f"chance {name}", x1="0%", x2="100%", y1=y, y2=y))
    shapes = [_curve(name, points) for name, points in curves.items()]
    # lines bend between points whose height is in pixels, so their drawing alone is stretched
    parts.append(
        tag(
            "svg",
            shapes,
            x="0",
            y=_CURVE_TOP,
            width="100%",
            height=bottom - _CURVE_TOP,
            viewBox="0 0 100 100",
            preserveAspectRatio="none",
            overflow="visible",
        )
    )
    for name, points in curves.items():
        for at, row in points:
            told = f"{name}, {percent(at)} {across} protected: {share(row)}"
            dot = tag("circle", tag("title", told), cx=_across(at), cy=_down(row.value), r=4.5)
            parts.append(tag("g", dot, class_=f"curve {name}"))
    places = sorted({at for points in curves.values() for at, _ in points})
    parts += [
        tag(
            "text",
            percent(at),
            x=_across(at),
            y=_CURVE_HEIGHT - 6,
            text_anchor=_anchor(at),
            class_="tick",
        )
        for at in places
    ]
    told = "; ".join(
        f"{name}: " + ", ".join(f"{percent(row.value)} at {percent(at)}" for at, row in points)
        for name, points in curves.items()
    )
    return tag(
        "svg",
        tag("title", title),
        tag("desc", told),
        parts,
        class_="ratio",
        role="img",
        aria_label=f"{title}. {told}",
        width="100%",
        height=_CURVE_HEIGHT,
    )


def _curve(name: str, points: list[tuple[float, Row]]) -> Markup:
    """Returns a line and its band in a square of 100 by 100."""
    ends = [(at, *(row.interval or (row.value, row.value))) for at, row in points]
    upper = [f"{100 * at:g},{100 - 100 * high:g}" for at, _, high in ends]
    lower = [f"{100 * at:g},{100 - 100 * low:g}" for at, low, _ in reversed(ends)]
    middle = [f"{100 * at:g},{100 - 100 * row.value:g}" for at, row in points]
    return tag(
        "g",
        tag("path", class_="band", d="M" + " L".join([*upper, *lower]) + " Z"),
        tag("path", class_="line", d="M" + " L".join(middle), vector_effect="non-scaling-stroke"),
        class_=f"curve {name}",
    )


def _grid_line(at: float) -> Markup:
    y = _down(at)
    return join(
        tag("line", class_="grid", x1="0%", x2="100%", y1=y, y2=y),
        # numbers stand left of the plot, in the space that its padding keeps
        tag("text", percent(at), class_="tick", x=-8, y=y + 4, text_anchor="end"),
    )


def _down(value: float) -> float:
    return round(_CURVE_TOP + (1 - value) * (_CURVE_HEIGHT - _CURVE_TOP - _CURVE_BOTTOM), 2)


def _across(value: float) -> str:
    return f"{100 * value:.4g}%"


def _anchor(at: float) -> str:
    return {0.0: "start", 1.0: "end"}.get(at, "middle")


def _line(kind: str, start: float, end: float, y: float) -> Markup:
    return tag("line", class_=kind, x1=_across(start), x2=_across(end), y1=y, y2=y)


def _tick(kind: str, at: float, top: float, bottom: float | str) -> Markup:
    return tag("line", class_=kind, x1=_across(at), x2=_across(at), y1=top, y2=bottom)
