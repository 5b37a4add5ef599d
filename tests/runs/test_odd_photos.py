"""One photo that nothing can be made of is refused by itself, and the run goes on."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, PngImagePlugin
from torch import Tensor

from fiftyone_dp2vl.config import OutputConfig, ProtectionConfig, SelectionConfig
from fiftyone_dp2vl.encoders import Encoder, Features, PreprocessSpec
from fiftyone_dp2vl.media import read_photo
from fiftyone_dp2vl.runs import PhotoItem, RunResult, estimate

Runner = Callable[..., RunResult]


def _codes(result: RunResult) -> dict[str, str | None]:
    return {record.key: record.code for record in result.records}


def _photo(folder: Path, key: str, pixels: np.ndarray, **extra: object) -> PhotoItem:
    path = folder / f"{key}.png"
    Image.fromarray(pixels).save(path, **extra)
    return PhotoItem(key, path, group="person0")


@pytest.fixture
def bright(tmp_path: Path, items: list[PhotoItem]) -> PhotoItem:
    return _photo(tmp_path / "originals", "bright", np.full((64, 64, 3), 250, np.uint8))


def blind(encoder: Encoder, only_in_the_loop: bool) -> Encoder:
    """Makes a surrogate say nothing of bright photos."""

    class Blind(type(encoder)):  # type: ignore[misc]
        def encode(self, inputs: Tensor) -> Features:
            features = super().encode(inputs)
            if only_in_the_loop and not torch.is_grad_enabled():
                return features
            lost = inputs.mean(dim=(1, 2, 3)) > 1.5
            pooled = features.pooled.masked_fill(lost[:, None], torch.nan)
            return Features(features.tokens.masked_fill(lost[:, None, None], torch.nan), pooled)

    return Blind()


def test_a_loss_that_is_no_number(
    items: list[PhotoItem], bright: PhotoItem, run: Runner, encoder: Encoder
) -> None:
    result = run([*items, bright], encoders=[blind(encoder, only_in_the_loop=True)])
    assert _codes(result) == {item.key: None for item in items} | {"bright": "diverged"}
    assert not (result.directory / "photos/bright.png").exists()
    assert all(math.isfinite(r.loss) for r in result.with_status("protected"))


def test_features_that_are_no_numbers(
    items: list[PhotoItem],
    bright: PhotoItem,
    run: Runner,
    encoder: Encoder,
    config: ProtectionConfig,
) -> None:
    models = [blind(encoder, only_in_the_loop=False)]
    result = run([*items, bright], encoders=models)
    assert _codes(result) == {item.key: None for item in items} | {"bright": "no-features"}
    # the others' targets are what they are without it
    alone = run(items, "alone", encoders=models)
    assert result.manifest.targets_sha256 == alone.manifest.targets_sha256
    repel = replace(config, strategy="repel")
    nothing = run([bright], "nothing", config=repel, encoders=models)
    assert _codes(nothing) == {"bright": "no-features"}


def test_a_photo_that_is_too_long_for_a_surrogate(
    tmp_path: Path, items: list[PhotoItem], run: Runner, encoder: Encoder, config: ProtectionConfig
) -> None:
    class Native(type(encoder)):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.spec = PreprocessSpec(
                size=None,
                mode="native",
                multiple=8,
                max_pixels=4096,
                mean=(0.5,) * 3,
                std=(0.25,) * 3,
            )

        def preprocess(self, images: object, windows: Tensor | None = None) -> object:
            from fiftyone_dp2vl.encoders.preprocess import normalize, resize_each

            shown = resize_each(images, self.spec, windows)
            same = [torch.nn.functional.interpolate(i[None], (32, 32)) for i in shown]
            return normalize(torch.cat(same), self.spec)

    long = _photo(tmp_path / "originals", "a-long", np.full((16, 3300, 3), 90, np.uint8))
    settings = (config, SelectionConfig(), OutputConfig())
    told = estimate([long, *items], tmp_path / "run", *settings, encoders=[Native()])
    assert told.photos == 11
    result = run([long, *items], encoders=[Native()])
    assert _codes(result) == {item.key: None for item in items} | {"a-long": "too-long"}
    (failed,) = result.with_status("failed")
    assert failed.error.startswith("a-long.png is 3300 x 16 pixels")


def test_what_jpeg_cannot_hold(tmp_path: Path, items: list[PhotoItem], run: Runner) -> None:
    xmp = PngImagePlugin.PngInfo()
    xmp.add_itxt("XML:com.adobe.xmp", "<x:xmpmeta>" + "<a>hello</a>" * 6000 + "</x:xmpmeta>")
    folder = tmp_path / "originals"
    odd = [
        _photo(folder, "wordy", np.full((64, 64, 3), 90, np.uint8), pnginfo=xmp),
        _photo(folder, "wide", np.full((16, 65501, 3), 90, np.uint8)),
    ]
    opaque = [item for item in items if read_photo(item.path).alpha is None]
    result = run([*opaque, *odd], output=OutputConfig(format="jpeg", metadata="keep"))
    want = {item.key: None for item in opaque} | {"wordy": None, "wide": "too-large-for-jpeg"}
    assert _codes(result) == want
    notes = {record.key: record.notes for record in result.records if record.notes}
    assert notes == {"wordy": ("the XMP packet is too long for JPEG and was left behind",)}


def test_opaque_alpha_in_webp(tmp_path: Path, items: list[PhotoItem], run: Runner) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (64, 64, 4), dtype=np.uint8)
    pixels[..., 3] = 255
    odd = [
        _photo(tmp_path / "originals", "rgba", pixels),
        _photo(tmp_path / "originals", "la", np.ascontiguousarray(pixels[..., 2:])),
    ]
    result = run([*items, *odd], output=OutputConfig(format="webp"))
    assert set(_codes(result).values()) == {None}


def test_names_that_are_not_utf_8(items: list[PhotoItem], run: Runner) -> None:
    odd = replace(items[0], key="caf\udce9")
    result = run([*items[1:], odd], config=ProtectionConfig(encoders=("toy",), steps=1))
    (record,) = [record for record in result.records if record.key == odd.key]
    assert record.status == "protected"
    assert record.path.name.isascii()
    assert run([*items[1:], odd], config=result.manifest.protection).records == result.records
