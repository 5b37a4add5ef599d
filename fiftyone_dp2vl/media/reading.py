"""Reading a photo as a viewer shows it, or refusing it with a sentence of its own."""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import stat
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from PIL import Image, ImageFile, UnidentifiedImageError

from .colour import UnsupportedModeError, to_srgb
from .metadata import metadata_of
from .photo import Photo, PhotoSource
from .refusals import refusal
from .upright import upright

__all__ = ["MAX_PIXELS", "MIN_SIDE", "probe_photo", "read_photo"]

MAX_PIXELS = 120_000_000
"""Photos with more pixels are refused, so that reading one takes about 1 GiB of memory at most."""

MIN_SIDE = 16
"""Photos with a shorter side below this are refused: there is nothing to see, or to measure."""

MAX_BYTES = 1 << 30

FORMATS = (
    *("JPEG", "PNG", "WEBP", "TIFF", "BMP", "DIB", "GIF", "JPEG2000", "AVIF", "PPM", "TGA"),
    *("ICO", "PCX"),
)
"""Photos only: Pillow would run other programs for some of the formats that it knows. JPEG includes
the multi-picture files of phones."""

_ORIENTATION = 0x0112
_DNG_VERSION = 50706
_RAW_SUFFIXES = {".dng", ".cr2", ".nef", ".arw", ".orf", ".rw2", ".pef", ".srw"}
_BLOCK = 1 << 20
_READ = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
_SIGNATURES = (b"\xff\xd8\xff", b"\x89PNG", b"GIF8", b"RIFF", b"II*\0", b"MM\0*", b"BM")


def read_photo(path: str | os.PathLike[str], *, max_pixels: int = MAX_PIXELS) -> Photo:
    """Returns a photo upright, in sRGB, with 8 bits a channel.

    Gray photos stay gray. 16-bit gray is rounded to 8 bits; of 16-bit colour Pillow gives the
    high byte. Palettes and CMYK, YCbCr and LAB pixels become RGB, by the colour profile where
    there is one. Of a phone's multi-picture JPEG (MPO) the main picture is read.

    Args:
        path: the file
        max_pixels: refuse photos with more

    Raises:
        PhotoError: with a code of :data:`fiftyone_dp2vl.media.REFUSALS`
    """
    path = Path(path)
    data, mtime_ns = _bytes(path)
    with _own_rules(), _opened(path, io.BytesIO(data), max_pixels) as image:
        file_format, file_mode = str(image.format), image.mode
        try:
            image.load()
            metadata = metadata_of(image)
            shown, notes = to_srgb(image)
            orientation = _orientation(image)
        except UnsupportedModeError as error:
            what = f"an image with {error} pixels"
            raise refusal("unsupported", path, what=what) from error
        except Image.DecompressionBombError as error:
            raise refusal("decompression-bomb", path) from error
        except MemoryError:
            raise
        except Exception as error:  # decoders raise a dozen types for damaged data
            raise refusal(_reason(error), path) from error
        if shown is not image:
            image.close()  # large photos: one decoded picture at a time
        pixels, alpha = upright(shown, orientation)
    return Photo(
        pixels=pixels,
        alpha=alpha,
        metadata=metadata,
        source=PhotoSource(
            size=len(data),
            mtime_ns=mtime_ns,
            sha256=hashlib.sha256(data).hexdigest(),
            format=file_format,
            mode=file_mode,
            name=path.name,
        ),
        notes=tuple(notes),
    )


def probe_photo(path: str | os.PathLike[str], *, max_pixels: int = MAX_PIXELS) -> tuple[int, int]:
    """Returns a photo's (width, height) as shown, from its header alone.

    A damaged file may pass here and be refused by :func:`read_photo`.

    Raises:
        PhotoError: as :func:`read_photo`, as far as the header tells
    """
    path = Path(path)
    try:
        with _regular(path) as stream:
            if not stream.read(1):
                raise refusal("empty", path)
            stream.seek(0)
            with _own_rules(), _opened(path, stream, max_pixels) as image:
                turned = image.format != "TIFF" and _orientation(image) >= 5
                return (image.height, image.width) if turned else image.size
    except OSError as error:
        raise _disk_refusal(path, error) from error


def hash_photo(path: str | os.PathLike[str]) -> str:
    """Returns the sha256 of a photo's file in hex, as :func:`read_photo` notes it; decodes nothing.

    Raises:
        PhotoError: if the file cannot be read
    """
    path = Path(path)
    found = hashlib.sha256()
    try:
        with _regular(path) as stream:
            _refuse_huge(path, os.fstat(stream.fileno()).st_size)
            while block := stream.read(_BLOCK):
                found.update(block)
    except OSError as error:
        raise _disk_refusal(path, error) from error
    return found.hexdigest()


