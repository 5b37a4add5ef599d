"""Who is on a clean photo, learned by nearest neighbours from protected photos of a dataset."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ConfigError
from ..measure import ProbeResult, knn_probe

__all__ = ["HeldOutProbe", "probe_people"]

_FOLDS = 5
_QUERIES = 2000  # each is compared with every shared photo

Vectors = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class HeldOutProbe:
    """The same questions, put to a probe trained on protected and to one trained on clean photos.

    Attributes:
        protected: trained on the protected photos
        clean: trained on the same photos, clean
        queries: which photos were asked about, in words
    """

    protected: ProbeResult
    clean: ProbeResult
    queries: str


def probe_people(
    before: Vectors,
    after: Vectors,
    who: list[str | None],
    queries: list[Any],
    truth: list[Any],
    *,
    seed: int = 0,
) -> HeldOutProbe:
    """Asks who is on clean photos that were not shared.

    Clean photos of the dataset that the run did not protect are asked about. Where there are
    none, the shared photos are split: a fold's clean photos are asked about, and the probe is
    trained on the other folds, so that it never saw the photo that it is asked about.

    Args:
        before: (N, P) embeddings of the shared photos, clean
        after: (N, P), protected
        who: N persons, None or ``""`` where unknown
        queries: M embeddings (P,) of clean photos that were not protected
        truth: M persons
        seed: of the folds

    Raises:
        ConfigError: if fewer than two persons are known
    """
    rows = [i for i, name in enumerate(who) if name]
    people = [str(who[i]) for i in rows]
    if len(set(people)) < 2:
        raise ConfigError(
            "the run names no field that says who is on a photo"
            if not people
            else "all photos are of one person: there is nobody to confuse them with"
        )
    x, y = before[rows], after[rows]
    rng = np.random.default_rng(seed)
    known = set(people)
    asked = [i for i, name in enumerate(truth) if str(name) in known]
    if asked:
        asked = sorted(rng.permutation(asked)[:_QUERIES].tolist())
        vectors, names = np.stack([queries[i] for i in asked]), [str(truth[i]) for i in asked]
        return HeldOutProbe(
            knn_probe(y, people, vectors, names),
            knn_probe(x, people, vectors, names),
            f"{len(asked)} clean photos that were not protected",
        )
    return _cross_validated(x, y, people, rng)


def _cross_validated(
    x: Vectors, y: Vectors, people: list[str], rng: np.random.Generator
) -> HeldOutProbe:
    names = np.asarray(people)
    fold = np.zeros(len(people), dtype=int)
    for name in np.unique(names):
        own = np.flatnonzero(names == name)
        fold[rng.permutation(own)] = np.arange(len(own)) % _FOLDS
    parts: dict[str, list[ProbeResult]] = {"protected": [], "clean": []}
    for number in range(_FOLDS):
        test = fold == number
        shared = ~test
        asked = np.flatnonzero(test & np.isin(names, names[shared]))
        asked = np.sort(rng.permutation(asked)[: _QUERIES // _FOLDS])
        if not len(asked):
            continue
        for kind, features in (("protected", y), ("clean", x)):
            found = knn_probe(
                features[shared], names[shared].tolist(), x[asked], names[asked].tolist()
            )
            parts[kind].append(found)
    if not parts["clean"]:
        raise ConfigError("no person has two photos: nobody can be recognised on another one")
    protected, clean = (_joined(parts[kind]) for kind in ("protected", "clean"))
    count = len(clean.truth)
    return HeldOutProbe(
        protected, clean, f"clean originals of {count} photos, each left out of training"
    )


def _joined(parts: list[ProbeResult]) -> ProbeResult:
    return ProbeResult(
        np.concatenate([part.truth for part in parts]),
        np.concatenate([part.answers for part in parts]),
        max(part.people for part in parts),
    )
