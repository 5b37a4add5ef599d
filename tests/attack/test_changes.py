"""What editors, platforms and controls do to photos."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from fiftyone_dp2vl.attack.changes import (
    POSTPROCESSING,
    Pixels,
    postprocess,
    random_signs,
    random_signs_of_rmse,
)


@pytest.fixture
def photo() -> Pixels:
    rng = np.random.default_rng(0)
    coarse = rng.integers(30, 220, (6, 8, 3)).astype(np.uint8)
    image = Image.fromarray(coarse).resize((80, 60), Image.Resampling.BICUBIC)
    return np.array(image)


@pytest.mark.parametrize("name", [name for name in POSTPROCESSING if name != "none"])
def test_every_change_changes_and_repeats(name: str, photo: Pixels) -> None:
    before = photo.copy()
    change = postprocess(name)
    assert change is not None
    out = change(photo, "key")
    assert out.dtype == np.uint8
    assert out.ndim == 3
    assert out.shape[2] == 3
    assert out.shape != photo.shape or (out != photo).any()
    # what is left still shows the photo
    assert abs(float(out.mean()) - float(photo.mean())) < 12
    np.testing.assert_array_equal(out, change(photo, "key"))
    np.testing.assert_array_equal(photo, before)


def test_nothing_is_done_by_none() -> None:
    assert postprocess("none") is None


def test_sizes_after_a_crop_and_a_screenshot(photo: Pixels) -> None:
    crop, screenshot = postprocess("crop to 80 % of each side"), postprocess("screenshot at 73 %")
    assert crop is not None
    assert screenshot is not None
    assert crop(photo, "a").shape == (48, 64, 3)
    assert screenshot(photo, "a").shape == (44, 58, 3)
    places = {crop(photo, key).tobytes() for key in "abcdef"}
    assert len(places) > 1


def test_a_crop_is_a_piece_of_the_photo(photo: Pixels) -> None:
    crop = postprocess("crop to 80 % of each side")
    assert crop is not None
    piece = crop(photo, "a")
    windows = np.lib.stride_tricks.sliding_window_view(photo, piece.shape)[:, :, 0]
    assert (windows == piece).all(axis=(2, 3, 4)).any()


def test_gray_is_gray_and_webp_is_webp(photo: Pixels) -> None:
    gray, webp = postprocess("grayscale"), postprocess("WebP 75")
    assert gray is not None
    assert webp is not None
    out = gray(photo, "a")
    assert (out == out[..., :1]).all()
    file = io.BytesIO()
    Image.fromarray(photo).save(file, format="WEBP", quality=75)
    np.testing.assert_array_equal(webp(photo, "a"), np.array(Image.open(file).convert("RGB")))


def test_random_signs_take_the_whole_budget(photo: Pixels) -> None:
    moved = random_signs(8, 80 * 60, 0)(photo, "a").astype(int) - photo
    inside = (photo >= 8) & (photo <= 247)
    assert set(np.unique(np.abs(moved)[inside])) == {8}
    other = random_signs(8, 80 * 60, 0)(photo, "b").astype(int) - photo
    assert (moved != other).any()


@pytest.mark.parametrize("wanted", [2.0, 5.5])
@pytest.mark.parametrize("grid_pixels", [80 * 60, 20 * 15])
def test_random_signs_of_equal_rmse(photo: Pixels, wanted: float, grid_pixels: int) -> None:
    change = random_signs_of_rmse({"a": wanted, "b": 0.0}, grid_pixels, 0)
    reached = np.sqrt(np.mean((change(photo, "a").astype(float) - photo) ** 2))
    assert reached == pytest.approx(wanted, rel=0.1)
    np.testing.assert_array_equal(change(photo, "b"), photo)