def _refuse_huge(path: Path, size: int) -> None:
    if size > MAX_BYTES:
        raise refusal("unsupported", path, what="a file of more than 1 GiB")


def _bytes(path: Path) -> tuple[bytes, int]:
    try:
        with _regular(path) as stream:
            facts = os.fstat(stream.fileno())
            _refuse_huge(path, facts.st_size)
            data = stream.read()
    except OSError as error:
        raise _disk_refusal(path, error) from error
    if not data:
        raise refusal("empty", path)
    return data, facts.st_mtime_ns


def _regular(path: Path) -> IO[bytes]:
    """Opens a file, without waiting for what may never come from a pipe or a device.

    Raises:
        PhotoError: if it is something else
    """
    descriptor = os.open(path, _READ)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise refusal("not-a-file", path)
    return os.fdopen(descriptor, "rb")


def _disk_refusal(path: Path, error: OSError) -> Exception:
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return refusal("missing", path)
    if isinstance(error, IsADirectoryError) or path.is_dir():
        return refusal("not-a-file", path)
    if isinstance(error, PermissionError):
        return refusal("permission", path)
    return refusal("unreadable", path, reason=error.strerror or type(error).__name__)


def _opened(path: Path, stream: IO[bytes], max_pixels: int) -> Image.Image:
    """Returns the image with its header read, once nothing in the header speaks against it."""
    try:
        image = Image.open(stream, formats=FORMATS)
        frames = getattr(image, "n_frames", 1)
    except UnidentifiedImageError as error:
        raise _unidentified(path, stream) from error
    except Image.DecompressionBombError as error:
        raise refusal("too-large", path, limit=max_pixels / 1e6) from error
    except MemoryError:
        raise
    except Exception as error:  # header parsers raise a dozen types for damaged data
        raise refusal(_reason(error), path) from error
    width, height = image.size
    if image.format == "TIFF" and (
        path.suffix.lower() in _RAW_SUFFIXES or _DNG_VERSION in getattr(image, "tag_v2", ())
    ):
        # what looks like a TIFF is only the preview of a raw file
        raise refusal("unsupported", path, what="a camera's raw file")
    if width * height > max_pixels:
        raise refusal("too-large", path, limit=max_pixels / 1e6)
    if min(width, height) < MIN_SIDE:
        raise refusal("too-small", path, width=width, height=height, limit=MIN_SIDE)
    if frames > 1 and image.format != "MPO":
        raise refusal("animated", path, frames=frames)
    return image


def _unidentified(path: Path, stream: IO[bytes]) -> Exception:
    """Returns the refusal of a file that none of the formats recognises."""
    stream.seek(0)
    head = stream.read(16)
    stream.seek(0)
    if head[4:8] == b"ftyp" and head[8:12] in (b"heic", b"heix", b"hevc", b"mif1", b"heim"):
        return refusal("unsupported", path, what="a HEIC photo")
    try:
        with Image.open(stream) as image:  # only the header: nothing is decoded or run
            return refusal("unsupported", path, what=f"an image in {image.format} format")
    except Exception:
        known = head.startswith(_SIGNATURES) or head[4:8] == b"ftyp"
        return refusal("truncated" if known else "not-an-image", path)


def _reason(error: Exception) -> str:
    # Pillow refuses text chunks that unpack to more than its limit with a plain ValueError
    return "decompression-bomb" if "too large" in str(error).lower() else "truncated"


def _orientation(image: Image.Image) -> int:
    """Returns the EXIF orientation, 1 where there is none or it cannot be read."""
    try:
        return int(image.getexif().get(_ORIENTATION, 1))
    except Exception:  # a damaged EXIF block must not cost the photo
        return 1


_rules_lock = threading.Lock()
_theirs: list[tuple[bool, int | None]] = []


@contextlib.contextmanager
def _own_rules() -> Iterator[None]:
    """Replaces Pillow's process-wide settings while any photo is read.

    Another library may have set ``LOAD_TRUNCATED_IMAGES``; with it, the missing half of a cut
    photo would be protected as gray. And Pillow warns of an attack from 89 megapixels on, which
    are read here without a second thought.
    """
    with _rules_lock:
        _theirs.append((ImageFile.LOAD_TRUNCATED_IMAGES, Image.MAX_IMAGE_PIXELS))
        ImageFile.LOAD_TRUNCATED_IMAGES, Image.MAX_IMAGE_PIXELS = False, MAX_PIXELS
    try:
        yield
    finally:
        with _rules_lock:
            lenient, limit = _theirs.pop()
            if not _theirs:
                ImageFile.LOAD_TRUNCATED_IMAGES, Image.MAX_IMAGE_PIXELS = lenient, limit
