"""How far, and how much in one direction, protection moved the photos in an encoder's space.

Separation is not protection: these figures describe the mechanism and are always printed beside
the identity probe, never in place of it.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import ConfigError
from .arrays import Matrix, as_labels, as_matrix, normalized

__all__ = [
    "CentroidShift",
    "NaturalRange",
    "centroid_shift",
    "directional_consistency",
    "directional_cosines",
    "natural_cosine",
    "paired_cosine",
    "token_cosine",
]


def _pairs(clean: Any, protected: Any) -> tuple[Matrix, Matrix]:
    before, after = as_matrix(clean, "clean"), as_matrix(protected, "protected")
    if before.shape != after.shape:
        raise ConfigError(
            f"clean is {before.shape} and protected {after.shape}: give twins in order"
        )
    return before, after


def directional_cosines(clean: Any, protected: Any, *, leave_one_out: bool = False) -> Matrix:
    """Returns float64 (N,): the cosine of each photo's shift with the mean shift.

    See :func:`directional_consistency`, which is their mean.
    """
    before, after = _pairs(clean, protected)
    shift = after - before
    total = shift.sum(axis=0, keepdims=True)
    middle = total - shift if leave_one_out and len(shift) > 1 else total
    cosine: Matrix = (normalized(shift) * normalized(middle)).sum(axis=1)
    return cosine


def directional_consistency(clean: Any, protected: Any, *, leave_one_out: bool = False) -> float:
    """Mean cosine of each photo's shift with the mean shift.

    mean_i cos(z'_i - z_i, mean_j (z'_j - z_j)): near 1 for one dataset-level shift. Scatter of N
    photos gives about 1/sqrt(N) and not 0, since each photo is part of the mean that it is
    compared with; ``leave_one_out`` takes it out of that mean.

    Args:
        clean: (N, D)
        protected: (N, D), the same photos in the same order
        leave_one_out: whether photo i is compared with the mean shift of the others

    Returns:
        in [-1, 1]; photos that did not move count as 0
    """
    return float(directional_cosines(clean, protected, leave_one_out=leave_one_out).mean())


def paired_cosine(clean: Any, protected: Any) -> Matrix:
    """Returns float64 (N,): the cosine of each photo's features before and after, in [-1, 1]."""
    before, after = _pairs(clean, protected)
    cosine: Matrix = (normalized(before) * normalized(after)).sum(axis=1)
    return cosine


def token_cosine(clean: Any, protected: Any, mask: Any = None) -> Matrix:
    """Returns float64 (N,): each photo's mean cosine over its own tokens before and after.

    Args:
        clean: (N, T, D) patch tokens, numpy or torch
        protected: (N, T, D), the same photos in the same order
        mask: bool (N, T), True where a token is real, or None
    """
    arrays = [
        x.detach().float().cpu().numpy() if hasattr(x, "detach") else x for x in (clean, protected)
    ]
    before, after = (np.asarray(x, dtype=np.float64) for x in arrays)
    if before.shape != after.shape or before.ndim != 3:
        raise ConfigError(f"tokens are {before.shape} and {after.shape}: give twins (N, T, D)")
    count, tokens, width = before.shape
    cosine = paired_cosine(before.reshape(-1, width), after.reshape(-1, width))
    cosine = cosine.reshape(count, tokens)
    if mask is None:
        return np.asarray(cosine.mean(axis=1), dtype=np.float64)
    real = np.asarray(mask.cpu() if hasattr(mask, "cpu") else mask, dtype=np.float64)
    return np.asarray((cosine * real).sum(axis=1) / real.sum(axis=1), dtype=np.float64)


@dataclass(frozen=True)
class NaturalRange:
    """Cosines between two different clean photos of one person.

    Attributes:
        low: 5 % quantile
        median: the median
        high: 95 % quantile
        pairs: how many pairs
    """

    low: float
    median: float
    high: float
    pairs: int


def natural_cosine(clean: Any, people: Sequence[Hashable]) -> NaturalRange:
    """Returns how much two clean photos of one person differ: the yardstick of a paired cosine.

    Args:
        clean: (N, D)
        people: N names
    """
    features = as_matrix(clean, "clean")
    names = as_labels(people, len(features))
    unit = normalized(features)
    cosine = []
    for name in np.unique(names):
        mine = unit[names == name]
        cosine.append((mine @ mine.T)[np.triu_indices(len(mine), k=1)])
    values = np.concatenate(cosine)
    if len(values) == 0:
        raise ConfigError("no person has two clean photos: the natural range needs pairs")
    low, median, high = np.quantile(values, [0.05, 0.5, 0.95])
    return NaturalRange(float(low), float(median), float(high), len(values))


@dataclass(frozen=True)
class CentroidShift:
    """How far the middle of a group of photos moved.

    Attributes:
        cosine: of the two centroids, in [-1, 1]
        distance: L2 between them, in the encoder's own units
        spread: mean L2 of the clean photos from their centroid
        relative: distance / spread; 1 means as far as photos naturally lie from their middle
    """

    cosine: float
    distance: float
    spread: float
    relative: float


def centroid_shift(clean: Any, protected: Any) -> CentroidShift:
    """Returns the centroid's shift, in the encoder's units and over the clean photos' spread.

    Args:
        clean: (N, D)
        protected: (M, D); twins are not needed
    """
    before, after = as_matrix(clean, "clean"), as_matrix(protected, "protected")
    a, b = before.mean(axis=0), after.mean(axis=0)
    distance = float(np.linalg.norm(b - a))
    spread = float(np.linalg.norm(before - a, axis=1).mean())
    cosine = float((normalized(a[None]) * normalized(b[None])).sum())
    # photos that all coincide have no spread: any movement is then infinitely far
    relative = distance / spread if spread > 0 else (0.0 if distance == 0 else float("inf"))
    return CentroidShift(cosine, distance, spread, relative)
