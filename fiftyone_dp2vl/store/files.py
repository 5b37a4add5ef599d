"""The files of a run's folder: exactly these are deleted with the run."""

from __future__ import annotations

import contextlib
from pathlib import Path

from ..media import SUFFIXES, remove_leftovers
from ..runs.lock import LOCK, locked
from ..runs.manifest import ITEMS, JOURNAL, MANIFEST, PHOTOS, TARGETS, ItemList, Manifest
from ..runs.names import checked_path, file_names
from ..runs.pending import Pending

__all__ = ["delete_run_files"]


def delete_run_files(directory: str | Path) -> int:
    """Deletes what a run wrote, and its folder when nothing else is in it.

    What the run may have written follows from its list of photos, so that a file is found too
    that was written a moment before the run was killed. Nothing else is touched.

    Args:
        directory: the run's folder; one that is gone is no error

    Returns:
        how many photos were deleted

    Raises:
        RunError: if the run is still at work, or its list of photos cannot be read
    """
    directory = Path(directory)
    if not (directory / MANIFEST).is_file():
        return 0
    deleted = 0
    with locked(directory):
        suffix = SUFFIXES[Manifest.load(directory).output.format]
        names = file_names([key for key, _ in ItemList.load(directory).selected], suffix)
        for name in names.values():
            path = checked_path(directory, f"{PHOTOS}/{name}")
            deleted += path.is_file()
            path.unlink(missing_ok=True)
        remove_leftovers(directory)
        Pending(directory).clear_all()
        # the manifest last: a call that is interrupted can be repeated
        for own in (JOURNAL, TARGETS, ITEMS, MANIFEST):
            (directory / own).unlink(missing_ok=True)
    (directory / LOCK).unlink(missing_ok=True)
    _remove_empty(directory / PHOTOS)
    _remove_empty(directory)
    return deleted


def _remove_empty(folder: Path) -> None:
    """Removes a folder and those below it, as far as they are empty."""
    for path in sorted(folder.rglob("*"), reverse=True):
        if path.is_dir() and not path.is_symlink():
            with contextlib.suppress(OSError):
                path.rmdir()
    with contextlib.suppress(OSError):
        folder.rmdir()
