"""A toy surrogate and a folder of small photos."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from fiftyone_dp2vl.config import OutputConfig, ProtectionConfig, SelectionConfig
from fiftyone_dp2vl.encoders import Encoder, Features, PreprocessSpec
from fiftyone_dp2vl.protection import reference_bank, statistics
from fiftyone_dp2vl.runs import PhotoItem, RunResult, protect_photos

CONFIG = ProtectionConfig(
    encoders=("toy",),
    strategy="swap",
    transforms=("jpeg:40-95@0.5",),
    steps=6,
    lanes=4,
    grid_pixels=4096,
    step_size=2.0,
)


class ToyEncoder(Encoder):
    """One random layer: enough for the engine to have something to move."""

    def __init__(self, seed: int = 0) -> None:
        spec = PreprocessSpec(
            size=(32, 32), mode="squash", mean=(0.5, 0.5, 0.5), std=(0.25, 0.25, 0.25)
        )
        super().__init__(spec, name="toy", family="test", license="Apache-2.0")
        generator = torch.Generator().manual_seed(seed)
        self.patches = nn.Conv2d(3, 16, 8, stride=8)
        self.head = nn.Linear(16, 8)
        for weight in self.parameters():
            weight.data = torch.randn(weight.shape, generator=generator) * 0.2
        self.freeze()

    def encode(self, inputs: Tensor) -> Features:
        tokens = torch.tanh(self.patches(inputs)).flatten(2).transpose(1, 2)
        return Features(tokens, self.head(tokens.mean(dim=1)))


def make_photos(folder: Path, count: int = 10, people: int = 3) -> list[PhotoItem]:
    """Photos of four sizes, gray and transparent ones among them, larger than the grid and not."""
    rng = np.random.default_rng(1)
    items = []
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        height, width = [(60, 80), (80, 60), (64, 64), (96, 120)][number % 4]
        y, x = np.mgrid[0:height, 0:width]
        wave = 100 + 60 * np.sin(x / 9 + number)[..., None] + 40 * np.cos(y / 7)[..., None]
        pixels = wave + rng.normal(0, 12, (height, width, 3)) + np.array([0, number, -number])
        image = Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))
        if number % 5 == 3:
            image = image.convert("L")
        if number % 5 == 4:
            image.putalpha(Image.fromarray((x * 255 // width).astype(np.uint8)))
        path = folder / f"photo{number:02d}.png"
        if not path.exists():  # a run notes the times of its originals
            image.save(path)
        items.append(PhotoItem(f"photo{number:02d}", path, group=f"person{number % people}"))
    return items


@pytest.fixture(autouse=True)
def bank(monkeypatch: pytest.MonkeyPatch) -> None:
    """Draws the reference bank, the same for every run, once."""
    monkeypatch.setattr(statistics, "reference_bank", _bank)


@functools.lru_cache
def _bank() -> list[Tensor]:
    return reference_bank()


@pytest.fixture
def config() -> ProtectionConfig:
    return CONFIG


@pytest.fixture
def encoder() -> Encoder:
    return ToyEncoder()


@pytest.fixture
def items(tmp_path: Path) -> list[PhotoItem]:
    return make_photos(tmp_path / "originals")


Runner = Callable[..., RunResult]


@pytest.fixture
def run(tmp_path: Path) -> Runner:
    """Runs with the toy surrogate into ``tmp_path / name``."""

    def go(items: list[PhotoItem], name: str = "run", **changes: object) -> RunResult:
        arguments = {
            "config": CONFIG,
            "selection": SelectionConfig(),
            "output": OutputConfig(),
            "encoders": [ToyEncoder()],
            "workers": 2,
            **changes,
        }
        config = arguments.pop("config")
        selection, output = arguments.pop("selection"), arguments.pop("output")
        return protect_photos(items, tmp_path / name, config, selection, output, **arguments)

    return go


@pytest.fixture
def tree() -> Callable[[Path], dict[str, bytes]]:
    """Every file of a run's folder, its lock aside."""

    def read(directory: Path) -> dict[str, bytes]:
        return {
            path.relative_to(directory).as_posix(): path.read_bytes()
            for path in sorted(directory.rglob("*"))
            if path.is_file() and path.name != ".lock"
        }

    return read
