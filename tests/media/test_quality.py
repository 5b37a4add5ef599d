from __future__ import annotations

import itertools
import math
import resource
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fiftyone_dp2vl.media import compare

PHOTOS = Path("/work/shared/data/photos")
RNG = np.random.default_rng(3)


def _pair(height: int, width: int, colour: bool = True) -> tuple[np.ndarray, np.ndarray]:
    y, x = np.mgrid[0:height, 0:width]
    base = np.stack([x * 2 % 256, y * 3 % 256, (x + y) % 256], axis=-1).astype(int)
    moved = np.clip(base + RNG.integers(-8, 9, base.shape), 0, 255)
    pair = base.astype(np.uint8), moved.astype(np.uint8)
    return pair if colour else (pair[0][..., 0].copy(), pair[1][..., 0].copy())


@pytest.mark.parametrize(
    ("height", "width"), [(11, 11), (16, 16), (37, 300), (300, 37), (139, 138)]
)
@pytest.mark.parametrize("colour", [True, False])
def test_against_scikit_image(height: int, width: int, colour: bool) -> None:
    metrics = pytest.importorskip("skimage.metrics")
    original, written = _pair(height, width, colour)
    quality = compare(original, written)
    luma = [
        p.astype(np.float64) @ [0.299, 0.587, 0.114] if colour else p.astype(np.float64)
        for p in (original, written)
    ]
    ssim = metrics.structural_similarity(
        *luma, data_range=255, gaussian_weights=True, sigma=1.5, use_sample_covariance=False
    )
    assert quality.ssim == pytest.approx(ssim, abs=2e-5)
    assert quality.psnr == pytest.approx(metrics.peak_signal_noise_ratio(original, written))
    assert quality.linf == np.abs(original.astype(int) - written).max()


def test_equal_photos() -> None:
    original, _ = _pair(20, 20)
    quality = compare(original, original.copy())
    assert (quality.linf, quality.psnr, quality.ssim) == (0, math.inf, 1.0)


def test_one_level_in_one_pixel_is_seen() -> None:
    original, _ = _pair(300, 20)
    for row in (0, 127, 128, 299):
        written = original.copy()
        written[row, 3, 2] ^= 1
        assert compare(original, written).linf == 1


def test_range_ends_do_not_wrap() -> None:
    black = np.zeros((16, 16, 3), np.uint8)
    white = np.full_like(black, 255)
    assert compare(black, white).linf == compare(white, black).linf == 255
    assert compare(black, white).psnr == pytest.approx(0)


def test_refusals() -> None:
    original, written = _pair(20, 20)
    with pytest.raises(ValueError, match="shapes differ"):
        compare(original, written[:, :19])
    with pytest.raises(ValueError, match="window"):
        compare(original[:10], written[:10])


def test_twelve_megapixels_are_quick_and_small() -> None:
    original, written = _pair(3000, 4000)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.thread_time()  # what others do on the machine does not count
    compare(original, written)
    assert time.thread_time() - start < 5
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000  # kB


@pytest.mark.skipif(not PHOTOS.is_dir(), reason=f"no photos in {PHOTOS}")
def test_real_photo_is_worse_the_more_it_is_moved() -> None:
    with Image.open(sorted(PHOTOS.glob("*.jpg"))[0]) as image:
        original = np.asarray(image.convert("RGB"))
    found = []
    for size in (2, 4, 8, 16):
        noise = RNG.choice([-size, size], original.shape)
        found.append(compare(original, np.clip(original + noise, 0, 255).astype(np.uint8)))
    assert [q.linf for q in found] == [2, 4, 8, 16]
    assert all(a.psnr > b.psnr and a.ssim > b.ssim for a, b in itertools.pairwise(found))
