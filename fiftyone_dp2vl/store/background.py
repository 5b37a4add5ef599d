"""Work in the background for a form that asks for it at every change."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from typing import TypeVar

__all__ = ["only_job"]

_Key = TypeVar("_Key", bound=Hashable)
_Found = TypeVar("_Found")

_lock = threading.Lock()


def only_job(
    jobs: dict[_Key, Future[_Found]], key: _Key, begin: Callable[[], Future[_Found]]
) -> Future[_Found] | None:
    """Returns the job of a key, begun unless it is there, or None while another one is at work.

    Args:
        jobs: the form's; those of other keys that are over are forgotten
        key: tells what is asked
        begin: hands the job to a thread
    """
    with _lock:
        for other, future in list(jobs.items()):
            if other != key and future.done():
                del jobs[other]
        if key not in jobs:
            if jobs:
                return None
            jobs[key] = begin()
        return jobs[key]
