"""What a file holds, told by a hash that is taken again only where the file has changed."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path

__all__ = ["sha"]


def sha(path: Path, digits: int = 16) -> str:
    """Returns the first hex digits of the sha256 of a file's bytes.

    Args:
        path: the file
        digits: how many, up to 64

    Raises:
        OSError: if the file cannot be read
    """
    state = path.stat()
    return _sha(path, state.st_size, state.st_mtime_ns)[:digits]


@lru_cache(maxsize=1 << 16)
def _sha(path: Path, size: int, changed: int) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
