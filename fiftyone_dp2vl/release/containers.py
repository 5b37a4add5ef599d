"""Image files piece by piece: what is pixels, and what is anything else.

PNG, JPEG and WebP files are lists of labelled pieces. Pixels need a few of them; a thumbnail, a
place, a serial number or a comment sits in one of the others, or behind the last. So a release is
checked by what is allowed, never by a list of what is bad, and is stripped without decoding.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from ..errors import PhotoError

__all__ = ["Piece", "container_of", "pieces", "strip"]

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_PNG_PIXELS = frozenset({b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"})
_PNG_RENDERING = frozenset({b"sRGB", b"gAMA", b"cHRM", b"sBIT", b"pHYs", b"bKGD"})
_PNG_RENDERING_BYTES = 32
_WEBP_PIXELS = frozenset({b"VP8 ", b"VP8L", b"ALPH", b"VP8X"})
_VP8X_ALPHA = 0x10
_JPEG_ALONE = frozenset({0x01, *range(0xD0, 0xD8)})
_SOI, _EOI, _SOS, _APP0, _APP14 = 0xD8, 0xD9, 0xDA, 0xE0, 0xEE
_JPEG_PIXELS = frozenset(
    {0xDB, 0xC4, 0xCC, 0xDD, *range(0xC0, 0xC4), *range(0xC5, 0xC8), *range(0xC9, 0xCC)}
    | {0xCD, 0xCE, 0xCF, _SOI, _EOI, _SOS}
)


@dataclass(frozen=True)
class Piece:
    """A part of a file.

    Args:
        name: the format's own name of it, such as ``"eXIf"`` or ``"APP1"``
        data: what it holds, without its label
        raw: its bytes in the file
        pixels: whether the picture cannot be shown without it
    """

    name: str
    data: bytes
    raw: bytes
    pixels: bool


def container_of(data: bytes) -> str | None:
    """Returns ``"png"``, ``"jpeg"`` or ``"webp"`` by a file's first bytes, or None."""
    if data.startswith(PNG_SIGNATURE):
        return "png"
    if data.startswith(b"\xff\xd8\xff"):
        return "jpeg"
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "webp"
    return None


def pieces(data: bytes) -> Iterator[Piece]:
    """Yields the pieces of a PNG, JPEG or WebP file; what follows its end is ``"trailing data"``.

    Raises:
        PhotoError: if the file is of another format or its pieces do not add up
    """
    walk = {"png": _png, "jpeg": _jpeg, "webp": _webp}.get(container_of(data) or "")
    if walk is None:
        raise PhotoError("not a PNG, JPEG or WebP file: write it as one of these", "unsupported")
    try:
        yield from walk(data)
    except (struct.error, IndexError) as error:
        raise PhotoError("the file is cut short: write it again", "truncated") from error


def strip(data: bytes) -> bytes:
    """Returns a PNG, JPEG or WebP file with nothing but its pixels, which stay what they are.

    Raises:
        PhotoError: as :func:`pieces`
    """
    kind = container_of(data)
    kept = [piece for piece in pieces(data) if piece.pixels]
    if kind == "png":
        return PNG_SIGNATURE + b"".join(piece.raw for piece in kept)
    if kind == "jpeg":
        return b"".join(piece.raw for piece in kept)
    body = b"WEBP" + b"".join(_without_flags(piece) for piece in kept)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def _png(data: bytes) -> Iterator[Piece]:
    at = len(PNG_SIGNATURE)
    while at < len(data):
        size, name = struct.unpack_from(">I4s", data, at)
        end = at + 12 + size
        if end > len(data):
            raise IndexError
        small = name in _PNG_RENDERING and size <= _PNG_RENDERING_BYTES
        yield Piece(
            name.decode("latin-1"),
            data[at + 8 : at + 8 + size],
            data[at:end],
            name in _PNG_PIXELS or small,
        )
        at = end
        if name == b"IEND":
            break
    yield from _trailing(data, at)


def _jpeg(data: bytes) -> Iterator[Piece]:
    at = 0
    while True:
        start = at
        if data[at] != 0xFF:
            raise IndexError
        while data[at] == 0xFF:
            at += 1
        marker = data[at]
        at += 1
        if marker in (_SOI, _EOI) or marker in _JPEG_ALONE:
            yield Piece(_jpeg_name(marker), b"", data[start:at], marker in (_SOI, _EOI))
            if marker == _EOI:
                break
            continue
        (size,) = struct.unpack_from(">H", data, at)
        end = at + size
        if size < 2 or end > len(data):
            raise IndexError
        held = data[at + 2 : end]
        if marker == _SOS:
            end = _end_of_scan(data, end)
        plain = marker in _JPEG_PIXELS or _is_plain_header(marker, held)
        yield Piece(_jpeg_name(marker), held, data[start:end], plain)
        at = end
    yield from _trailing(data, at)


def _is_plain_header(marker: int, held: bytes) -> bool:
    """Says whether a JFIF header has no thumbnail, or an Adobe one nothing but the transform."""
    if marker == _APP0:
        return held[:5] == b"JFIF\0" and len(held) == 14 and held[12:14] == b"\0\0"
    return marker == _APP14 and held[:5] == b"Adobe" and len(held) == 12


def _end_of_scan(data: bytes, at: int) -> int:
    while True:
        at = data.find(b"\xff", at)
        if at < 0 or at + 1 >= len(data):
            raise IndexError
        if data[at + 1] != 0 and data[at + 1] not in _JPEG_ALONE and data[at + 1] != 0xFF:
            return at
        at += 1 if data[at + 1] == 0xFF else 2


def _jpeg_name(marker: int) -> str:
    if 0xE0 <= marker <= 0xEF:
        return f"APP{marker - 0xE0}"
    return "comment" if marker == 0xFE else f"marker {marker:02X}"


def _webp(data: bytes) -> Iterator[Piece]:
    (size,) = struct.unpack_from("<I", data, 4)
    end, at = 8 + size, 12
    if end > len(data):
        raise IndexError
    while at < end:
        name, held = struct.unpack_from("<4sI", data, at)
        last = min(at + 8 + held + held % 2, len(data))
        if at + 8 + held > end:
            raise IndexError
        yield Piece(
            name.decode("latin-1").strip(),
            data[at + 8 : at + 8 + held],
            data[at:last],
            name in _WEBP_PIXELS,
        )
        at = last
    yield from _trailing(data, end)


def _without_flags(piece: Piece) -> bytes:
    """Returns a WebP piece; the extended header no longer promises EXIF, XMP and a profile."""
    if piece.name != "VP8X":
        return piece.raw
    return piece.raw[:8] + bytes([piece.data[0] & _VP8X_ALPHA]) + piece.raw[9:]


def _trailing(data: bytes, at: int) -> Iterator[Piece]:
    if at < len(data):
        yield Piece("trailing data", data[at:], data[at:], False)
