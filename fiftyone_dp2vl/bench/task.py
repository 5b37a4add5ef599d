"""One protection task, set up once, so that two engines can be timed on exactly the same work."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ..config import ProtectionConfig
from ..encoders import Encoder
from ..protection import (
    Targets,
    collect_statistics,
    fit_targets,
    grid_pixels_for,
    reference_bank,
    to_grid,
)

__all__ = ["SIDE", "Task", "make_photos", "make_task"]

SIDE = 640
"""Side of the benchmark's photos, in pixels: about the synthetic benchmark's size."""


@dataclass(frozen=True)
class Task:
    """Photos, targets and a surrogate.

    Attributes:
        photos: uint8 (SIDE, SIDE, 3) each
        grids: float32 (3, h, w) each, the photos on the perturbation's grid
        keys: of the photos
        encoder: the surrogate
        targets: of the photos
        config: what to do
    """

    photos: Sequence[Tensor]
    grids: Sequence[Tensor]
    keys: Sequence[str]
    encoder: Encoder
    targets: Targets
    config: ProtectionConfig


def make_photos(count: int) -> list[Tensor]:
    """Returns procedural photos, uint8 (SIDE, SIDE, 3): no files, no downloads."""
    pictures = reference_bank(count=count, side=SIDE, seed=1)
    return [(p * 255).round().to(torch.uint8).permute(1, 2, 0).contiguous() for p in pictures]


def make_task(encoder: Encoder, config: ProtectionConfig, count: int) -> Task:
    """Returns a task of ``count`` procedural photos.

    Args:
        encoder: the surrogate
        config: its ``encoders`` name ``encoder``; transforms are left out, since PGD has none
        count: photos
    """
    config = replace(config, transforms=(), crop_scale=1.0)
    photos = make_photos(count)
    pixels = grid_pixels_for(config, [encoder])
    grids = [to_grid(photo.numpy(), pixels) for photo in photos]
    keys = [f"{index:04d}" for index in range(count)]
    batches = [(keys[i : i + 8], grids[i : i + 8]) for i in range(0, count, 8)]
    statistics = collect_statistics(batches, [encoder], names=list(config.encoders))
    people = [f"person {index % max(2, count // 4)}" for index in range(count)]
    return Task(photos, grids, keys, encoder, fit_targets(statistics, config, people), config)
