"""Identity probes: who is on a clean photo, learned from the photos that were shared?

Three attackers that see features only. They stand in for the fine-tuned VLM where thousands of
cells must be measured; the probe can understate what a VLM learns, so it is a proxy and is
called one in every table.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ConfigError
from .arrays import Labels, Matrix, as_labels, as_matrix, normalized
from .wrong_answers import commonest_wrong_share

__all__ = ["PROBES", "ProbeResult", "class_mean_probe", "identity_probe", "knn_probe"]


@dataclass(frozen=True)
class ProbeResult:
    """A probe's answers on the query photos.

    Attributes:
        truth: (N,) the person on each query photo
        answers: (N,) the person that the probe named
        people: how many names the probe could choose from
        least: (N,) the person that the probe held for the least likely, or None where it ranks
            nobody
    """

    truth: Labels
    answers: Labels
    people: int
    least: Labels | None = None

    @property
    def correct(self) -> Matrix:
        """float64 (N,): 1 where the answer is right, else 0."""
        return np.asarray(self.truth == self.answers, dtype=np.float64)

    @property
    def accuracy(self) -> float:
        """Share of right answers, averaged within each person first, in [0, 1]."""
        return self._share(self.correct)

    @property
    def inverted_accuracy(self) -> float | None:
        """Accuracy of an attacker who names the *least* likely person instead, in [0, 1].

        A protection that pushes photos away from their own person makes the own name the least
        likely one. Direct accuracy is then below chance, and whoever knows that reads it off.
        """
        return None if self.least is None else self._share(self.truth == self.least)

    def _share(self, right: NDArray[Any]) -> float:
        return float(np.mean([right[self.truth == who].mean() for who in np.unique(self.truth)]))

    @property
    def chance(self) -> float:
        """Accuracy of a guess, in (0, 1]."""
        return 1.0 / self.people

    @property
    def commonest_wrong(self) -> float:
        """See :func:`commonest_wrong_share`, in [0, 1]."""
        return commonest_wrong_share(self.truth, self.answers)


def _prepare(
    train: Any, people: Sequence[Hashable], query: Any, truth: Sequence[Hashable]
) -> tuple[Matrix, Labels, Matrix, Labels]:
    train_x, query_x = as_matrix(train, "train"), as_matrix(query, "query")
    train_y, query_y = as_labels(people, len(train_x)), as_labels(truth, len(query_x))
    if train_x.shape[1] != query_x.shape[1]:
        raise ConfigError("train and query have different widths: use one encoder for both")
    if len(np.unique(train_y)) < 2:
        raise ConfigError("the probe needs photos of at least two people")
    strangers = sorted(set(query_y) - set(train_y))
    if strangers:
        raise ConfigError(f"{strangers[0]!r} is queried and was never shared: leave the query out")
    return train_x, train_y, query_x, query_y


def identity_probe(
    train: Any,
    people: Sequence[Hashable],
    query: Any,
    truth: Sequence[Hashable],
    *,
    strength: float = 1.0,
) -> ProbeResult:
    """Multinomial logistic regression on standardised features.

    Standardising with the *shared* photos' mean and deviation is what an attacker can do, who
    has nothing else. The inverse penalty is fixed and never tuned on queries.

    Args:
        train: (N, D) features of the shared photos: protected, clean or a control
        people: N names
        query: (M, D) features of clean query photos
        truth: M names, each among ``people``
        strength: scikit-learn's C, the inverse of the L2 penalty
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import StandardScaler

    train_x, train_y, query_x, query_y = _prepare(train, people, query, truth)
    scaler = StandardScaler().fit(train_x)
    model = LogisticRegression(C=strength, max_iter=2000)
    model.fit(scaler.transform(train_x), train_y)
    names = np.asarray(model.classes_, dtype=np.str_)
    # probabilities and not scores: with two people scores are one column only
    likely = model.predict_proba(scaler.transform(query_x))
    return ProbeResult(
        query_y, names[likely.argmax(axis=1)], len(names), names[likely.argmin(axis=1)]
    )


def knn_probe(
    train: Any,
    people: Sequence[Hashable],
    query: Any,
    truth: Sequence[Hashable],
    *,
    neighbours: int = 5,
) -> ProbeResult:
    """The nearest shared photos vote, by cosine of features centred on the shared photos' mean.

    Votes are weighted by nearness, which decides ties.

    Args:
        train: (N, D)
        people: N names
        query: (M, D)
        truth: M names, each among ``people``
        neighbours: how many photos vote
    """
    from sklearn.neighbors import KNeighborsClassifier

    train_x, train_y, query_x, query_y = _prepare(train, people, query, truth)
    centre = train_x.mean(axis=0)
    model = KNeighborsClassifier(
        n_neighbors=min(neighbours, len(train_x)), metric="cosine", weights="distance"
    )
    model.fit(normalized(train_x - centre), train_y)
    answers = np.asarray(model.predict(normalized(query_x - centre)), dtype=np.str_)
    return ProbeResult(query_y, answers, len(model.classes_))


def class_mean_probe(
    train: Any, people: Sequence[Hashable], query: Any, truth: Sequence[Hashable]
) -> ProbeResult:
    """The person whose mean is nearest, by cosine of centred features.

    The simplest few-shot attacker; misleading targets are aimed at exactly this geometry, so it
    shows them at their best and must not be quoted alone.
    """
    train_x, train_y, query_x, query_y = _prepare(train, people, query, truth)
    centre = train_x.mean(axis=0)
    names = np.unique(train_y)
    means = np.stack([train_x[train_y == name].mean(axis=0) - centre for name in names])
    cosine = normalized(query_x - centre) @ normalized(means).T
    return ProbeResult(
        query_y, names[cosine.argmax(axis=1)], len(names), names[cosine.argmin(axis=1)]
    )


PROBES = {"linear": identity_probe, "knn": knn_probe, "class_mean": class_mean_probe}
"""Name in a card -> probe."""
