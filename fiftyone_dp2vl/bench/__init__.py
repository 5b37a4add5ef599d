"""The engine's speed: paired against torchattacks' PGD, and against the hardware's limit."""

from __future__ import annotations
