"""What long commands share: a line of progress, and a polite stop on Ctrl-C."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..runs import Progress

__all__ = ["duration", "interrupts", "line"]


@contextmanager
def interrupts() -> Iterator[Callable[[], bool]]:
    """Turns the first Ctrl-C into a polite stop; the second one stops at once."""
    stop = threading.Event()

    def polite(number: int, frame: object) -> None:
        stop.set()
        signal.signal(signal.SIGINT, before)

    if threading.current_thread() is not threading.main_thread():
        yield stop.is_set
        return
    before = signal.signal(signal.SIGINT, polite)
    try:
        yield stop.is_set
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def line() -> Iterator[Callable[[Progress], None]]:
    """Keeps one line of progress: rewritten on a terminal, now and then a new one elsewhere."""
    terminal = sys.stderr.isatty()
    last = ("", -1)

    def show(progress: Progress) -> None:
        nonlocal last
        text = progress.label
        if progress.eta_seconds is not None and progress.done < progress.total:
            text += f", {duration(progress.eta_seconds)} left"
        if terminal:
            print(f"\r{text}\x1b[K", end="", file=sys.stderr, flush=True)
            return
        tenth = (progress.phase, 10 * progress.done // max(1, progress.total))
        if tenth != last:
            last = tenth
            print(text, file=sys.stderr, flush=True)

    try:
        yield show
    finally:
        if terminal:
            print(file=sys.stderr)


def duration(seconds: float) -> str:
    """Returns a time as a person says it, such as ``"40 s"`` or ``"1 h 5 min"``."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"
