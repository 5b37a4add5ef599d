"""A decoded picture as arrays, turned as a viewer shows it, without a second copy of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

__all__ = ["upright"]

Pixels = npt.NDArray[np.uint8]

_ROWS = 256
"""Rows that are copied at once."""

_AS_STORED: dict[int, Callable[[Any], Any]] = {
    2: lambda shown: shown[:, ::-1],
    3: lambda shown: shown[::-1, ::-1],
    4: lambda shown: shown[::-1],
    5: lambda shown: shown.swapaxes(0, 1),
    6: lambda shown: np.rot90(shown, 1),
    7: lambda shown: np.rot90(shown, 2).swapaxes(0, 1),
    8: lambda shown: np.rot90(shown, -1),
}
"""EXIF orientation -> view of an upright array in which a file's rows are rows."""


def upright(image: Image.Image, orientation: int) -> tuple[Pixels, Pixels | None]:
    """Returns the colours (h, w) or (h, w, 3), and the alpha (h, w) or None, of a picture.

    Args:
        image: in mode L, LA, RGB or RGBA
        orientation: as in EXIF, 1 to 8; others count as 1
    """
    bands = image.getbands()
    size = (image.width, image.height) if orientation in (5, 6, 7, 8) else image.size[::-1]
    colours = len(bands) - ("A" in bands)
    pixels = np.empty(size if colours == 1 else (*size, colours), np.uint8)
    alpha = np.empty(size, np.uint8) if "A" in bands else None
    turn = _AS_STORED.get(orientation, lambda shown: shown)
    for top in range(0, image.height, _ROWS):
        below = min(top + _ROWS, image.height)
        part = np.asarray(image.crop((0, top, image.width, below)))
        if alpha is not None:
            turn(alpha)[top:below] = part[..., -1]
            part = part[..., 0] if colours == 1 else part[..., :colours]
        turn(pixels)[top:below] = part
    return pixels, alpha
