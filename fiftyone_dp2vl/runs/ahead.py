"""Doing things in threads, in order, without holding many large photos at once."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

from ..machine import cores

__all__ = ["PixelBudget", "ahead", "default_workers"]

_In = TypeVar("_In")
_Out = TypeVar("_Out")


def default_workers() -> int:
    """Returns how many threads read photos, and how many write them, where nobody says.

    One for each core, though the engine wants them, too: with photos of 12 megapixels files are
    most of the work, and with small ones these threads mostly wait.
    """
    return min(8, cores())


def ahead(
    pool: ThreadPoolExecutor, function: Callable[[_In], _Out], things: Iterable[_In], limit: int
) -> Iterator[_Out]:
    """Yields ``function`` of each thing, in order, at most ``limit`` of them begun in advance."""
    begun: deque[Future[_Out]] = deque()
    try:
        for thing in things:
            begun.append(pool.submit(function, thing))
            if len(begun) > limit:
                yield begun.popleft().result()
        while begun:
            yield begun.popleft().result()
    finally:
        for future in begun:
            future.cancel()


class PixelBudget:
    """Bounds how many pixels of full-size photos are in memory in all threads together.

    A photo larger than the whole budget is let in alone.

    Args:
        pixels: the budget
    """

    def __init__(self, pixels: int) -> None:
        self._total = self._free = pixels
        self._changed = threading.Condition()

    @contextmanager
    def hold(self, pixels: int) -> Iterator[None]:
        """Waits for room for a photo, and holds it."""
        pixels = min(pixels, self._total)
        with self._changed:
            self._changed.wait_for(lambda: self._free >= pixels)
            self._free -= pixels
        try:
            yield
        finally:
            with self._changed:
                self._free += pixels
                self._changed.notify_all()
