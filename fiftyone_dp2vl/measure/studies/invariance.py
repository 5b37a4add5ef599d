"""A photo's result must not depend on its neighbours; and a budget of 0 changes nothing."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ...config import OutputConfig, ProtectionConfig, SelectionConfig
from ...errors import RunError
from ..cards import Row
from .albums import Shot
from .base import Cell, Findings, Result, Study

if TYPE_CHECKING:
    from .options import Options
    from .workshop import Workshop

__all__ = ["STUDY"]

PHOTOS = 16
VARIANTS = ("batches of 1", "shuffled order", "two shards", "run again")


def _shots(workshop: Workshop) -> list[Shot]:
    share = workshop.album("dev", 0).share
    # every few of the album, so that several people and photo sizes are among them
    return share[:: max(1, len(share) // PHOTOS)][:PHOTOS]


def _run(
    workshop: Workshop,
    shots: Sequence[Shot],
    config: ProtectionConfig,
    name: str,
    batch_size: int = 16,
) -> dict[str, Path]:
    """Protects the shots anew and returns key -> file."""
    from ...runs import PhotoItem, protect_photos

    folder = workshop.options.cache / "invariance" / name
    shutil.rmtree(folder, ignore_errors=True)
    result = protect_photos(
        [PhotoItem(shot.key, shot.path, shot.person) for shot in shots],
        folder,
        config,
        SelectionConfig(),
        OutputConfig(),
        device=workshop.options.device,
        batch_size=batch_size,
        encoders=[workshop.encoder(encoder) for encoder in config.encoders],
    )
    if any(record.status != "protected" for record in result.records):
        raise RunError("a photo of the invariance study could not be protected")
    return {record.key: Path(record.path) for record in result.records}


def _largest(first: dict[str, Path], second: dict[str, Path]) -> tuple[int, float]:
    """Returns the largest difference in levels, and the share of values that differ at all."""
    from ...media import read_photo

    largest, differing, total = 0, 0, 0
    for key, path in first.items():
        a, b = read_photo(path).pixels, read_photo(second[key]).pixels
        gap = np.abs(a.astype(np.int16) - b)
        largest = max(largest, int(gap.max()))
        differing += int((gap > 0).sum())
        total += gap.size
    return largest, differing / total


def _in_shards(
    workshop: Workshop, shots: Sequence[Shot], config: ProtectionConfig
) -> tuple[int, bool]:
    """Compares one call of the engine with two, each with targets of its own reading.

    Returns:
        the largest difference in levels, and whether the targets were identical
    """
    from ...media import read_photo
    from ...protection import (
        collect_statistics,
        fit_targets,
        grid_pixels_for,
        protect,
        to_grid,
    )

    encoders = [workshop.encoder(name) for name in config.encoders]
    pixels = grid_pixels_for(config, encoders)
    images = {shot.key: to_grid(read_photo(shot.path).pixels, pixels) for shot in shots}
    people = {shot.key: shot.person for shot in shots}

    def targets(keys: Sequence[str], size: int) -> Any:
        batches = [
            (list(keys[i : i + size]), [images[key] for key in keys[i : i + size]])
            for i in range(0, len(keys), size)
        ]
        statistics = collect_statistics(batches, encoders, names=list(config.encoders))
        return fit_targets(statistics, config, [people[key] for key in keys])

    def deltas(keys: Sequence[str], found: Any) -> dict[str, Any]:
        protected = protect(
            [images[key] for key in keys], config, encoders=encoders, targets=found, keys=keys
        )
        return {key: one.delta for key, one in zip(keys, protected, strict=True)}

    keys = [shot.key for shot in shots]
    whole = deltas(keys, targets(keys, 16))
    # each shard computes the run's targets over all photos, here in another order and batching
    again = targets(keys[::-1], 16)
    parts = {**deltas(keys[::2], again), **deltas(keys[1::2], again)}
    largest = max(float((whole[key] - parts[key]).abs().max()) * 255 for key in keys)
    return round(largest), again.sha256 == targets(keys, 16).sha256


def _plan(options: Options) -> list[Cell]:
    config = options.config()

    def compare(variant: str) -> Cell:
        def measure(workshop: Workshop) -> Result:
            shots = _shots(workshop)
            if variant == "two shards":
                largest, same = _in_shards(workshop, shots, config)
                return {"largest": largest, "same_targets": same, "photos": len(shots)}
            base = _run(workshop, shots, config, "base")
            others = {
                "batches of 1": (shots, 1),
                "shuffled order": (shots[::-1], 16),
                "run again": (shots, 16),
            }
            order, batch = others[variant]
            other = _run(workshop, order, config, "other", batch)
            largest, share = _largest(base, other)
            return {"largest": largest, "differing": share, "photos": len(shots)}

        spec = {"kind": "invariance", "variant": variant, "config": config.to_dict()}
        return Cell(variant, spec, measure)

    def nothing(workshop: Workshop) -> Result:
        zero = ProtectionConfig.from_dict({**config.to_dict(), "epsilon": 0.0})
        shots = _shots(workshop)
        made = _run(workshop, shots, zero, "zero")
        clean = {shot.key: shot.path for shot in shots}
        largest, share = _largest(clean, made)
        return {"largest": largest, "differing": share, "photos": len(shots)}

    spec = {"kind": "invariance", "variant": "budget of 0", "config": config.to_dict()}
    return [*map(compare, VARIANTS), Cell("budget of 0", spec, nothing)]


def _conclude(options: Options, cells: Sequence[Cell], results: Sequence[Result]) -> Findings:
    rows = []
    for cell, result in zip(cells, results, strict=True):
        where = {"against": cell.label}
        count = result["photos"]
        rows.append(
            Row(
                figure="largest_difference",
                value=result["largest"],
                unit="levels",
                n=count,
                conditions=where,
            )
        )
        if "differing" in result:
            rows.append(
                Row(
                    figure="values_that_differ",
                    value=result["differing"],
                    unit="share",
                    n=count,
                    conditions=where,
                )
            )
        if "same_targets" in result:
            rows.append(
                Row(
                    figure="targets_identical",
                    value=float(result["same_targets"]),
                    unit="share",
                    n=1,
                    conditions=where,
                )
            )
    notes = [
        "Against one run of all photos in batches of 16; files are compared pixel by pixel, "
        "shards perturbation by perturbation.",
        "Against a budget of 0 the clean files are compared.",
    ]
    return Findings(rows, {"default": options.config().fingerprint()}, notes)


STUDY = Study(
    name="invariance",
    title="Batch size, order and shards change nothing, and a budget of 0 gives identical pixels",
    estimate="8 protections of 16 photos: 3 to 6 minutes",
    plan=_plan,
    conclude=_conclude,
)
