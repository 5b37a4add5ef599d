"""How far an audit or a release is, for the caller."""

from __future__ import annotations

import time
from collections.abc import Callable

from ..errors import Cancelled
from ..runs import Progress

__all__ = ["Steps"]


class Steps:
    """Tells how far one phase is, and asks whether to stop.

    Args:
        phase: its name
        total: how many things there are
        label: what is done to them
        progress: the caller's, or None
        cancel: the caller's, or None
    """

    def __init__(
        self,
        phase: str,
        total: int,
        label: str,
        progress: Callable[[Progress], None] | None,
        cancel: Callable[[], bool] | None,
    ) -> None:
        self.phase, self.total, self.label = phase, total, label
        self._progress, self._cancel = progress, cancel
        self._start = time.monotonic()

    def at(self, done: int) -> None:
        """Says how many things are done.

        Raises:
            Cancelled: if the caller wants to stop
        """
        if self._cancel is not None and self._cancel():
            raise Cancelled("cancelled: nothing was released")
        if self._progress is not None:
            elapsed = time.monotonic() - self._start
            eta = elapsed / done * (self.total - done) if done else None
            text = f"{self.label}: {done} of {self.total}"
            self._progress(Progress(done, self.total, self.phase, text, eta))
