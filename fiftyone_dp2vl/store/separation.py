"""How far apart a run moved its photos in an encoder's space, measured once and kept with the run.

The figures are computed from the embeddings that the dataset holds; the App only reads them.
"""

from __future__ import annotations

import dataclasses
import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ConfigError
from ..measure import (
    bootstrap_interval,
    centroid_shift,
    directional_consistency,
    linear_separability,
    mmd_test,
    natural_cosine,
    paired_cosine,
    silhouette,
)
from .held_out import HeldOutProbe, probe_people
from .photos import all_photos, group_values
from .records import ProtectionRun

__all__ = ["FIGURES", "Separation", "load_separation", "measure_separation", "save_separation"]

FIGURES = (
    *("identity_protected", "identity_clean", "paired_cosine", "centroid_shift"),
    *("directional_consistency", "probe_accuracy", "mmd2", "silhouette"),
)
"""Every figure, in the order in which they are shown."""

TESTED = 2000
"""Photos that the figures whose cost grows with the square of their number rest on, at most."""

READING = threading.Lock()
"""Held while results are read from the database."""

_NATURAL_PHOTOS = 500  # of one person: their pairs grow with the square
_FORMAT = 1

Vectors = NDArray[np.floating[Any]]


@dataclass(frozen=True, kw_only=True)
class Separation:
    """How one encoder sees a run's photos before and after.

    Args:
        encoder: its registry name
        surrogate: whether photos were moved in this encoder's space, or it is held out
        photos: protected photos that have both embeddings
        tested: of these, how many the linear probe, MMD and the silhouette rest on
        values: figure -> value; beside :data:`FIGURES` also ``natural_low``, ``natural_median``,
            ``natural_high`` (quantiles of the cosine of two clean photos of one person),
            ``probe_p``, ``mmd2_p``, and ``identity_chance``, ``identity_protected_low``,
            ``identity_protected_high``, ``identity_queries``
        missing: figure -> one sentence that says why there is none
        queries: what the identity probe was asked about
    """

    encoder: str
    surrogate: bool
    photos: int
    tested: int
    values: dict[str, float] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)
    queries: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Returns plain JSON values."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Separation:
        """Returns what :meth:`to_dict` described."""
        return cls(**json.loads(json.dumps(data)))


def measure_separation(
    dataset: Any,
    record: ProtectionRun,
    encoder: str,
    *,
    clean_field: str,
    protected_field: str,
    query_field: str | None = None,
    seed: int = 0,
) -> Separation:
    """Returns how one encoder sees a run's photos before and after.

    The figures are those of :mod:`fiftyone_dp2vl.measure`, over all protected photos. Three of
    them take time and memory that grow with the square of the photos, and rest on
    :data:`TESTED` photos drawn with ``seed`` where there are more.

    Args:
        dataset: a FiftyOne dataset
        record: the run's
        encoder: registry name, for the record
        clean_field: embeddings of the run's original photos
        protected_field: embeddings of its protected files
        query_field: embeddings of further clean photos, that the run does not hold, or None
        seed: of the photos drawn, of folds and of permutations
    """
    names = ["id", clean_field, protected_field]
    photos = all_photos(dataset)
    ids, clean, protected = photos.values(names)
    people = [name or None for name in group_values(photos, record.group_field)]
    twins = [i for i, vector in enumerate(protected) if vector is not None and _has(clean[i])]
    surrogate = encoder in record.protection.encoders
    if len(twins) < 2:
        why = "fewer than two protected photos have embeddings of this encoder"
        return Separation(
            encoder=encoder,
            surrogate=surrogate,
            photos=len(twins),
            tested=0,
            missing=dict.fromkeys(FIGURES, why),
        )
    before = np.stack([clean[i] for i in twins])
    after = np.stack([protected[i] for i in twins])
    who = [people[i] for i in twins]
    rng = np.random.default_rng(seed)
    rows = np.sort(rng.permutation(len(twins))[:TESTED])
    found = _Figures()
    found.add(lambda: {"paired_cosine": float(paired_cosine(before, after).mean())})
    found.add(lambda: _natural(before, who, rng), instead="natural_median")
    found.add(lambda: {"centroid_shift": centroid_shift(before, after).relative})
    found.add(lambda: {"directional_consistency": directional_consistency(before, after)})
    found.add(
        lambda: _probe(before[rows], after[rows], [who[i] for i in rows], seed),
        instead="probe_accuracy",
    )
    found.add(lambda: _mmd(before[rows], after[rows], seed), instead="mmd2")
    found.add(lambda: {"silhouette": _silhouette(before[rows], after[rows])}, instead="silhouette")
    further = photos.values(query_field) if query_field else [None] * len(ids)
    moved = set(twins)
    asked = [
        i
        for i in range(len(ids))
        if i not in moved and people[i] is not None and (_has(further[i]) or _has(clean[i]))
    ]
    probe: HeldOutProbe | None = None
    try:
        probe = probe_people(
            before,
            after,
            who,
            [further[i] if _has(further[i]) else clean[i] for i in asked],
            [people[i] for i in asked],
            seed=seed,
        )
        found.add(lambda: _identity(probe), instead="identity_protected")
    except ConfigError as error:
        for figure in ("identity_protected", "identity_clean"):
            found.missing[figure] = str(error)
    return Separation(
        encoder=encoder,
        surrogate=surrogate,
        photos=len(twins),
        tested=len(rows),
        values=found.values,
        missing=found.missing,
        queries=probe.queries if probe is not None else "",
    )


