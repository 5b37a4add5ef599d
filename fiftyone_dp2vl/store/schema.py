"""Changes of a dataset's own document, one process at a time."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock

__all__ = ["changing"]


@contextmanager
def changing(dataset: Any) -> Iterator[None]:
    """Holds a dataset's document while its fields or App settings are changed.

    FiftyOne saves lists of them whole, from what this process read before: of two processes that
    each add a field the later one would undo the earlier. So one waits for the other here, and
    reads anew what the other wrote. Processes of other machines are not waited for.

    Args:
        dataset: a FiftyOne dataset
    """
    with FileLock(str(Path(tempfile.gettempdir()) / f"dp2vl-{dataset._doc.id}.lock")):
        dataset.reload()
        yield
