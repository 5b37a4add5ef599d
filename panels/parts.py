"""Parts that the panels share: rows that wrap, choosers, and what to do where nothing is yet."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import fiftyone.operators as foo
import fiftyone.operators.types as types

from fiftyone_dp2vl.store.pending import Pending
from fiftyone_dp2vl.store.plugin import PLUGIN_NAME

__all__ = [
    "POLL_MILLISECONDS",
    "choose",
    "column",
    "dropdown",
    "escaped",
    "forget_copies",
    "offer_others",
    "page",
    "prompt",
    "show_pending",
    "text",
    "wrapping",
]

POLL_MILLISECONDS = 3000

Handler = Callable[[foo.ExecutionContext], Any]


def page(body: types.Object) -> types.Property:
    """Returns a panel's whole content."""
    return types.Property(
        body,
        view=types.GridView(
            orientation="vertical",
            gap=1.5,
            align_x="stretch",
            componentsProps={"grid": {"sx": {"p": 2, "gridTemplateColumns": "minmax(0, 1fr)"}}},
        ),
    )


def wrapping(parent: types.Object, name: str, gap: float = 2, **sx: Any) -> types.Object:
    """Adds a row whose parts go below one another where the panel is narrow."""
    style = {"display": "flex", "flexWrap": "wrap", "gap": gap, "width": "100%", **sx}
    # FiftyOne keeps its own words for a few of these beside the style
    return parent.grid(name, gap=gap, componentsProps={"grid": {"sx": style}})


def column(parent: types.Object, name: str, *, grow: float, width: int) -> types.Object:
    """Adds a column to a wrapping row.

    Args:
        parent: the row
        name: the column's
        grow: its share of the room that is left
        width: px below which it takes a line of its own
    """
    return parent.v_stack(
        name,
        gap=1,
        componentsProps={
            "item": {"sx": _flexible(grow, width)},
            "grid": {"sx": {"gridTemplateColumns": "minmax(0, 1fr)"}},
        },
    )


def _flexible(grow: float, width: int) -> dict[str, Any]:
    return {"flex": f"{grow} 1 {width}px", "minWidth": 0, "maxWidth": "100%"}


def dropdown(
    parent: types.Object,
    name: str,
    options: Mapping[str, str],
    label: str,
    on_change: Handler,
    *,
    width: int = 160,
) -> None:
    """Adds a chooser to a wrapping row.

    Args:
        parent: the row
        name: of the state that holds the choice
        options: value -> what is shown
        label: what is chosen
        on_change: called with the value in ``ctx.params["value"]``
        width: px that it wants
    """
    view = types.DropdownView(
        label=label,
        componentsProps={"item": {"sx": _flexible(1, width)}},
    )
    for value, shown in options.items():
        view.add_choice(value, label=shown)
    parent.enum(name, view.values(), view=view, label=label, on_change=on_change)


def offer_others(
    body: types.Object, name: str, options: Mapping[str, str], label: str, on_change: Handler
) -> None:
    """Adds a chooser alone, for a panel whose choice was deleted while it was open.

    What the panel drew is of the deleted one, so nothing is shown until another one is chosen.

    Args:
        body: the panel's content
        name: of the state that holds the choice
        options: value -> what is shown
        label: what is chosen
        on_change: called with the value in ``ctx.params["value"]``
    """
    row = wrapping(body, "controls", gap=1, alignItems="flex-end")
    dropdown(row, name, options, label, on_change)
    text(body, "about", f"### No {label.lower()} is shown\nIt was deleted: choose another one.")


def text(parent: types.Object, name: str, markdown: str, **sx: Any) -> None:
    """Adds Markdown."""
    style = {
        "minWidth": 0,
        "overflowWrap": "anywhere",
        "& th, & td": {"padding": "5px 8px !important", "verticalAlign": "top"},
        "& :is(td, th):nth-of-type(n + 2)": {"whiteSpace": "nowrap"},
        "& p": {"margin": "4px 0"},
        "& h3": {"margin": "8px 0 4px", "fontSize": "1.15rem", "lineHeight": 1.3},
        **sx,
    }
    props = {"item": {"sx": style}}
    parent.md(markdown, name=name, componentsProps=props)


def escaped(words: str) -> str:
    """Returns text in which nothing is Markdown: names and answers are whatever they are."""
    one_line = re.sub(r"\s*\n\s*", " ", words)
    return re.sub(r"([\\`*_{}\[\]<>#|~!])", r"\\\1", one_line)


def choose(wanted: str | None, options: Mapping[str, str] | list[str]) -> str | None:
    """Returns what was chosen where it still exists, else the last option; None without any."""
    if wanted in options:
        return wanted
    return next(reversed(list(options)), None)


def forget_copies(ctx: foo.ExecutionContext, *roots: str) -> None:
    """Drops the copies of a panel's data from its state.

    When somebody uses a chooser the App writes all that the panel shows into the panel's state.
    It would travel with every event from then on, and new data that is shorter would be filled
    up with what is left of the old.

    Args:
        ctx: the panel's
        roots: first parts of the paths under which data is sent
    """
    for root in roots:
        if ctx.panel.get_state(root) is not None:
            ctx.panel.set_state(root, None)


def prompt(ctx: foo.ExecutionContext, operator: str, **params: Any) -> None:
    """Opens one of the plugin's operators with inputs that are filled in already."""
    filled = {name: value for name, value in params.items() if value not in (None, "", [], ())}
    ctx.prompt(f"{PLUGIN_NAME}/{operator}", params=filled)


def show_pending(parent: types.Object, pending: list[Pending], on_interval: Handler) -> None:
    """Adds what is scheduled or at work, and looks again every few seconds while there is any."""
    for number, work in enumerate(pending):
        parent.view(f"pending_{number}", types.Notice(label=work.sentence()))
        if work.progress is not None:
            parent.float(
                f"progress_{number}", default=work.progress, view=types.ProgressView(label="")
            )
    if pending:
        parent.view("timer", types.TimerView(interval=POLL_MILLISECONDS, on_interval=on_interval))
