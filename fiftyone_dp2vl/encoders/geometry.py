"""Which part of a photo each pixel of an encoder's input shows: sizes, crops and borders.

The rules are those of the official processors, to the last rounding: an input one pixel off is
another input.
"""

from __future__ import annotations

import math

from ..errors import ConfigError
from .base import PreprocessSpec
from .resample import Region

__all__ = ["native_size", "output_size", "regions"]


def native_size(spec: PreprocessSpec, height: float, width: float) -> tuple[int, int]:
    """Returns the size at which a native-resolution encoder sees a photo.

    Both sides become the nearest multiple of ``spec.multiple`` (half to even, as Python rounds),
    then are scaled together until their product lies within the pixel bounds. With
    ``spec.max_patches`` instead, the largest multiples that give at most so many patches.

    Args:
        spec: a specification with ``mode="native"``
        height: of the photo or window, in pixels
        width: likewise

    Raises:
        ConfigError: if one side is more than 200 times the other
    """
    step = spec.multiple or 1
    if spec.max_patches is not None:
        return _most_patches(step, spec.max_patches, height, width)
    if max(height, width) > 200 * min(height, width):
        raise ConfigError(
            f"a photo of {width:g} x {height:g} pixels is too long for a native-resolution "
            "encoder: crop it until one side is at most 200 times the other"
        )
    rows, columns = round(height / step) * step, round(width / step) * step
    most, least = spec.max_pixels, spec.min_pixels
    if most is not None and rows * columns > most:
        shrink = math.sqrt(height * width / most)
        rows = max(step, math.floor(height / shrink / step) * step)
        columns = max(step, math.floor(width / shrink / step) * step)
    elif least is not None and rows * columns < least:
        grow = math.sqrt(least / (height * width))
        rows = math.ceil(height * grow / step) * step
        columns = math.ceil(width * grow / step) * step
    return max(rows, step), max(columns, step)


def _most_patches(step: int, most: int, height: float, width: float) -> tuple[int, int]:
    """The bisection that SigLIP 2's processor defines; its tolerance is part of the rule."""

    def scaled(scale: float, side: float) -> int:
        return max(step, math.ceil(side * scale / step) * step)

    low, high = 1e-6, 100.0
    while high - low >= 1e-5:
        middle = (low + high) / 2
        if scaled(middle, height) // step * (scaled(middle, width) // step) <= most:
            low = middle
        else:
            high = middle
    return scaled(low, height), scaled(low, width)


def output_size(spec: PreprocessSpec, height: float, width: float) -> tuple[int, int]:
    """Returns (h, w) of the input that a photo or window of this size becomes."""
    if spec.mode == "native":
        return native_size(spec, height, width)
    assert spec.size is not None  # the specification's own check
    return spec.size


def _kept(resized: int, count: int, spec: PreprocessSpec) -> int:
    """Returns the first of ``resized`` pixels that a centred cut to ``count`` keeps."""
    if spec.crop_rounding == "round":
        excess = resized - count
        return round(excess / 2) if excess > 0 else -(-excess // 2)
    return (resized - count) // 2


def regions(
    spec: PreprocessSpec, top: float, left: float, height: float, width: float
) -> tuple[Region, Region]:
    """Returns what the rows and the columns of the input show of a photo.

    Args:
        spec: the preprocessing
        top: of the shown window, in the photo's pixels
        left: likewise
        height: likewise
        width: likewise
    """
    count = output_size(spec, height, width)
    start, extent = (top, left), (height, width)
    low, high = start, (top + height, left + width)
    resized, offset = count, (0, 0)
    if spec.mode == "pad":
        side = max(extent)
        start = (top - (side - height) // 2, left - (side - width) // 2)
        extent = (side, side)
    elif spec.mode in ("crop", "fit"):
        if spec.mode == "crop" and (spec.shortest or count[0] == count[1]):
            short = spec.shortest or count[0]
            long = int(short * max(extent) / min(extent))
            resized = (long, short) if width <= height else (short, long)
        else:
            ratios = (height / count[0], width / count[1])
            ratio = min(ratios) if spec.mode == "crop" else max(ratios)
            resized = (max(round(height / ratio), 1), max(round(width / ratio), 1))
        offset = (_kept(resized[0], count[0], spec), _kept(resized[1], count[1], spec))
    rows, columns = (
        Region(start[i], extent[i], resized[i], offset[i], low[i], high[i]) for i in (0, 1)
    )
    return rows, columns
