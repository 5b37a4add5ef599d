"""What children that are killed at a counted event share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

__all__ = ["before"]


def before(happens: Callable[[str], None], name: str, honest: Callable[..., Any]) -> Any:
    """Returns a function that tells of an event, then does what ``honest`` does."""

    def call(*arguments: Any, **keywords: Any) -> Any:
        happens(name)
        return honest(*arguments, **keywords)

    return call
