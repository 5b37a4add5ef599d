"""How much the fault tests do: a little in ``make test``, the whole campaign in ``make soak``."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = [
    "DEATHS_OF_ATTACK",
    "DEATHS_OF_PROTECT",
    "DEATHS_OF_RELEASE",
    "FILES",
    "SEEDS",
    "SOAK",
    "tell",
]

SOAK = os.environ.get("DP2VL_SOAK")
"""The file that figures are written to, or None in ``make test``."""

SEEDS = (1, 2, 3) if SOAK else (1,)
DEATHS_OF_PROTECT = 20 if SOAK else 4
DEATHS_OF_RELEASE = 20 if SOAK else 5
DEATHS_OF_ATTACK = 20
"""In ``make soak`` alone; four in a row are in ``make test``."""

FILES = 5000 if SOAK else 400
"""Mutated files a format and seed."""


def tell(figure: str) -> None:
    """Writes a figure down, in a campaign."""
    if SOAK:
        with Path(SOAK).open("a") as stream:
            print(figure, file=stream)
