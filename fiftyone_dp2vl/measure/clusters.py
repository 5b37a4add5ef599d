"""How tightly labelled photos lie together."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np

from ..errors import ConfigError
from .arrays import as_labels, as_matrix

__all__ = ["silhouette"]


def silhouette(features: Any, labels: Sequence[Hashable]) -> float:
    """Mean silhouette by cosine distance.

    Rousseeuw, "Silhouettes", J. Comput. Appl. Math. 20 (1987). With clean/protected as labels it
    measures separation, with people as labels how well identities hold together.

    Args:
        features: (N, D)
        labels: N names, at least two different ones

    Returns:
        in [-1, 1]
    """
    from sklearn.metrics import silhouette_score

    matrix = as_matrix(features)
    names = as_labels(labels, len(matrix))
    if not 2 <= len(np.unique(names)) < len(matrix):
        raise ConfigError("silhouette needs at least two groups and fewer groups than photos")
    return float(silhouette_score(matrix, names, metric="cosine"))
