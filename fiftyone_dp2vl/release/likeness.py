"""Which photo a picture was made from, whatever was done to its file.

A perceptual hash finds candidates in any of the eight ways to turn and mirror a picture; their
pixels then decide. The hash is the classic one: signs of the lowest frequencies of a cosine
transform against their median (Zauner, 2010), on a gray picture of 32 x 32.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

__all__ = [
    "HASH_BITS",
    "correlation",
    "hash_distance",
    "perceptual_hash",
    "resized",
    "turn",
    "turned",
]

Pixels = NDArray[np.uint8]

HASH_BITS = 63
_SIDE, _LOW = 32, 8
_COMPARED_SIDE = 64
_TURNS = 8

_FREQUENCIES = np.arange(_LOW)[:, None]
_BASIS = np.cos(np.pi * (2 * np.arange(_SIDE)[None] + 1) * _FREQUENCIES / (2 * _SIDE))


def perceptual_hash(pixels: Pixels) -> int:
    """Returns a hash of 63 bits of which re-encoding and resizing change few.

    Args:
        pixels: uint8 (H, W, 3) or (H, W)
    """
    gray = _gray(pixels, _SIDE)
    low = (_BASIS @ gray @ _BASIS.T).ravel()[1:]  # the first is the mean
    bits = low > np.median(low)
    return int.from_bytes(np.packbits(bits).tobytes(), "big")


def hash_distance(mine: int, others: Sequence[int]) -> NDArray[np.int64]:
    """Returns int64 (N,): how many of the bits differ from each of the others."""
    return np.array([(mine ^ other).bit_count() for other in others], dtype=np.int64)


def turned(pixels: Pixels) -> Iterator[tuple[int, Pixels]]:
    """Yields the eight ways to turn and mirror a picture, each with its number; 0 is as it is."""
    for number in range(_TURNS):
        yield number, turn(pixels, number)


def turn(pixels: Pixels, number: int) -> Pixels:
    """Returns a picture turned in one of the eight ways of :func:`turned`."""
    mirrored = pixels[:, ::-1] if number >= 4 else pixels
    return np.ascontiguousarray(np.rot90(mirrored, number % 4))


def resized(pixels: Pixels, height: int, width: int) -> Pixels:
    """Returns a picture of another size, RGB, by the filter that most tools shrink with."""
    image = Image.fromarray(pixels).convert("RGB")
    if image.size != (width, height):
        image = image.resize((width, height), Image.Resampling.LANCZOS)
    return np.asarray(image)


def correlation(one: Pixels, other: Pixels) -> float:
    """Returns how alike two pictures of any sizes are, in [-1, 1], on 64 x 64 gray pixels."""
    a, b = (_gray(picture, _COMPARED_SIDE) for picture in (one, other))
    a, b = a - a.mean(), b - b.mean()
    scale = float(np.sqrt((a * a).sum() * (b * b).sum()))
    # a picture of one colour is like any other of that kind
    return float((a * b).sum() / scale) if scale > 0 else float(a.std() == b.std())


def _gray(pixels: Pixels, side: int) -> NDArray[np.float64]:
    image = Image.fromarray(pixels).convert("L")
    return np.asarray(image.resize((side, side), Image.Resampling.BOX), dtype=np.float64)
