"""Whether a linear classifier tells protected photos from clean ones: a two-sample test."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import ConfigError
from .arrays import Labels, Matrix, as_labels, as_matrix

__all__ = ["Separability", "linear_separability"]


@dataclass(frozen=True)
class Separability:
    """How well clean and protected photos are told apart.

    Attributes:
        accuracy: cross-validated, chance .5, in [0, 1]
        p_value: of a label permutation test, at least 1 / (permutations + 1)
        permutations: how many labellings were tried
    """

    accuracy: float
    p_value: float
    permutations: int


def _folds(groups: Labels, count: int, rng: np.random.Generator) -> list[np.ndarray]:
    names = rng.permutation(np.unique(groups))
    return [np.isin(groups, part) for part in np.array_split(names, count)]


def _hat(train: Matrix, test: Matrix) -> Matrix:
    """Returns (M, N) that maps training labels in {-1, 1} to the test photos' scores.

    Ridge regression in its dual form. With two classes of equal size it is Fisher's discriminant
    up to scale. Because a permutation changes labels only, one matrix serves all of them.
    """
    centre, scale = train.mean(axis=0), train.std(axis=0)
    scale = np.where(scale > 0, scale, 1.0)
    a, b = (train - centre) / scale, (test - centre) / scale
    gram = a @ a.T
    # as strong as the mean direction: photos are fewer than features, so least squares alone
    # would fit any labelling
    penalty = np.trace(gram) / len(gram)
    hat: Matrix = b @ a.T @ np.linalg.inv(gram + penalty * np.eye(len(gram)))
    return hat


def linear_separability(
    clean: Any,
    protected: Any,
    groups: Sequence[Hashable] | None = None,
    *,
    folds: int = 5,
    permutations: int = 500,
    seed: int = 0,
) -> Separability:
    """Cross-validated accuracy of a linear clean-against-protected probe on twins.

    Classifier two-sample test of Lopez-Paz and Oquab, "Revisiting Classifier Two-Sample Tests",
    ICLR 2017 (arXiv 1610.06545), with a ridge classifier, grouped folds (a photo and its twin
    never part; give persons as groups to keep whole people together) and a permutation test that
    swaps labels within twins, the only exchange that the null hypothesis allows.

    Args:
        clean: (N, D)
        protected: (N, D), the same photos in the same order
        groups: N names of what must stay in one fold; None keeps only twins together
        folds: number of folds, at most the number of groups
        permutations: labellings tried for the p-value
        seed: of folds and permutations
    """
    before, after = as_matrix(clean, "clean"), as_matrix(protected, "protected")
    if before.shape != after.shape:
        raise ConfigError(
            f"clean is {before.shape} and protected {after.shape}: give twins in order"
        )
    count = len(before)
    names = as_labels(range(count) if groups is None else groups, count, "groups")
    folds = min(folds, len(np.unique(names)))
    if folds < 2:
        raise ConfigError("one group only: a cross-validated probe needs at least two")
    rng = np.random.default_rng(seed)
    # column 0 is the true labelling; the others flip whole twins
    flips = np.ones((count, permutations + 1))
    flips[:, 1:] = rng.choice([-1.0, 1.0], size=(count, permutations))
    labels = np.concatenate([-flips, flips])
    features = np.concatenate([before, after])
    right = np.zeros(permutations + 1)
    for part in _folds(names, folds, rng):
        test = np.concatenate([part, part])
        scores = _hat(features[~test], features[test]) @ labels[~test]
        # a score of exactly 0 names neither class: half right
        right += (0.5 + 0.5 * np.sign(scores) * labels[test]).sum(axis=0)
    accuracy = right / (2 * count)
    beaten = int((accuracy[1:] >= accuracy[0] - 1e-12).sum())
    return Separability(float(accuracy[0]), (1 + beaten) / (1 + permutations), permutations)
