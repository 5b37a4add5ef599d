"""A photo's result must not depend on its neighbours; and a budget of 0 changes nothing."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..config import OutputConfig, ProtectionConfig, SelectionConfig
from ..errors import RunError
from ..measure.cards import Row
from .albums import Shot
from .base import Cell, Findings, Result, Study

if TYPE_CHECKING:
    from ..runs import PhotoRecord, RunResult
    from .options import Options
    from .workshop import Workshop

__all__ = ["STUDY"]

PHOTOS = 16
VARIANTS = ("batches of 1", "shuffled order", "two shards", "run again")


def _shots(workshop: Workshop) -> list[Shot]:
    share = workshop.album("dev", 0).share
    # every few of the album, so that several people and photo sizes are among them
    return share[:: max(1, len(share) // PHOTOS)][:PHOTOS]


def _protect(
    workshop: Workshop,
    shots: Sequence[Shot],
    config: ProtectionConfig,
    name: str,
    *,
    batch_size: int = 16,
    shard: tuple[int, int] = (0, 1),
) -> RunResult:
    from ..runs import PhotoItem, protect_photos

    folder = workshop.options.cache / "invariance" / name
    shutil.rmtree(folder, ignore_errors=True)  # a run that is resumed would prove nothing
    return protect_photos(
        [PhotoItem(shot.key, shot.path, shot.person, draw=shot.key) for shot in shots],
        folder,
        config,
        SelectionConfig(),
        OutputConfig(),
        device=workshop.options.device,
        batch_size=batch_size,
        encoders=[workshop.encoder(encoder) for encoder in config.encoders],
        shard=shard,
    )


def _file(record: PhotoRecord) -> Path:
    if record.status != "protected" or record.path is None:
        raise RunError(f"a photo of the invariance study could not be protected: {record.error}")
    return record.path


def _run(
    workshop: Workshop,
    shots: Sequence[Shot],
    config: ProtectionConfig,
    name: str,
    batch_size: int = 16,
) -> dict[str, Path]:
    """Protects the shots anew and returns key -> file."""
    result = _protect(workshop, shots, config, name, batch_size=batch_size)
    return {record.key: _file(record) for record in result.records}


def _largest(first: dict[str, Path], second: dict[str, Path]) -> tuple[int, float]:
    """Returns the largest difference in levels, and the share of values that differ at all."""
    from ..media import read_photo

    largest, differing, total = 0, 0, 0
    for key, path in first.items():
        a, b = read_photo(path).pixels, read_photo(second[key]).pixels
        gap = np.abs(a.astype(np.int16) - b)
        largest = max(largest, int(gap.max()))
        differing += int((gap > 0).sum())
        total += gap.size
    return largest, differing / total


def _base(workshop: Workshop, shots: Sequence[Shot], config: ProtectionConfig) -> dict[str, Path]:
    """What the others are compared with: one ordinary run of all photos."""
    return {record.key: record.path for record in workshop.protected(shots, config)}


def _in_shards(
    workshop: Workshop, shots: Sequence[Shot], config: ProtectionConfig
) -> tuple[dict[str, Path], bool]:
    """Protects the shots in two shards, as two machines would.

    Returns:
        key -> file, and whether the shards computed identical targets
    """
    files: dict[str, Path] = {}
    hashes = set()
    for index in range(2):
        found = _protect(workshop, shots, config, f"shard-{index}", shard=(index, 2))
        files.update((record.key, _file(record)) for record in found.records)
        hashes.add(found.manifest.targets_sha256)
    return files, len(hashes) == 1


def _plan(options: Options) -> list[Cell]:
    config = options.config()

    def compare(variant: str) -> Cell:
        def measure(workshop: Workshop) -> Result:
            shots = _shots(workshop)
            if variant == "two shards":
                other, same = _in_shards(workshop, shots, config)
                largest, share = _largest(_base(workshop, shots, config), other)
                return {
                    "largest": largest,
                    "differing": share,
                    "same_targets": same,
                    "photos": len(shots),
                }
            base = _base(workshop, shots, config)
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
        "Against one run of all photos in batches of 8; files are read from disk and compared "
        "pixel by pixel. The shuffled order and the run again are one batch of 16, the shards two "
        "of 8.",
        "Targets are compared between the two shards only.",
        "Against a budget of 0 the clean files are compared.",
    ]
    return Findings(rows, {"default": options.config().fingerprint()}, notes)


STUDY = Study(
    name="invariance",
    title="Batch size, order and shards change nothing, and a budget of 0 gives identical pixels",
    estimate="6 protections of 16 photos: 1 to 4 minutes",
    plan=_plan,
    conclude=_conclude,
)
