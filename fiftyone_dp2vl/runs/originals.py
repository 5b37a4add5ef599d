"""Originals as they were when a run began, and reading them again later."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import PhotoError
from ..media import Photo, PhotoSource, read_photo
from .items import PhotoItem

__all__ = [
    "Original",
    "is_unchanged",
    "load_mask",
    "read_mask",
    "read_original",
    "read_unchanged",
    "refused",
]


@dataclass(frozen=True, kw_only=True)
class Original:
    """What a run noted of a selected photo before anything was computed.

    Args:
        key: the item's
        size: bytes of the file
        mtime_ns: time of the file's last change, in nanoseconds
        sha256: of the file
        width: of the upright photo in pixels
        height: of the upright photo in pixels
        gray: whether it has no colour
        mask: hash of where the photo may change, in hex; None for everywhere
        code: why it cannot be protected, or None; the facts above are then unknown
        error: the same in one sentence
    """

    key: str
    size: int = 0
    mtime_ns: int = 0
    sha256: str = ""
    width: int = 0
    height: int = 0
    gray: bool = False
    mask: str | None = None
    code: str | None = None
    error: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Returns JSON values."""
        return {name: value for name, value in vars(self).items() if value is not None}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Original:
        """Returns the original that :meth:`to_dict` described."""
        return cls(**data)


def read_original(item: PhotoItem) -> tuple[Original, Photo | None]:
    """Returns what there is to note of a photo, and the photo unless it is refused."""
    try:
        photo = read_photo(item.path)
        mask = load_mask(item, photo.height, photo.width)
    except PhotoError as error:
        return refused(item, error), None
    source = _source(photo)
    original = Original(
        key=item.key,
        size=source.size,
        mtime_ns=source.mtime_ns,
        sha256=source.sha256,
        width=photo.width,
        height=photo.height,
        gray=photo.pixels.ndim == 2,
        mask=_mask_hash(mask),
    )
    return original, photo


def refused(item: PhotoItem, error: PhotoError) -> Original:
    """Returns what there is to note of a photo that cannot be protected."""
    return Original(key=item.key, code=error.code, error=str(error))


def read_unchanged(item: PhotoItem, original: Original) -> Photo:
    """Returns a photo again.

    Raises:
        PhotoError: if it cannot be read, or is another one than before
    """
    photo = read_photo(item.path)
    if _source(photo).sha256 != original.sha256:
        raise changed(item)
    return photo


def read_mask(item: PhotoItem, original: Original) -> NDArray[np.bool_] | None:
    """Returns a photo's mask again.

    Raises:
        PhotoError: if it is another one than before
    """
    mask = load_mask(item, original.height, original.width)
    if _mask_hash(mask) != original.mask:
        raise PhotoError(
            f"the mask of {os.path.basename(item.path)} was changed after the run began: put it "
            "back, or start a new run",
            code="changed",
        )
    return mask


def is_unchanged(item: PhotoItem, original: Original) -> bool:
    """Says whether an original is what it was; reads it only if its size or time differ.

    Raises:
        PhotoError: if it is gone or cannot be read
    """
    try:
        facts = os.stat(item.path)
        if (facts.st_size, facts.st_mtime_ns) == (original.size, original.mtime_ns):
            return True
    except OSError:
        pass  # reading it says what is wrong
    return _source(read_photo(item.path)).sha256 == original.sha256


def changed(item: PhotoItem) -> PhotoError:
    """Returns the error for an original that is not what it was when the run began."""
    name = os.path.basename(item.path)
    return PhotoError(
        f"{name} was changed after the run began: start a new run to protect it as it is now",
        code="changed",
    )


def load_mask(item: PhotoItem, height: int, width: int) -> NDArray[np.bool_] | None:
    """Returns where a photo may change, bool (H, W), or None for everywhere.

    Args:
        item: the photo's
        height: of the upright photo
        width: of the upright photo

    Raises:
        PhotoError: if the mask is not of the upright photo's size
    """
    mask = item.mask(height, width) if callable(item.mask) else item.mask
    if mask is None:
        return None
    mask = np.asarray(mask, dtype=bool)
    if mask.shape != (height, width):
        raise PhotoError(
            f"the mask of {os.path.basename(item.path)} is {mask.shape[-1]} x {mask.shape[0]} and "
            f"the upright photo {width} x {height}: make the mask anew",
            code="mask-size",
        )
    return mask


def _mask_hash(mask: NDArray[np.bool_] | None) -> str | None:
    return None if mask is None else hashlib.sha256(np.packbits(mask).tobytes()).hexdigest()


def _source(photo: Photo) -> PhotoSource:
    assert photo.source is not None  # read_photo always notes it
    return photo.source