def load_separation(dataset: Any, record: ProtectionRun) -> dict[str, Separation]:
    """Returns what was measured of a run: encoder -> figures, surrogates first."""
    dataset, key = dataset._root_dataset, record.names.key
    # uncached, since another process may have measured since; one at a time, since FiftyOne's
    # documents share one file handle and the App's server asks from several threads
    with READING:
        results = dataset.load_run_results(key, cache=False, load_view=False)
    stored = getattr(results, "separation", None) if results is not None else None
    if not stored or getattr(results, "format", None) != _FORMAT:
        return {}
    found = [Separation.from_dict(entry) for entry in stored]
    return {entry.encoder: entry for entry in sorted(found, key=lambda e: not e.surrogate)}


def save_separation(dataset: Any, record: ProtectionRun, measured: list[Separation]) -> None:
    """Keeps figures with a run, in place of older ones of the same encoders."""
    dataset = dataset._root_dataset
    key = record.names.key
    entries = {**load_separation(dataset, record), **{entry.encoder: entry for entry in measured}}
    results = dataset.init_run_results(
        key, format=_FORMAT, separation=[entry.to_dict() for entry in entries.values()]
    )
    dataset.save_run_results(key, results, overwrite=True, cache=False)


class _Figures:
    """Gathers figures; one that cannot be computed is named with the reason."""

    def __init__(self) -> None:
        self.values: dict[str, float] = {}
        self.missing: dict[str, str] = {}

    def add(self, make: Callable[[], dict[str, float]], instead: str = "") -> None:
        try:
            made = make()
        except ConfigError as error:
            self.missing[instead] = str(error)
            return
        for name, value in made.items():
            if np.isfinite(value):
                self.values[name] = float(value)
            else:
                self.missing[name] = "all clean photos lie on one point"


def _has(vector: Any) -> bool:
    return vector is not None


def _natural(clean: Vectors, who: list[str | None], rng: np.random.Generator) -> dict[str, float]:
    of: dict[str, list[int]] = {}
    for i, name in enumerate(who):
        if name is not None:
            of.setdefault(name, []).append(i)
    rows: list[int] = []
    for _, own in sorted(of.items()):
        rows.extend(rng.permutation(own)[:_NATURAL_PHOTOS] if len(own) > _NATURAL_PHOTOS else own)
    if not rows:
        raise ConfigError("the run names no field that says who is on a photo")
    span = natural_cosine(clean[rows], [str(who[i]) for i in rows])
    return {
        "natural_low": span.low,
        "natural_median": span.median,
        "natural_high": span.high,
    }


def _probe(before: Vectors, after: Vectors, who: list[str | None], seed: int) -> dict[str, float]:
    # photos of one person stay in one fold; where persons are unknown, a photo and its twin do
    known = len({name for name in who if name is not None}) > 1 and None not in who
    found = linear_separability(before, after, who if known else None, seed=seed)
    return {"probe_accuracy": found.accuracy, "probe_p": found.p_value}


def _mmd(before: Vectors, after: Vectors, seed: int) -> dict[str, float]:
    found = mmd_test(before, after, paired=True, seed=seed)
    return {"mmd2": found.squared, "mmd2_p": found.p_value}


def _silhouette(before: Vectors, after: Vectors) -> float:
    labels = ["clean"] * len(before) + ["protected"] * len(after)
    return silhouette(np.concatenate([before, after]), labels)


def _identity(probe: HeldOutProbe) -> dict[str, float]:
    protected, clean = probe.protected, probe.clean
    low, high = bootstrap_interval(protected.correct, list(protected.truth))
    return {
        "identity_protected": protected.accuracy,
        "identity_protected_low": low,
        "identity_protected_high": high,
        "identity_clean": clean.accuracy,
        "identity_chance": protected.chance,
        "identity_queries": len(protected.truth),
    }
