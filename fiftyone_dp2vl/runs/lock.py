"""One process at a time in a folder."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from ..errors import RunError, reason_of

__all__ = ["LOCK", "locked"]

LOCK = ".lock"


@contextmanager
def locked(directory: Path, *, wait: bool = False) -> Iterator[None]:
    """Holds a folder, making it if need be; the system lets go when the process dies.

    Args:
        directory: the folder
        wait: whether to wait, however long, for another process that holds it

    Raises:
        RunError: if another process holds it and is not waited for, or it cannot be written to
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
        lock = FileLock(str(directory / LOCK))
        lock.acquire(timeout=-1 if wait else 0)
    except Timeout:
        raise RunError(
            f"another run is at work in {directory}: wait for it, or choose another folder"
        ) from None
    except OSError as error:
        reason = reason_of(error)
        raise RunError(
            f"the folder {directory} cannot be written to ({reason}): choose another one"
        ) from error
    try:
        yield
    finally:
        lock.release()
