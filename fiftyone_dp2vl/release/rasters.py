"""Pictures in arrays: of any layout and range of values, alone or many of them."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["pictures_in"]

Pixels = NDArray[np.uint8]

_SMALLEST_SIDE = 32
_CHANNELS = (1, 3, 4)


def pictures_in(
    array: NDArray[Any], sizes: Collection[tuple[int, int]] = ()
) -> Iterator[tuple[Pixels, ...]]:
    """Yields what may be a picture in an array, each in the orders of channels that it may have.

    Args:
        array: numbers: (H, W), (H, W, C), (C, H, W), with more axes before them, or rows of these
            laid flat; from 0 to 255, 0 to 1, -1 to 1, or of any other range
        sizes: (height, width) that flat rows may have; squares are tried as well

    Yields:
        uint8 (H, W) or (H, W, 3); a channel of transparency as a picture of its own
    """
    if not np.issubdtype(array.dtype, np.number) or np.issubdtype(array.dtype, np.complexfloating):
        return
    for stack in _stacks(array, sizes):
        for picture in stack:
            if picture.ndim == 2:
                shown = _levels(picture)
                if shown is not None:
                    yield (shown,)
                continue
            colours = _levels(picture[..., :3])
            if colours is not None:
                yield (colours, np.ascontiguousarray(colours[..., ::-1]))
            if picture.shape[2] == 4 and (rest := _levels(picture[..., 3])) is not None:
                yield (rest,)


def _stacks(array: NDArray[Any], sizes: Collection[tuple[int, int]]) -> Iterator[NDArray[Any]]:
    """Yields views of an array as (N, H, W) or (N, H, W, C)."""
    shape = array.shape
    if array.ndim >= 2 and min(shape[-2:]) >= _SMALLEST_SIDE:
        if array.ndim >= 3 and shape[-3] in (3, 4):
            yield np.moveaxis(array.reshape(-1, *shape[-3:]), 1, -1)
        else:
            yield array.reshape(-1, *shape[-2:])
    elif array.ndim >= 3 and shape[-1] in _CHANNELS and min(shape[-3:-1]) >= _SMALLEST_SIDE:
        whole = array.reshape(-1, *shape[-3:])
        yield whole[..., 0] if shape[-1] == 1 else whole
    if array.ndim not in (1, 2) or shape[-1] < _SMALLEST_SIDE**2:
        return
    flat, length = array.reshape(-1, shape[-1]), shape[-1]
    for channels in _CHANNELS:
        side = round((length / channels) ** 0.5)
        for height, width in sorted({*sizes, (side, side)}):
            if height * width * channels != length or min(height, width) < _SMALLEST_SIDE:
                continue
            if channels == 1:
                yield flat.reshape(-1, height, width)
            else:
                yield flat.reshape(-1, height, width, channels)
                yield np.moveaxis(flat.reshape(-1, channels, height, width), 1, -1)


def _levels(values: NDArray[Any]) -> Pixels | None:
    """Returns numbers as grey levels, or None where there is nothing to see."""
    if values.dtype == np.uint8:
        levels = np.ascontiguousarray(values)
        return levels if levels.max() - levels.min() > 1 else None
    found = np.nan_to_num(values.astype(np.float64), nan=0.0, posinf=0.0, neginf=0.0)
    low, high = float(found.min()), float(found.max())
    whole = np.issubdtype(values.dtype, np.integer)
    if not high > low or (whole and high - low <= 1):
        return None
    if low >= 0 and high <= 1:
        found = found * 255
    elif low >= -1 and high <= 1:
        found = (found + 1) * 127.5
    elif low < 0 or high > 255:
        found = (found / 2 - low / 2) / (high / 2 - low / 2) * 255  # halves: no overflow
    return np.ascontiguousarray(found.round().clip(0, 255).astype(np.uint8))
