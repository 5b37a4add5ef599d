"""Resident memory while large photos are protected: flat in their number, and small."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..errors import RunError
from ..measure.cards import Row
from .base import Cell, Findings, Result, Study

if TYPE_CHECKING:
    from .options import Options
    from .workshop import Workshop

__all__ = ["STUDY"]

WIDTH, HEIGHT = 4000, 3000
STEPS = 3


def _large_photos(workshop: Workshop, count: int) -> Path:
    """Writes ``count`` different JPEGs of 12 megapixels, from the benchmark's own photos."""
    from PIL import Image

    from ..measure.features import read_rgb

    folder = workshop.options.cache / "large" / str(count)
    folder.mkdir(parents=True, exist_ok=True)
    shots = workshop.album("dev", 0).share[:8]
    wide: dict[int, np.ndarray[tuple[int, ...], np.dtype[np.uint8]]] = {}
    for index in range(count):
        path = folder / f"large_{index:04d}.jpg"
        if path.is_file():
            continue
        source = index % len(shots)
        if source not in wide:
            wide.clear()  # one in memory at a time is enough when the order allows
            image = Image.fromarray(read_rgb(shots[source].path))
            wide[source] = np.asarray(image.resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC))
        moved = np.roll(wide[source], 37 * index, axis=1)
        temporary = path.with_suffix(".part")
        Image.fromarray(moved).save(temporary, format="JPEG", quality=85)
        temporary.replace(path)
        workshop.report(0.2 * index / count, "writes large photos")
    return folder


def _cell(options: Options, count: int) -> Cell:
    config = options.config(steps=STEPS)

    def measure(workshop: Workshop) -> Result:
        photos = _large_photos(workshop, count)
        out = options.cache / "large" / f"protected-{count}"
        shutil.rmtree(out, ignore_errors=True)
        task = {
            "photos": str(photos),
            "out": str(out),
            "config": config.to_dict(),
            "device": options.device,
        }
        # a process of its own: this one's memory holds other studies' things
        child = subprocess.run(
            [sys.executable, "-m", "fiftyone_dp2vl.studies.memory_child"],
            input=json.dumps(task),
            capture_output=True,
            text=True,
            check=False,
        )
        shutil.rmtree(out, ignore_errors=True)
        if child.returncode != 0:
            raise RunError(f"the memory study's process failed: {child.stderr[-2000:]}")
        result: Result = json.loads(child.stdout.splitlines()[-1])
        return result

    spec = {"kind": "memory", "count": count, "config": config.to_dict(), "side": [WIDTH, HEIGHT]}
    return Cell(f"{count} photos of 12 megapixels", spec, measure)


def _counts(options: Options) -> tuple[int, int]:
    return max(2, options.count // 4), options.count


def _plan(options: Options) -> list[Cell]:
    return [_cell(options, count) for count in _counts(options)]


def _conclude(options: Options, cells: Sequence[Cell], results: Sequence[Result]) -> Findings:
    rows = []
    few, many = _counts(options)
    for count, result in zip((few, many), results, strict=True):
        where = {"photos": str(count)}
        for figure, key, unit in (
            ("rss_peak", "peak_mib", "MiB"),
            ("rss_before", "before_mib", "MiB"),
            ("seconds_per_photo", "seconds_per_photo", "s"),
        ):
            rows.append(Row(figure=figure, value=result[key], unit=unit, n=count, conditions=where))
    growth = (results[1]["peak_mib"] - results[0]["peak_mib"]) / (many - few) * 100
    rows.append(Row(figure="rss_growth_per_100_photos", value=growth, unit="MiB", n=many - few))
    notes = [
        f"{STEPS} steps a photo: memory does not depend on their number.",
        "Before: after the encoder was loaded and before the first photo was read.",
    ]
    return Findings(rows, {"default": options.config(steps=STEPS).fingerprint()}, notes)


STUDY = Study(
    name="memory",
    title="Resident memory while hundreds of 12-megapixel photos are protected",
    estimate="10 to 25 minutes for 250 photos, most of it PNG compression; 1 GB of disk",
    plan=_plan,
    conclude=_conclude,
)
