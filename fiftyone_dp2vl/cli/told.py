"""What long commands share: a line of progress, and a polite stop on Ctrl-C."""

from __future__ import annotations

from .protect import _interrupts as interrupts, _line as line

__all__ = ["interrupts", "line"]
