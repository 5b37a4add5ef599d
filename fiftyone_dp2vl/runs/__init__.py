"""From a list of photos to protected files: selection, manifest, resume, verification.

No FiftyOne here: a dataset's samples and a plain folder's files arrive as the same list of items.
torch is imported when a run starts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..lazy import lazily
from .items import Cosines, PhotoItem, PhotoRecord, Progress, RunResult
from .manifest import Manifest
from .selection import select

if TYPE_CHECKING:
    from .forecast import Estimate, estimate
    from .runner import protect_photos

__all__ = [
    "Cosines",
    "Estimate",
    "Manifest",
    "PhotoItem",
    "PhotoRecord",
    "Progress",
    "RunResult",
    "estimate",
    "protect_photos",
    "select",
]

_LAZY = {"Estimate": "forecast", "estimate": "forecast", "protect_photos": "runner"}

__getattr__ = lazily(__name__, _LAZY)
