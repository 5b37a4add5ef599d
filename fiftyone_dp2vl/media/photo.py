"""A photo in memory: pixels as a viewer shows them, and what its file said besides."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from .metadata import Metadata

__all__ = ["Photo", "PhotoSource"]

Pixels = NDArray[np.uint8]


@dataclass(frozen=True, kw_only=True)
class PhotoSource:
    """The file that a photo was read from, as it was then.

    Args:
        size: bytes
        mtime_ns: time of its last change, in nanoseconds
        sha256: of its bytes, in hex
        format: Pillow's name of the format, such as ``"JPEG"``
        mode: Pillow's name of the pixel mode in the file, such as ``"CMYK"``
        name: of the file, without its folder
    """

    size: int
    mtime_ns: int
    sha256: str
    format: str
    mode: str
    name: str


@dataclass(frozen=True, kw_only=True, eq=False)
class Photo:
    """A still photo, upright, in sRGB.

    Args:
        pixels: uint8 (H, W, 3), or (H, W) for a photo without colour
        alpha: uint8 (H, W), or None for an opaque photo
        metadata: what the file said besides the pixels
        source: the file
        notes: what had to be assumed in reading, one phrase each
    """

    pixels: Pixels
    alpha: Pixels | None = None
    metadata: Metadata = field(default_factory=Metadata)
    source: PhotoSource | None = None
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        shape = self.pixels.shape
        if self.pixels.dtype != np.uint8 or not (len(shape) == 2 or shape[2:] == (3,)):
            raise ValueError(
                f"pixels are {self.pixels.dtype} {shape}: give uint8 (H, W, 3) or (H, W)"
            )
        if self.alpha is not None and self.alpha.shape != shape[:2]:
            raise ValueError(f"alpha is {self.alpha.shape} beside pixels {shape}")

    @property
    def width(self) -> int:
        """Pixels from left to right."""
        return int(self.pixels.shape[1])

    @property
    def height(self) -> int:
        """Pixels from top to bottom."""
        return int(self.pixels.shape[0])

    @property
    def mode(self) -> str:
        """``"L"``, ``"LA"``, ``"RGB"`` or ``"RGBA"``: also the mode of the written file."""
        return ("L" if self.pixels.ndim == 2 else "RGB") + ("" if self.alpha is None else "A")

    def with_pixels(self, pixels: Pixels) -> Photo:
        """Returns the photo with other pixels of the same shape."""
        if pixels.shape != self.pixels.shape:
            raise ValueError(f"pixels became {pixels.shape}, the photo's are {self.pixels.shape}")
        return replace(self, pixels=pixels)
