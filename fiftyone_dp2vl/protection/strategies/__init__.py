"""Readings of "antithetical": where a photo's representation is pushed.

The abstract of DP²-VL (arXiv 2603.23925) pushes representations "toward an antithetical region"
and does not define it. These are our readings, named, with formula and source; which one is the
default was chosen by measurement (see docs/protection.md), not by their distance moved.

Notation: z a photo's patch token or pooled embedding as it moves, z0 the same before; c a centre;
m_i the mean of person i's photos; m the mean of all; r the mean of a reference bank.
"""

from __future__ import annotations

from . import common, erase, people  # noqa: F401  (each registers its strategies)
from .auto import Auto, settled
from .base import (
    Indices,
    Place,
    Space,
    Strategy,
    Weights,
    get_strategy,
    list_strategies,
    register_strategy,
)

__all__ = [
    "Auto",
    "Indices",
    "Place",
    "Space",
    "Strategy",
    "Weights",
    "get_strategy",
    "list_strategies",
    "register_strategy",
    "settled",
]
