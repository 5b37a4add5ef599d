"""Files that are either there in full or not there, also after a power cut."""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path

__all__ = ["remove_leftovers", "sync_folder", "write_atomically"]

_PREFIX, _SUFFIX = ".dp2vl-", ".part"


def write_atomically(path: Path, data: bytes, *, replace: bool) -> None:
    """Writes a file by way of a temporary one beside it, synchronised to disk.

    Args:
        path: in a folder that exists
        data: all of the file
        replace: whether a file of that name may be there already

    Raises:
        FileExistsError: if one is there and ``replace`` is False
        OSError: if the disk refuses
    """
    temporary = path.with_name(f"{_PREFIX}{secrets.token_hex(8)}{_SUFFIX}")
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
        with open(descriptor, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        if replace:
            os.replace(temporary, path)
        else:
            _rename_without_overwriting(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    sync_folder(path.parent)


def _rename_without_overwriting(temporary: Path, path: Path) -> None:
    try:
        os.link(temporary, path)  # the one call that fails, in one step, where a file is there
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links
        if os.path.lexists(path):
            raise FileExistsError(str(path)) from None
        os.rename(temporary, path)


def sync_folder(folder: Path) -> None:
    """Synchronises a folder's list of names to disk, where the system can do that."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def remove_leftovers(folder: Path) -> None:
    """Removes the temporary files that killed writers left in a folder and below it."""
    for path in folder.rglob(f"{_PREFIX}*{_SUFFIX}"):
        path.unlink(missing_ok=True)
