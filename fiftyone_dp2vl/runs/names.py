"""Names of protected files, and names that a journal may be trusted with."""

from __future__ import annotations

import hashlib
import os
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from ..errors import RunError

__all__ = ["PHOTO_SUFFIXES", "checked_path", "file_names"]

PHOTO_SUFFIXES = frozenset(
    {
        *(".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".tif", ".tiff", ".bmp", ".dib"),
        *(".gif", ".jp2", ".j2k", ".avif", ".ppm", ".pgm", ".pnm", ".tga", ".pcx", ".heic"),
        *(".heif", ".dng", ".cr2", ".nef", ".arw", ".orf", ".rw2", ".pef", ".srw"),
    }
)
"""Endings by which a file in a folder is taken for a photo; some of these are then refused."""

_FORBIDDEN = re.compile(r'[\x00-\x1f\x7f<>:"|?*\\]')
_RESERVED = re.compile(r"(?i)(con|prn|aux|nul|com\d|lpt\d)(\.|$)")
_LONGEST = 120


def file_names(keys: Iterable[str], suffix: str) -> dict[str, str]:
    """Returns a relative file name for each key, unique also where case does not count.

    A key that is a path keeps its folders. An ending of :data:`PHOTO_SUFFIXES` gives way to
    ``suffix``. What would not be safe on every system is replaced, and the name then carries a
    hash of its key.

    Args:
        keys: all keys of a run
        suffix: such as ``".png"``
    """
    keys = list(keys)
    stems = {key: _stem(key) for key in keys}
    folders = {
        parent.as_posix().casefold()
        for stem in stems.values()
        for parent in PurePosixPath(stem).parents
    }
    taken = Counter((stem + suffix).casefold() for stem in stems.values())
    names = {}
    for key, stem in stems.items():
        name = stem + suffix
        if taken[name.casefold()] > 1 or name.casefold() in folders:
            name = f"{stem}-{_hash(key)}{suffix}"
        names[key] = name
    return names


def _stem(key: str) -> str:
    path = PurePosixPath(key)
    if path.suffix.lower() in PHOTO_SUFFIXES:
        key = key[: -len(path.suffix)]
    return "/".join(_segment(part) for part in key.split("/"))


def _segment(text: str) -> str:
    safe = _FORBIDDEN.sub("_", unicodedata.normalize("NFC", text)).rstrip(". ")
    # also what turns the direction of text, or cannot be seen at all
    safe = "".join(c if c.isprintable() else "_" for c in safe)
    if not safe or safe.startswith((".", "-")) or _RESERVED.match(safe):
        safe = "_" + safe.lstrip(".-")
    while len(safe.encode("utf-8", "replace")) > _LONGEST:
        safe = safe[:-1]
    safe = safe.encode("utf-8", "replace").decode()
    return safe if safe == text else f"{safe}-{_hash(text)}"


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:8]


def checked_path(directory: Path, name: str) -> Path:
    """Returns a path inside a run's folder from what a journal says.

    Raises:
        RunError: if the name is absolute, climbs with ``..`` or leaves the folder by a link
    """
    pure = PurePosixPath(name)
    inside = bool(pure.parts) and not pure.is_absolute() and ".." not in pure.parts
    inside = inside and "\\" not in name and ":" not in pure.parts[0]
    if inside:
        root = os.path.realpath(directory)
        real = os.path.realpath(directory / pure)
        inside = os.path.commonpath([root, real]) == root
    if not inside:
        raise RunError(
            f"the run's journal names {name!r}, which is not a file inside the run's folder: the "
            "folder was tampered with; start a new run in another one"
        )
    return directory / pure
