"""Changes of a dataset's own document, one process at a time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ..runs.lock import locked
from .home import home

__all__ = ["changing"]


@contextmanager
def changing(dataset: Any) -> Iterator[None]:
    """Holds a dataset's document while its fields or App settings are changed.

    FiftyOne saves lists of them whole, from what this process read before: of two processes that
    each add a field the later one would undo the earlier. So one waits for the other here, and
    reads anew what the other wrote. Processes of other machines or users are not waited for.

    Args:
        dataset: a FiftyOne dataset

    Raises:
        RunError: if FiftyOne's folder for datasets cannot be written to
    """
    with locked(home() / ".locks" / str(dataset._doc.id), wait=True):
        dataset.reload()
        yield
