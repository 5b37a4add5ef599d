"""Names for photos that they keep wherever they are imported: by what their files hold."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from ..attack.contents import sha

__all__ = ["content_keys"]

_DIGITS = 32


def content_keys(files: Mapping[str, Path]) -> dict[str, str]:
    """Returns a key for each photo: the first 32 hex digits of the sha256 of its file.

    Of photos whose files are equal, the second one's key ends in ``-2``, the third one's in ``-3``.
    A photo whose file cannot be read keeps its sample id: who reads the file next says what is
    wrong with it.

    Args:
        files: sample id -> the photo's file

    Returns:
        sample id -> key, in the order of ``files``
    """
    count: Counter[str] = Counter()
    keys = {}
    for sample, path in files.items():
        try:
            key = sha(path, _DIGITS)
        except OSError:
            key = sample
        count[key] += 1
        keys[sample] = key if count[key] == 1 else f"{key}-{count[key]}"
    return keys
