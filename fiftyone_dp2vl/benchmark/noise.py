"""Textures that stay the same picture at every size.

Coarse structure is drawn on fixed grids, so a photo rendered small shows what the large one
shows; finer octaves are left out once they fall below a pixel.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

FloatArray = npt.NDArray[np.float32]
Rng = np.random.Generator


def resize_plane(plane: npt.NDArray[Any], height: int, width: int) -> FloatArray:
    """Resizes a 2-D array smoothly (bicubic).

    Args:
        plane: (h, w) of any real type.
        height: wanted height in pixels.
        width: wanted width in pixels.

    Returns:
        (height, width) float32.
    """
    picture = Image.fromarray(np.ascontiguousarray(plane, dtype=np.float32))
    return np.asarray(picture.resize((width, height), Image.Resampling.BICUBIC), dtype=np.float32)


def fractal(
    rng: Rng,
    height: int,
    width: int,
    *,
    cells: float = 4.0,
    roughness: float = 0.55,
    stretch: float = 1.0,
    octaves: int = 7,
) -> FloatArray:
    """Draws 1/f-like noise.

    Args:
        rng: draws the grids; how much it draws does not depend on the size.
        height: height in pixels.
        width: width in pixels.
        cells: grid cells along the shorter edge in the coarsest octave.
        roughness: amplitude of an octave relative to the one before it.
        stretch: above 1, features are that many times wider than tall.
        octaves: at most this many; octaves finer than a pixel are skipped.

    Returns:
        (height, width) float32 with mean near 0 and standard deviation near 1.
    """
    shorter = min(height, width)
    total = np.zeros((height, width), dtype=np.float32)
    weight = 0.0
    for octave in range(octaves):
        seed = int(rng.integers(2**31))
        scale = cells * 2.0**octave / shorter
        rows = max(2, round(height * scale * stretch**0.5) + 1)
        columns = max(2, round(width * scale / stretch**0.5) + 1)
        if octave and (rows > height or columns > width):
            continue
        grid = np.random.default_rng(seed).standard_normal((rows, columns), dtype=np.float32)
        amplitude = roughness**octave
        total += amplitude * resize_plane(grid, height, width)
        weight += amplitude**2
    return total / np.float32(weight**0.5 * 0.75)


def soften(plane: FloatArray, radius: float) -> FloatArray:
    """Blurs a plane of shape (h, w) by about `radius` pixels, cheaply at any radius."""
    height, width = plane.shape
    if radius < 0.4:
        return plane
    small_height = max(2, round(height / radius))
    small_width = max(2, round(width / radius))
    picture = Image.fromarray(np.ascontiguousarray(plane))
    small = picture.resize((small_width, small_height), Image.Resampling.BOX)
    return np.asarray(small.resize((width, height), Image.Resampling.BICUBIC), dtype=np.float32)


def colour(code: str) -> FloatArray:
    """Turns ``#rrggbb`` into (3,) float32 in [0, 1]."""
    return np.array([int(code[i : i + 2], 16) / 255 for i in (1, 3, 5)], dtype=np.float32)


def mix(first: FloatArray, second: FloatArray, amount: FloatArray) -> FloatArray:
    """Blends two colours of shape (3,), or pictures, by an (h, w) plane clipped to [0, 1]."""
    share = np.clip(amount, 0, 1, dtype=np.float32)[..., None]
    return np.asarray(first + (second - first) * share, dtype=np.float32)
