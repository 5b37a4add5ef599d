"""A person who stops long work in its middle, at the same place each time."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count

__all__ = ["stop_after"]


def stop_after(questions: int) -> Callable[[], bool]:
    """Returns a ``cancel`` that says no so many times and yes from then on."""
    asked = count()
    return lambda: next(asked) >= questions
