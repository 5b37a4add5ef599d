"""One photo before and after, as a panel shows it: pictures, their difference, and its figures."""

from __future__ import annotations

import base64
import io
import os
import threading
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ...errors import PhotoError
from ...media import read_photo
from ..analysis import names_with
from ..records import ProtectionRun
from ..separation import load_separation

__all__ = [
    "GRADE_RULE",
    "PhotoFigures",
    "Picture",
    "amplified",
    "load_pair",
    "original_file",
    "photo_figures",
    "protected_file",
    "thumbnail",
    "visible_quality",
]

LONGEST = 1024
"""Longest side of a picture that is shown, in pixels."""

GRADE_RULE = (
    "rule of thumb: high from 40 dB PSNR and 0.95 SSIM, medium from 35 dB and 0.90, else low; "
    "there is no standard, and smooth skin and sky show changes first"
)
"""The heuristic behind :func:`visible_quality`, in words."""

_KEPT = 4
_KEPT_THUMBNAILS = 512
_THUMBNAIL = 96

Pixels = NDArray[np.uint8]

_lock = threading.Lock()
_pairs: OrderedDict[tuple[Any, ...], tuple[Picture, Picture | None]] = OrderedDict()
_thumbnails: OrderedDict[tuple[str, int], str | None] = OrderedDict()


@dataclass(frozen=True)
class Picture:
    """A photo as it is shown.

    Attributes:
        pixels: uint8 (H, W, 3)
        source: the same as a data URI, lossless
        scale: shown size over true size, in (0, 1]
    """

    pixels: Pixels
    source: str
    scale: float


@dataclass(frozen=True, kw_only=True)
class PhotoFigures:
    """What a run measured of a photo on its file.

    Args:
        status: ``"protected"``, ``"clean"`` or ``"failed"``, or None where it is not in the run
        path: its protected file
        error: why it failed
        linf: largest change in 1/255
        psnr: in dB, None for equal pixels
        ssim: in [-1, 1]
        cosines: encoder -> (of the patch tokens or None, of the pooled embedding or None)
    """

    status: str | None
    path: str | None
    error: str | None
    linf: float | None
    psnr: float | None
    ssim: float | None
    cosines: dict[str, tuple[float | None, float | None]]


def visible_quality(psnr: float | None, ssim: float | None) -> str | None:
    """Returns ``"high"``, ``"medium"`` or ``"low"``, by :data:`GRADE_RULE`; None without figures.

    Args:
        psnr: in dB; None counts as equal pixels where there is an SSIM
        ssim: in [-1, 1]
    """
    if ssim is None:
        return None
    decibel = float("inf") if psnr is None else psnr
    if decibel >= 40 and ssim >= 0.95:
        return "high"
    return "medium" if decibel >= 35 and ssim >= 0.90 else "low"


def photo_figures(sample: Any, record: ProtectionRun) -> PhotoFigures:
    """Returns what a run measured of a photo.

    Args:
        sample: a FiftyOne sample
        record: the run's
    """
    names = names_with(sample._dataset, record)
    own = record.names

    def read(field: str) -> Any:
        return sample[field] if sample.has_field(field) else None

    cosines: dict[str, tuple[float | None, float | None]] = {}
    for encoder in (*record.protection.encoders, *load_separation(sample._dataset, record)):
        if encoder in record.protection.encoders:
            both = read(own.token_cosine(encoder)), read(own.pooled_cosine(encoder))
        else:
            before, after = (
                read(names.clean_embedding(encoder)),
                read(names.protected_embedding(encoder)),
            )
            both = None, _cosine(before, after)
        cosines[encoder] = both
    return PhotoFigures(
        status=read(own.status),
        path=read(own.path),
        error=read(own.error),
        linf=read(own.linf),
        psnr=read(own.psnr),
        ssim=read(own.ssim),
        cosines=cosines,
    )


def _cosine(before: Any, after: Any) -> float | None:
    if before is None or after is None:
        return None
    a, b = np.asarray(before, dtype=np.float64), np.asarray(after, dtype=np.float64)
    length = float(np.linalg.norm(a) * np.linalg.norm(b))
    return float(a @ b) / length if length else None


