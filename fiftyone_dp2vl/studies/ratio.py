"""What is learned when only a share of each person's photos is protected."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..config import SelectionConfig
from .base import Cell, Findings, Result, Study
from .leak import measure_leak
from .rows import chance_rows, leak_rows

if TYPE_CHECKING:
    from .options import Options
    from .workshop import Workshop

__all__ = ["STUDY"]

RATIOS = (0.0, 0.25, 0.5, 0.75, 1.0)


def _cell(options: Options, ratio: float, repetition: int) -> Cell:
    config = options.config()
    # all photos: the selection of the headline table, so that the same files are measured
    selection = (
        SelectionConfig(ratio=ratio, stratify=True, seed=repetition)
        if ratio < 1
        else SelectionConfig()
    )

    def measure(workshop: Workshop) -> Result:
        album = workshop.album("eval", repetition)
        shared = [shot.path for shot in album.share]
        protected = 0
        if ratio > 0:
            made = workshop.protected(album.share, config, selection)
            shared = [record.path for record in made]
            protected = sum(record.status == "protected" for record in made)
        return {
            "protected": protected,
            "leak": {
                label: measure_leak(workshop, album, shared, name)
                for label, name in options.encoders.items()
            },
        }

    spec = {
        "kind": "ratio",
        "album": repetition,
        "config": config.to_dict(),
        "selection": selection.to_dict(),
    }
    return Cell(f"{ratio:.0%} protected, album {repetition}", spec, measure)


def _plan(options: Options) -> list[Cell]:
    return [_cell(options, ratio, k) for ratio in RATIOS for k in range(options.seeds)]


def _conclude(options: Options, cells: Sequence[Cell], results: Sequence[Result]) -> Findings:
    count = options.seeds
    rows = chance_rows(results[0]["leak"][next(iter(options.encoders))])
    for index, ratio in enumerate(RATIOS):
        group = results[index * count : (index + 1) * count]
        for label in options.encoders:
            where = {"encoder": label, "ratio": f"{ratio:.0%}"}
            rows += leak_rows([result["leak"][label] for result in group], where)
    notes = [
        "The ratio holds within each person; a smaller ratio's photos are among a larger one's.",
        "The attacker has all of the photos, the clean ones with the protected.",
    ]
    return Findings(rows, {"default": options.config().fingerprint()}, notes)


STUDY = Study(
    name="ratio",
    title="The identity probe when a quarter, half, three quarters or all photos are protected",
    estimate="protections of 35 to 140 photos: 5 to 8 minutes a seed",
    plan=_plan,
    conclude=_conclude,
)
