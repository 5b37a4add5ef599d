"""How far a run is, and how long it will still take at the pace it has kept."""

from __future__ import annotations

import time
from collections.abc import Callable

from ..errors import Cancelled
from .items import Progress

__all__ = ["Meter"]

_EVERY = 0.2
"""Seconds between two calls of the caller's function."""

_LABELS = {
    "read": "reading the files",
    "survey": "encoding the clean photos",
    "protect": "protecting",
}


class Meter:
    """Tells the caller how far one phase is, and asks whether to stop.

    Args:
        phase: ``"read"``, ``"survey"`` or ``"protect"``
        done: photos that earlier calls have finished; they do not count in the pace
        total: photos of the phase
        progress: the caller's, or None
        cancel: the caller's, or None
    """

    def __init__(
        self,
        phase: str,
        done: int,
        total: int,
        progress: Callable[[Progress], None] | None,
        cancel: Callable[[], bool] | None,
    ) -> None:
        self.phase, self.first, self.total = phase, done, total
        self._progress, self._cancel = progress, cancel
        self._start = time.monotonic()
        self._last = -_EVERY

    def at(self, done: int, work: float | None = None) -> None:
        """Says how far the phase is.

        Args:
            done: finished photos
            work: photos' worth of finished work, with fractions; by default ``done``

        Raises:
            Cancelled: if the caller wants to stop
        """
        if self._cancel is not None and self._cancel():
            raise Cancelled(
                "cancelled: what is finished is kept; the same command goes on from there"
            )
        self.tell(done, work)

    def tell(self, done: int, work: float | None = None) -> None:
        """Says how far the phase is, without asking whether to stop."""
        now = time.monotonic()
        if self._progress is None or (now - self._last < _EVERY and done < self.total):
            return
        self._last = now
        work = max(float(done), work or 0.0)
        fresh, elapsed = work - self.first, now - self._start
        eta = (self.total - work) * elapsed / fresh if fresh > 0 else None
        label = f"{_LABELS[self.phase]}: {done} of {self.total} photos"
        self._progress(Progress(done, self.total, self.phase, label, eta))
