"""Image files piece by piece: what is pixels, and what is anything else.

PNG, JPEG and WebP files are lists of labelled pieces. Pixels need a few of them; a thumbnail, a
place, a serial number or a comment sits in one of the others, or behind the last. So a release is
checked by what is allowed, never by a list of what is bad, and is stripped without writing its
pixels anew. A piece of pixels is no better place than others once the picture is complete: each is
followed to its last byte.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator

from ..errors import PhotoError
from .jpeg import jpeg_pieces
from .pieces import Piece
from .png import PNG_SIGNATURE, png_pieces
from .webp import webp_file, webp_pieces

__all__ = ["Piece", "container_of", "pieces", "strip"]

_WALKS: dict[str, Callable[[bytes], Iterator[Piece]]] = {
    "png": png_pieces,
    "jpeg": jpeg_pieces,
    "webp": webp_pieces,
}


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

    Compressed pixels are followed to where they end; bytes behind that, and pictures that no viewer
    shows, are pieces of their own.

    Raises:
        PhotoError: if the file is of another format, or its pieces do not make one picture
    """
    walk = _WALKS.get(container_of(data) or "")
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
    if kind == "webp":
        return webp_file([(f"{piece.name:<4}".encode("latin-1"), piece.data) for piece in kept])
    return (PNG_SIGNATURE if kind == "png" else b"") + b"".join(piece.raw for piece in kept)
