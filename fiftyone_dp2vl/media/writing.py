"""Writing a protected photo: lossless unless asked otherwise, and never over another file."""

from __future__ import annotations

import hashlib
import io
import os
import zlib
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, PngImagePlugin

from ..config import OutputConfig
from .atomic import remove_leftovers, write_atomically
from .metadata import exif_for, xmp_for
from .photo import Photo
from .reading import read_photo
from .refusals import refusal

__all__ = ["SUFFIXES", "WrittenFile", "read_back", "remove_leftovers", "write_photo"]

SUFFIXES = {"png": ".png", "webp": ".webp", "jpeg": ".jpg"}
"""Format of :class:`fiftyone_dp2vl.config.OutputConfig` -> the name's ending."""

_WEBP_SIDE = 16383
_JPEG_SIDE = 65500
# bytes: each goes into one segment of at most 64 KiB, its length and XMP's name included
_JPEG_EXIF, _JPEG_XMP = 65533, 65504


@dataclass(frozen=True)
class WrittenFile:
    """A file that is on the disk.

    Args:
        path: where
        sha256: of its bytes, in hex
        bytes: its size
        notes: what the format could not hold, one phrase each
    """

    path: Path
    sha256: str
    bytes: int
    notes: tuple[str, ...] = ()


def write_photo(
    photo: Photo,
    path: str | os.PathLike[str],
    output: OutputConfig,
    *,
    replace: bool = False,
) -> WrittenFile:
    """Writes a photo so that it is there in full, on the disk, when this returns.

    Args:
        photo: what to write; its metadata is subject to ``output.metadata``
        path: ends as :data:`SUFFIXES` says; the folder is made if need be
        output: format and metadata policy
        replace: whether to write over a file of that name; for a run's own files

    Raises:
        PhotoError: if a file is there already, or the format cannot hold the photo
        OSError: if the disk refuses
    """
    path = Path(path)
    if path.suffix != SUFFIXES[output.format]:
        raise ValueError(f"{path.name} does not end as {output.format} files do")
    data, notes = _encoded(photo, path, output)
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        write_atomically(path, data, replace=replace)
    except FileExistsError as error:
        raise refusal("exists", path) from error
    sha256 = hashlib.sha256(data).hexdigest()
    return WrittenFile(path=path, sha256=sha256, bytes=len(data), notes=notes)


def read_back(path: Path, original: Photo) -> Photo:
    """Returns a written file as it now is on the disk, in the pixel layout of its original.

    WebP has no gray; a gray photo's three equal channels are given back as one. Nor does it keep
    an alpha channel that is opaque everywhere, which is given back, too.

    Raises:
        PhotoError: if the file cannot be read, or is not of the original's size and mode
    """
    written = read_photo(path)
    if original.pixels.ndim == 2 and written.pixels.ndim == 3:
        gray = np.ascontiguousarray(written.pixels[..., 1])
        if (written.pixels == gray[..., None]).all():
            written = replace(written, pixels=gray)
    if written.alpha is None and original.alpha is not None and (original.alpha == 255).all():
        written = replace(written, alpha=original.alpha)
    if written.mode != original.mode or written.pixels.shape != original.pixels.shape:
        raise refusal("changed-shape", path)
    if original.alpha is not None and not np.array_equal(original.alpha, _alpha(written)):
        raise refusal("changed-alpha", path)
    return written


def _encoded(photo: Photo, path: Path, output: OutputConfig) -> tuple[bytes, tuple[str, ...]]:
    # what a format cannot hold is said of the photo: its file is what the user knows
    named = path if photo.source is None else photo.source.name
    exif = exif_for(photo.metadata, output.metadata, photo.width, photo.height)
    xmp = xmp_for(photo.metadata, output.metadata)
    notes: list[str] = []
    if output.format == "jpeg":
        if exif is not None and len(exif.tobytes()) > _JPEG_EXIF:
            exif = None
            notes.append("the EXIF block is too long for JPEG and was left behind")
        if xmp is not None and len(xmp) > _JPEG_XMP:
            xmp = None
            notes.append("the XMP packet is too long for JPEG and was left behind")
    extra: dict[str, object] = {} if exif is None else {"exif": exif}
    image, stream = _image(photo), io.BytesIO()
    if output.format == "png":
        # Measured on protected photos, whose noise has no repeats for deflate to find: runs and
        # Huffman codes alone are a third faster than matching at level 1, and 5 % smaller.
        if xmp is not None:
            extra["pnginfo"] = PngImagePlugin.PngInfo()
            extra["pnginfo"].add_itxt("XML:com.adobe.xmp", xmp.decode("utf-8", "replace"))  # type: ignore[attr-defined]
        image.save(stream, "PNG", compress_level=1, compress_type=zlib.Z_RLE, **extra)
        return stream.getvalue(), ()
    if xmp is not None:
        extra["xmp"] = xmp
    if output.format == "webp":
        if max(photo.width, photo.height) > _WEBP_SIDE:
            raise refusal("too-large-for-webp", named, width=photo.width, height=photo.height)
        # exact: without it the colours under transparent pixels are thrown away
        image.save(stream, "WEBP", lossless=True, exact=True, quality=0, method=0, **extra)
        return stream.getvalue(), ()
    if photo.alpha is not None:
        raise refusal("alpha-in-jpeg", named)
    if max(photo.width, photo.height) > _JPEG_SIDE:
        raise refusal("too-large-for-jpeg", named, width=photo.width, height=photo.height)
    image.save(stream, "JPEG", quality=output.jpeg_quality, subsampling=0, **extra)
    return stream.getvalue(), tuple(notes)


def _alpha(photo: Photo) -> NDArray[np.uint8]:
    assert photo.alpha is not None  # its mode was compared before
    return photo.alpha


def _image(photo: Photo) -> Image.Image:
    if photo.alpha is None:
        return Image.fromarray(photo.pixels)
    return Image.fromarray(np.dstack([photo.pixels, photo.alpha]))
