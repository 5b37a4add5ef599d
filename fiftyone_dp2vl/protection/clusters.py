"""Clusters of features, where nobody says who is on a photo."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

__all__ = ["k_means"]


def k_means(
    points: Tensor, count: int, rng: np.random.Generator, rounds: int = 25
) -> tuple[Tensor, npt.NDArray[np.int64]]:
    """Returns Lloyd's k-means with k-means++ seeding.

    Args:
        points: float32 (N, D)
        count: clusters, at most N
        rng: seeds the starting centres
        rounds: iterations

    Returns:
        float32 (count, D) centres and int64 (N,) cluster of each point
    """
    centres = points[int(rng.integers(len(points)))][None]
    while len(centres) < count:
        distance = torch.cdist(points, centres).amin(dim=1).double().square()
        share = (distance / distance.sum().clamp(min=1e-12)).cumsum(0).numpy()
        pick = min(len(points) - 1, int(np.searchsorted(share, rng.random())))
        centres = torch.cat((centres, points[pick][None]))
    nearest = torch.zeros(len(points), dtype=torch.long)
    for _ in range(rounds):
        nearest = torch.cdist(points, centres).argmin(dim=1)
        for index in range(count):
            members = points[nearest == index]
            if len(members):
                centres[index] = members.mean(dim=0)
    return centres, nearest.numpy().astype(np.int64)
