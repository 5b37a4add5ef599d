"""The audit finds nothing in a good release of many photos."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import fiftyone as fo
import numpy as np
import pytest
from PIL import Image
from scale import SOAK, tell

from fiftyone_dp2vl.store import export_release, protect_dataset

PHOTOS = 500


def samples(folder: Path) -> list[Any]:
    folder.mkdir()
    made = []
    for number in range(PHOTOS):
        rng = np.random.default_rng(number)
        coarse = Image.fromarray(rng.integers(20, 235, (6, 8, 3), dtype=np.uint8))
        path = folder / f"IMG_{number:05d}.jpg"
        coarse.resize((160, 120), Image.Resampling.BICUBIC).save(path, quality=92)
        scene = ("beach", "kitchen", "garden")[number % 3]
        made.append(fo.Sample(filepath=str(path), who=f"Person {number % 20}", scene=scene))
    return made


@pytest.mark.skipif(not SOAK, reason="minutes of one core: make soak")
def test_no_false_alarm_on_five_hundred_photos(tmp_path: Path, tiny_encoder: str) -> None:
    dataset = fo.Dataset()
    dataset.add_samples(samples(tmp_path / "originals"), progress=False)
    protect_dataset(
        dataset,
        "one",
        output_dir=str(tmp_path / "run"),
        group_field="who",
        encoders=[tiny_encoder],
        steps=12,
        transforms=[],
    )
    release = export_release(dataset, tmp_path / "out", format="fiftyone", fields=["scene"])
    dataset.delete()
    assert len(release.report.pictures) == PHOTOS
    assert release.report.findings == ()
    tell(f"a good release: {PHOTOS} photos, 0 false alarms")
