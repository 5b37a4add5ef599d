"""Before a run goes on: do the originals and the finished files still stand as the journal says?"""

from __future__ import annotations

from collections.abc import Mapping

from ..errors import PhotoError
from .finishing import failure
from .folder import RunFolder
from .items import PhotoItem, PhotoRecord
from .originals import Original, changed, is_unchanged, read_mask

__all__ = ["recheck"]

_AGAIN = frozenset(
    {
        *("changed", "missing", "not-a-file", "permission", "unreadable", "empty", "not-an-image"),
        *("unsupported", "truncated", "animated", "too-large", "decompression-bomb", "too-small"),
    }
)
"""Failures of reading: the photo was read when the run began, so they are over when the original is
back as it was."""


def recheck(folder: RunFolder, items: Mapping[str, PhotoItem]) -> None:
    """Brings a run's records in line with the disk.

    A photo whose original or mask was changed is a failure, and its protected file, made of other
    pixels, is removed. A photo whose original is gone keeps its protected file, with a warning. A
    protected file that is gone is made again.

    Args:
        folder: of the run; its records and warnings are changed
        items: key -> item, of the photos that are still there
    """
    for key, original in folder.originals.items():
        if original.code is not None:
            continue
        record = folder.records.get(key)
        problem = _problem(key, original, items)
        if problem is None:
            if record is not None and not _stands(record):
                del folder.records[key]
        elif problem.code != "changed" and record is not None and record.status == "protected":
            folder.warnings.append(f"{problem}; its protected file was kept")
        elif record is None or record.code != problem.code:
            if record is not None and record.path is not None:
                record.path.unlink(missing_ok=True)
            folder.add(failure(key, problem))


def _problem(key: str, original: Original, items: Mapping[str, PhotoItem]) -> PhotoError | None:
    if key not in items:
        message = f"{key} is no longer among the photos: put it back, or start a new run without it"
        return PhotoError(message, code="missing")
    try:
        if not is_unchanged(items[key], original):
            return changed(items[key])
        read_mask(items[key], original)
    except PhotoError as error:
        return error
    return None


def _stands(record: PhotoRecord) -> bool:
    if record.status != "protected":
        return record.code not in _AGAIN
    try:
        return record.path is not None and record.path.stat().st_size == record.bytes
    except OSError:
        return False
