"""How a photo is moved: targets, losses, transforms and the engine's loop.

Nothing here knows files, FiftyOne or progress bars. Images are float32 RGB tensors in [0, 1].
"""

from __future__ import annotations

from .engine import Protected, protect
from .grid import apply_perturbation, grid_pixels_for, grid_size, levels, mask_to_grid, to_grid
from .statistics import SPACES, Statistics, collect_statistics, reference_bank
from .strategies import (
    Auto,
    Strategy,
    get_strategy,
    list_strategies,
    register_strategy,
    settled,
)
from .targets import Targets, fit_targets
from .transforms import apply_transform, list_transforms, parse_transform, register_transform

__all__ = [
    "SPACES",
    "Auto",
    "Protected",
    "Statistics",
    "Strategy",
    "Targets",
    "apply_perturbation",
    "apply_transform",
    "collect_statistics",
    "fit_targets",
    "get_strategy",
    "grid_pixels_for",
    "grid_size",
    "levels",
    "list_strategies",
    "list_transforms",
    "mask_to_grid",
    "parse_transform",
    "protect",
    "reference_bank",
    "register_strategy",
    "register_transform",
    "settled",
    "to_grid",
]
