"""The measured separation in words: each figure, what it means, and which direction is good."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from fiftyone_dp2vl.store.separation import FIGURES, Separation

__all__ = ["DASH", "SHOWN_FIGURES", "figure_text", "separation_markdown"]

DASH = "\N{EN DASH}"
"""What stands where a figure was not measured."""


class ShownFigure(NamedTuple):
    """How a figure is shown.

    Attributes:
        label: what it is called
        show: its value as text
        good: an arrow in the direction that is good for whoever protects, or nothing
        meaning: one line
        more: what comes before that line
    """

    label: str
    show: Callable[[dict[str, float]], str]
    good: str
    meaning: str
    more: Callable[[dict[str, float]], str] = lambda values: ""


def _percent(name: str) -> Callable[[dict[str, float]], str]:
    return lambda v: _joined(f"{100 * v[name]:.0f} %")


def _joined(text: str) -> str:
    """Keeps a figure on one line."""
    return text.replace(" ", "\N{NO-BREAK SPACE}")


def _identity(v: dict[str, float]) -> str:
    low, high = v["identity_protected_low"], v["identity_protected_high"]
    return f"95 % interval {100 * low:.0f} to {100 * high:.0f} %, "


def _natural(v: dict[str, float]) -> str:
    if "natural_low" not in v:
        return ""
    return f"natural range {v['natural_low']:.2f} to {v['natural_high']:.2f}, "


def _p(name: str) -> Callable[[dict[str, float]], str]:
    def show(v: dict[str, float]) -> str:
        return f"p = {v[name]:.3f}, " if v[name] >= 0.001 else "p < 0.001, "

    return show


SHOWN_FIGURES = {
    "identity_protected": ShownFigure(
        "Recognised, trained on protected",
        _percent("identity_protected"),
        "↓",
        "nearest neighbours name who is on clean photos; this counts most",
        _identity,
    ),
    "identity_clean": ShownFigure(
        "Recognised, trained on clean",
        _percent("identity_clean"),
        "",
        "the same questions, had nothing been protected",
    ),
    "paired_cosine": ShownFigure(
        "Cosine to one's own original",
        lambda v: f"{v['paired_cosine']:.2f}",
        "↓",
        "which is that of two clean photos of one person; below it a photo has left its person",
        _natural,
    ),
    "centroid_shift": ShownFigure(
        "Centroid shift over spread",
        lambda v: f"{v['centroid_shift']:.2f}",
        "↑",
        "how far the middle of all photos moved; 1 is a photo's usual distance from it",
    ),
    "directional_consistency": ShownFigure(
        "Directional consistency",
        lambda v: f"{v['directional_consistency']:.2f}",
        "",
        "1: all photos moved the same way; near 0: each its own way",
    ),
    "probe_accuracy": ShownFigure(
        "Linear probe: clean or protected?",
        _percent("probe_accuracy"),
        "↑",
        "chance is 50 %; high also means that protected photos can be told apart and sorted out",
        _p("probe_p"),
    ),
    "mmd2": ShownFigure(
        "MMD²",
        lambda v: f"{v['mmd2']:.2g}",
        "↑",
        "distance of the two distributions, 0 where they are one",
        _p("mmd2_p"),
    ),
    "silhouette": ShownFigure(
        "Silhouette",
        lambda v: f"{v['silhouette']:.2f}",
        "↑",
        "1: clean and protected are two clusters; 0 or less: they lie among one another",
    ),
}


def figure_text(measured: Separation, figure: str) -> str:
    """Returns a figure as it is shown, or a dash where it was not measured."""
    missing = figure not in measured.values
    return DASH if missing else SHOWN_FIGURES[figure].show(measured.values)


def separation_markdown(measured: Separation) -> str:
    """Returns the figures of one encoder as a Markdown table with notes."""
    lines = ["| Measured separation | | good |", "|:--|--:|:-:|"]
    for name in FIGURES:
        shown = SHOWN_FIGURES[name]
        why = measured.missing.get(name)
        told = why if why is not None else shown.more(measured.values) + shown.meaning
        lines.append(
            f"| **{shown.label}**: {told} | **{figure_text(measured, name)}** | {shown.good} |"
        )
    return "\n".join(lines) + "\n\n" + _notes(measured)


def _notes(measured: Separation) -> str:
    role = (
        "a surrogate: photos were moved in its own space, so these figures flatter"
        if measured.surrogate
        else "held out: the run knew nothing of it"
    )
    notes = [f"{measured.photos:,} protected photos. The encoder is {role}."]
    if measured.tested < measured.photos:
        notes.append(
            f"Probe, MMD² and silhouette rest on {measured.tested:,} of them, drawn by seed."
        )
    if measured.queries:
        chance = measured.values.get("identity_chance")
        guess = "" if chance is None else f"; guessing gives {100 * chance:.0f} %"
        notes.append(f"Asked about: {measured.queries}{guess}.")
    notes.append("Separation describes the mechanism; it is not protection by itself.")
    return " ".join(notes)
