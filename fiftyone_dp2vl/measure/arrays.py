"""Feature matrices as every metric takes them: numpy or torch in, float64 numpy inside."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ConfigError

__all__ = ["Labels", "Matrix", "as_labels", "as_matrix", "normalized"]

Matrix = NDArray[np.float64]
Labels = NDArray[np.str_]


def as_matrix(features: Any, name: str = "features") -> Matrix:
    """Returns float64 (N, D) on the CPU.

    Args:
        features: numpy array or torch tensor (N, D), on any device
        name: what the features are called in an error

    Raises:
        ConfigError: if the shape is another or a value is not finite
    """
    if hasattr(features, "detach"):  # a torch tensor, without importing torch to find out
        features = features.detach().float().cpu().numpy()
    matrix = np.asarray(features, dtype=np.float64)
    if matrix.ndim != 2 or 0 in matrix.shape:
        raise ConfigError(f"{name} has shape {matrix.shape}: give photos x features")
    if not np.isfinite(matrix).all():
        raise ConfigError(f"{name} holds values that are not finite: check the encoder's output")
    return matrix


def as_labels(labels: Sequence[Hashable] | Labels, count: int, name: str = "labels") -> Labels:
    """Returns one string label a photo.

    Raises:
        ConfigError: if their number is not ``count``
    """
    array = np.asarray([str(label) for label in labels], dtype=np.str_)
    if len(array) != count:
        raise ConfigError(f"{name} has {len(array)} entries for {count} photos: give one a photo")
    return array


def normalized(matrix: Matrix) -> Matrix:
    """Returns the rows at unit length; a zero row stays zero, so its cosines are 0."""
    length = np.linalg.norm(matrix, axis=1, keepdims=True)
    unit: Matrix = matrix / np.where(length > 0, length, 1.0)
    return unit
