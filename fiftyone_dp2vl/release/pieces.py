"""A part of an image file: pixels, or anything else."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ..errors import PhotoError

__all__ = ["Piece", "malformed", "trailing"]


@dataclass(frozen=True)
class Piece:
    """A part of a file.

    Args:
        name: the format's own name of it, such as ``"eXIf"`` or ``"APP1"``, or what it is in words
        data: what it holds, without its label
        raw: its bytes; of pixels only those that a decoder needs
        pixels: whether the picture cannot be shown without it
        hidden: whether it looks like pixels, and no viewer ever shows it
    """

    name: str
    data: bytes
    raw: bytes
    pixels: bool
    hidden: bool = False


def malformed(what: str) -> PhotoError:
    """Returns the error that refuses a file of which nobody can say what a viewer shows."""
    return PhotoError(f"{what}: write it again", "unsupported")


def trailing(data: bytes, at: int) -> Iterator[Piece]:
    """Yields what follows the end of a file, if anything does."""
    if at < len(data):
        yield Piece("trailing data", data[at:], data[at:], pixels=False)
