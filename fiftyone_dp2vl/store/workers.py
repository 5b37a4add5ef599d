"""Which process works on a record, so that one that died can be told from one that is at work."""

from __future__ import annotations

import hashlib
import importlib
import os
import platform
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout

from ..runs.lock import LOCK

if TYPE_CHECKING:
    from .records import ProtectionRun

__all__ = ["is_held", "is_left", "is_working", "this_worker"]

_CLOCK_SECONDS = 60.0  # a clock that is set moves the start of every process by as much


def this_worker() -> str:
    """Returns what names this process among all of all machines, also after its id is given anew.

    The machine's name is hashed: records travel with their dataset.
    """
    return f"{_machine()}:{os.getpid()}:{_born(os.getpid()):.0f}"


def is_working(worker: str) -> bool | None:
    """Says whether a process that :func:`this_worker` named is still there.

    Args:
        worker: what it returned then

    Returns:
        None where that cannot be told from here, because the process is another machine's or no
        name was kept
    """
    machine, _, rest = worker.partition(":")
    number, _, born = rest.partition(":")
    if machine != _machine() or not number.isdigit() or not born.isdigit():
        return None
    psutil = _psutil()
    try:
        return abs(_born(int(number)) - int(born)) < _CLOCK_SECONDS
    except psutil.NoSuchProcess:
        return False
    except psutil.Error:  # another user's, of which nothing may be known
        return None


def is_held(folder: Path) -> bool:
    """Says whether a process holds a folder's lock, or may hold it; nothing is made or changed."""
    lock = folder / LOCK
    if not lock.is_file():
        return False
    try:
        with FileLock(str(lock)).acquire(timeout=0):
            return False
    except (Timeout, OSError):
        return True


def is_left(record: ProtectionRun) -> bool:
    """Says whether it is sure that nobody is at work on a run that is not complete."""
    if is_held(Path(record.directory)):
        return False
    return record.state == "stopped" or is_working(record.worker) is False


def _machine() -> str:
    return hashlib.sha256(platform.node().encode()).hexdigest()[:12]


def _born(number: int) -> float:
    """Returns when a process began, in seconds since 1970."""
    began: float = _psutil().Process(number).create_time()
    return began


def _psutil() -> Any:
    return importlib.import_module("psutil")  # FiftyOne brings it
