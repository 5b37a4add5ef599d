"""How much room protected files need, and whether the disk has it."""

from __future__ import annotations

import shutil
from pathlib import Path

from ..config import OutputConfig
from ..errors import RunError

__all__ = ["bytes_needed", "check_space", "free_bytes", "readable"]

_BYTES_A_VALUE = {"png": 0.75, "webp": 0.70, "jpeg": 0.45}
"""Bytes of a file for each 8-bit value of the photo: the most that was measured on protected real
photos (noise does not compress), JPEG at quality 95."""


def bytes_needed(pixels: int, output: OutputConfig) -> int:
    """Returns about how many bytes the protected files of photos with so many pixels take."""
    return round(pixels * 3 * _BYTES_A_VALUE[output.format])


def free_bytes(directory: Path) -> int:
    """Returns the room on the disk that holds a folder, which need not exist yet."""
    while not directory.exists() and directory != directory.parent:
        directory = directory.parent
    return shutil.disk_usage(directory).free


def check_space(directory: Path, needed: int) -> None:
    """Refuses to begin what the disk cannot hold.

    Raises:
        RunError: with what is needed and what is free
    """
    free = free_bytes(directory)
    if needed > free:
        raise RunError(
            f"the protected files need about {readable(needed)} and the disk of {directory} has "
            f"{readable(free)} free: make room or choose another folder"
        )


def readable(size: int) -> str:
    """Returns a number of bytes for people."""
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{max(1, round(size / 1e6))} MB"
