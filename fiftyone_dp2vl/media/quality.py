"""How far a written photo is from its original: L-infinity, PSNR, SSIM."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Quality", "compare"]

_ROWS = 64
"""Rows that are worked on at a time: bounds memory, and keeps the work inside the cache."""

_RADIUS = 5
_TAPS = np.exp(-(np.arange(-_RADIUS, _RADIUS + 1) ** 2) / (2 * 1.5**2))
_TAPS = (_TAPS / _TAPS.sum()).astype(np.float32)
_C1, _C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2

Strip = NDArray[np.float32]


@dataclass(frozen=True)
class Quality:
    """How far a photo is from its original.

    Args:
        linf: largest difference of any channel of any pixel, in grey levels (1/255)
        psnr: peak signal-to-noise ratio over all channels in dB, infinite for equal photos
        ssim: mean structural similarity of the luma, at most 1
    """

    linf: int
    psnr: float
    ssim: float


def compare(original: NDArray[np.uint8], written: NDArray[np.uint8]) -> Quality:
    """Returns how far one photo is from another of the same shape.

    SSIM is that of Wang, Bovik, Sheikh and Simoncelli (2004): an 11 x 11 Gaussian window of
    standard deviation 1.5, K1 = 0.01, K2 = 0.03, on the BT.601 luma, averaged over the windows
    that lie within the photo.

    Args:
        original: uint8 (H, W, 3) or (H, W), each side at least 11
        written: uint8, the same shape

    Raises:
        ValueError: if the shapes differ or a side is shorter than the window
    """
    if original.shape != written.shape:
        raise ValueError(f"shapes differ: {original.shape} and {written.shape}")
    if min(original.shape[:2]) < 2 * _RADIUS + 1:
        raise ValueError(f"{original.shape[:2]} is smaller than the window of 11 x 11")
    linf = squares = 0
    for top in range(0, original.shape[0], _ROWS):
        rows = slice(top, top + _ROWS)
        difference = original[rows].astype(np.int16) - written[rows]
        linf = max(linf, int(np.abs(difference).max()))
        squares += int(np.square(difference.astype(np.int32)).sum(dtype=np.int64))
    if linf == 0:
        return Quality(linf=0, psnr=math.inf, ssim=1.0)
    psnr = 10 * math.log10(255**2 * original.size / squares)
    return Quality(linf=linf, psnr=psnr, ssim=_ssim(original, written))


def _ssim(original: NDArray[np.uint8], written: NDArray[np.uint8]) -> float:
    height, width = original.shape[:2]
    windows: int = (height - 2 * _RADIUS) * (width - 2 * _RADIUS)
    return math.fsum(_ssim_sums(original, written)) / windows


def _ssim_sums(original: NDArray[np.uint8], written: NDArray[np.uint8]) -> Iterator[float]:
    """Yields the sum of SSIM over the windows of each strip of rows.

    With s = x + y and d = x - y every term of SSIM is a moment of s or of d, so four maps are
    blurred instead of five. Means are taken about mid-grey, where float32 loses least.
    """
    for top in range(0, original.shape[0] - 2 * _RADIUS, _ROWS):
        rows = slice(top, top + _ROWS + 2 * _RADIUS)
        x, y = _luma(original[rows]), _luma(written[rows])
        s, d = x + y, x - y
        mean_s, mean_d = _blur(s), _blur(d)
        var_s = np.maximum(_blur(s * s) - mean_s * mean_s, 0)
        var_d = np.maximum(_blur(d * d) - mean_d * mean_d, 0)
        mean_s += 2 * 127.5
        s2, d2 = mean_s * mean_s, mean_d * mean_d
        luminance = ((s2 - d2) / 2 + _C1) / ((s2 + d2) / 2 + _C1)
        structure = ((var_s - var_d) / 2 + _C2) / ((var_s + var_d) / 2 + _C2)
        yield float((luminance * structure).sum(dtype=np.float64))


def _luma(pixels: NDArray[np.uint8]) -> Strip:
    """Returns float32 (h, w), the luma less 127.5."""
    levels = pixels.astype(np.float32)
    if levels.ndim == 3:
        levels = levels @ np.array([0.299, 0.587, 0.114], dtype=np.float32)
    return np.asarray(levels - np.float32(127.5), dtype=np.float32)


def _blur(image: Strip) -> Strip:
    """Returns the Gaussian mean about each pixel that has a whole window."""
    height, width = image.shape
    down: Strip = _TAPS[_RADIUS] * image[_RADIUS : height - _RADIUS]
    for i in range(_RADIUS):
        down += _TAPS[i] * (
            image[i : height - 2 * _RADIUS + i] + image[2 * _RADIUS - i : height - i]
        )
    across: Strip = _TAPS[_RADIUS] * down[:, _RADIUS : width - _RADIUS]
    for i in range(_RADIUS):
        across += _TAPS[i] * (
            down[:, i : width - 2 * _RADIUS + i] + down[:, 2 * _RADIUS - i : width - i]
        )
    return across
