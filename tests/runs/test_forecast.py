"""What is told before a run is near what the run then takes, for small photos and large ones."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fiftyone_dp2vl.config import OutputConfig, ProtectionConfig, SelectionConfig
from fiftyone_dp2vl.encoders import Encoder, load_encoder
from fiftyone_dp2vl.runs import PhotoItem, estimate, protect_photos
from fiftyone_dp2vl.runs.pace import Pace

TRIES = 3
"""Another program may take the processor during one of two measurements."""


def make_jpegs(folder: Path, count: int, height: int, width: int) -> list[PhotoItem]:
    rng = np.random.default_rng(0)
    folder.mkdir()
    items = []
    for number in range(count):
        shapes = Image.fromarray(rng.integers(0, 256, (12, 16, 3), dtype=np.uint8))
        pixels = np.asarray(shapes.resize((width, height))) + rng.normal(0, 3, (height, width, 3))
        path = folder / f"{number}.jpg"
        Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(path, quality=92)
        items.append(PhotoItem(path.name, path, group=f"person {number % 2}"))
    return items


@pytest.mark.parametrize(
    ("count", "height", "width", "steps"),
    [(2, 3000, 4000, 3), (8, 480, 640, 10)],
    ids=["12 megapixels", "small"],
)
def test_the_forecast_is_near_the_run(
    tmp_path: Path, count: int, height: int, width: int, steps: int
) -> None:
    encoder = load_encoder("embedded")
    items = make_jpegs(tmp_path / "photos", count, height, width)
    settings = (ProtectionConfig(steps=steps), SelectionConfig(), OutputConfig())
    found = []
    for turn in range(TRIES):
        directory = tmp_path / f"run{turn}"
        told = estimate(items, directory, *settings, encoders=[encoder])
        run = protect_photos(items, directory, *settings, encoders=[encoder])
        found.append(told.seconds / run.wall_seconds)
        if 0.5 < found[-1] < 2:
            return
    pytest.fail(f"forecast over run: {found}")


def test_files_are_counted_by_the_pixel_and_steps_by_the_photo() -> None:
    pace = Pace(step=0.01, reading=1e-8, finishing=2e-7, cores=2)
    config = ProtectionConfig(steps=60)
    small, large = (pace.seconds(100, pixels, config) for pixels in (4e5, 12e6))
    assert small == pytest.approx(100 * 62 * 0.01, rel=0.25)
    # a file of 12 megapixels takes longer than its 60 steps
    assert large > 100 * 12e6 * pace.finishing / 8
    assert large > 2 * small
    twice = pace.seconds(100, 4e5, ProtectionConfig(steps=120))
    assert twice == pytest.approx(2 * small, rel=0.25)


def test_files_are_free_beside_a_device_of_its_own() -> None:
    shared = Pace(step=0.01, reading=1e-8, finishing=2e-7, cores=2)
    own = Pace(step=0.01, reading=1e-8, finishing=2e-7, cores=0)
    config = ProtectionConfig(steps=60)
    assert own.seconds(100, 4e5, config) < shared.seconds(100, 4e5, config)


@pytest.mark.parametrize("lanes", [1, 2])
def test_one_photo_at_a_time_and_a_strategy_that_needs_people(
    tmp_path: Path, items: list[PhotoItem], config: ProtectionConfig, encoder: Encoder, lanes: int
) -> None:
    assert config.strategy == "swap"
    settings = (replace(config, lanes=lanes), SelectionConfig(), OutputConfig())
    assert estimate(items, tmp_path / "run", *settings, encoders=[encoder]).seconds > 0


def test_nothing_is_left_behind(
    tmp_path: Path, items: list[PhotoItem], monkeypatch: pytest.MonkeyPatch
) -> None:
    aside = tmp_path / "aside"
    aside.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(aside))
    settings = (ProtectionConfig(steps=2), SelectionConfig(), OutputConfig(format="webp"))
    assert estimate(items, tmp_path / "run", *settings, encoders=[load_encoder("embedded")]).seconds
    assert not list(aside.iterdir())
    assert not (tmp_path / "run").exists()
