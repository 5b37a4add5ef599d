"""Maximum mean discrepancy: are clean and protected features one distribution or two?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import ConfigError
from .arrays import Matrix, as_matrix

__all__ = ["MMD", "mmd_test"]


@dataclass(frozen=True)
class MMD:
    """The outcome of a kernel two-sample test.

    Attributes:
        squared: unbiased MMD^2; below 0 by luck when the samples are alike
        p_value: of the permutation test, at least 1 / (permutations + 1)
        bandwidth: of the RBF kernel, in the features' units
        permutations: how many exchanges were tried
    """

    squared: float
    p_value: float
    bandwidth: float
    permutations: int


def _squared_distances(x: Matrix) -> Matrix:
    norm = (x**2).sum(axis=1)
    distance: Matrix = np.maximum(norm[:, None] + norm[None] - 2 * x @ x.T, 0.0)
    return distance


def mmd_test(
    x: Any, y: Any, *, paired: bool = False, permutations: int = 500, seed: int = 0
) -> MMD:
    """Unbiased MMD^2 with an RBF kernel, median bandwidth and a permutation test.

    Gretton et al., "A Kernel Two-Sample Test", JMLR 13 (2012): equation (3) for independent
    samples, equation (4) for twins, whose own cross term is left out because it is not a draw
    of independent photos; twins are permuted by exchanging a photo with its twin.

    Args:
        x: (N, D)
        y: (M, D)
        paired: whether row i of ``y`` is the twin of row i of ``x``
        permutations: exchanges tried for the p-value
        seed: of the exchanges
    """
    first, second = as_matrix(x, "x"), as_matrix(y, "y")
    n, m = len(first), len(second)
    if min(n, m) < 2:
        raise ConfigError("MMD needs at least two photos on either side")
    if paired and n != m:
        raise ConfigError(f"{n} photos and {m} twins: give twins in order")
    squared = _squared_distances(np.concatenate([first, second]))
    positive = squared[np.triu_indices(n + m, k=1)]
    positive = positive[positive > 0]
    median = float(np.median(positive)) if len(positive) else 1.0
    kernel = np.exp(-squared / (2 * median))
    rng = np.random.default_rng(seed)
    if paired:
        # exchanging twin i flips the sign of row and column i of the U-statistic's core
        core = kernel[:n, :n] + kernel[n:, n:] - kernel[:n, n:] - kernel[n:, :n]
        np.fill_diagonal(core, 0.0)
        signs = np.ones((n, permutations + 1))
        signs[:, 1:] = rng.choice([-1.0, 1.0], size=(n, permutations))
        values = (signs * (core @ signs)).sum(axis=0) / (n * (n - 1))
    else:
        np.fill_diagonal(kernel, 0.0)
        member = np.zeros((n + m, permutations + 1))
        member[:n, 0] = 1.0
        for column in range(1, permutations + 1):
            member[rng.permutation(n + m)[:n], column] = 1.0
        other = 1.0 - member
        within = (member * (kernel @ member)).sum(axis=0) / (n * (n - 1))
        within += (other * (kernel @ other)).sum(axis=0) / (m * (m - 1))
        values = within - 2 * (member * (kernel @ other)).sum(axis=0) / (n * m)
    beaten = int((values[1:] >= values[0] - 1e-12).sum())
    p_value = (1 + beaten) / (1 + permutations)
    return MMD(float(values[0]), p_value, float(np.sqrt(median)), permutations)