def original_file(sample: Any, record: ProtectionRun) -> str:
    """Returns the path of a photo's original.

    Args:
        sample: a FiftyOne sample
        record: the run's

    Raises:
        PhotoError: if the dataset does not name one any more
    """
    field = record.filepath_field
    path = sample[field] if sample.has_field(field) else None
    if not path:
        raise PhotoError(
            f"field {field!r}, which named the original for run {record.run!r}, names no file of "
            "this photo: put it back"
        )
    return str(path)


def protected_file(record: ProtectionRun, path: str | None) -> str | None:
    """Returns the path of a protected file, which a field of the dataset names.

    Args:
        record: the run's
        path: what the field says, or None

    Raises:
        PhotoError: if that is no file of the run: fields can be written by anybody
    """
    if not path:
        return None
    root, real = os.path.realpath(record.directory), os.path.realpath(path)
    if os.path.commonpath([root, real]) != root:
        raise PhotoError(
            f"{path} is not in the folder of run {record.run}, so it is not shown: the dataset's "
            f"field {record.names.path} was changed; delete the run and protect the photos anew"
        )
    return path


def load_pair(original: str, protected: str | None) -> tuple[Picture, Picture | None]:
    """Returns a photo and its protected copy, ready to be shown side by side.

    Photos larger than :data:`LONGEST` are shown smaller.

    Args:
        original: file
        protected: file, or None

    Raises:
        PhotoError: if a file cannot be read, or the two are not of one size
    """
    files = [Path(path) for path in (original, protected) if path]
    missing = next((path for path in files if not path.is_file()), None)
    if missing is not None:
        raise PhotoError(f"{missing} is missing: the run's files were moved or deleted")
    key = tuple((str(path), path.stat().st_mtime_ns) for path in files)
    with _lock:
        if key in _pairs:
            _pairs.move_to_end(key)
            return _pairs[key]
    photos = [_rgb(path) for path in files]
    if len({photo.shape for photo in photos}) > 1:
        sizes = [f"{photo.shape[1]} x {photo.shape[0]}" for photo in photos]
        raise PhotoError(
            f"{original} is {sizes[0]} pixels and its protected copy {sizes[1]}: the original was "
            "changed since, so put it back or protect it in a new run"
        )
    pictures = list(map(_picture, photos))
    pair = pictures[0], pictures[1] if len(pictures) > 1 else None
    with _lock:
        _pairs[key] = pair
        while len(_pairs) > _KEPT:
            _pairs.popitem(last=False)
    return pair


def amplified(original: Picture, protected: Picture, times: int) -> str:
    """Returns the difference of two pictures as a data URI: grey where nothing changed.

    Args:
        original: the picture before
        protected: after, of the same size
        times: factor on the difference
    """
    difference = protected.pixels.astype(np.int16) - original.pixels
    return _data_uri((128 + times * difference.astype(np.int32)).clip(0, 255).astype(np.uint8))


def thumbnail(path: str | None) -> str | None:
    """Returns a small picture of a photo as a data URI, or None where it cannot be read."""
    if not path or not Path(path).is_file():
        return None
    key = path, Path(path).stat().st_mtime_ns
    with _lock:
        if key in _thumbnails:
            _thumbnails.move_to_end(key)
            return _thumbnails[key]
    try:
        image = Image.fromarray(_rgb(Path(path)))
    except PhotoError:
        return None
    image.thumbnail((_THUMBNAIL, _THUMBNAIL))
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=80)
    made = f"data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode()}"
    with _lock:
        _thumbnails[key] = made
        while len(_thumbnails) > _KEPT_THUMBNAILS:
            _thumbnails.popitem(last=False)
    return made


def _rgb(path: Path) -> Pixels:
    pixels = read_photo(path).pixels
    return np.repeat(pixels[..., None], 3, axis=2) if pixels.ndim == 2 else pixels[..., :3]


def _picture(pixels: Pixels) -> Picture:
    height, width = pixels.shape[:2]
    scale = min(1.0, LONGEST / max(height, width))
    if scale < 1:
        size = max(1, round(width * scale)), max(1, round(height * scale))
        pixels = np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.BOX))
    return Picture(pixels, _data_uri(pixels), scale)


def _data_uri(pixels: Pixels) -> str:
    buffer = io.BytesIO()
    # fast rather than small: the App's server is on the same machine, or near
    Image.fromarray(pixels).save(buffer, "PNG", compress_level=1)
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"
