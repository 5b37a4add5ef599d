"""The points of a run's plot as a panel shows them: a fixed sample of them where there are many."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..analysis import names_with
from ..photos import all_photos, field_kind
from ..projection import METHODS, plot_keys
from ..records import ProtectionRun
from ..separation import READING

__all__ = ["SHOWN", "PlotPoints", "colour_fields", "field_values", "load_points", "plot_methods"]

SHOWN = 10_000
"""Photos that a plot shows, at most; each is a clean and maybe a protected point."""

_KEPT = 4  # plots kept in memory: a few choosers' worth for a few people
_SEED = 51

_COLOUR_KINDS = {
    "StringField": "category",
    "BooleanField": "category",
    "Classification": "category",
    "IntField": "number",
    "FloatField": "number",
}

_lock = threading.Lock()
_plots: OrderedDict[tuple[str, ...], PlotPoints] = OrderedDict()


@dataclass(frozen=True)
class PlotPoints:
    """N photos of a run in one plane.

    Attributes:
        ids: N sample ids
        clean: float64 (N, 2)
        released: float64 (N, 2); where a photo was not protected, the clean point
        protected: bool (N,), whether it was
        photos: photos that have a point, of which the N are a seeded sample where there are more
        fields: what is known of each photo: field -> N values
    """

    ids: list[str]
    clean: NDArray[np.float64]
    released: NDArray[np.float64]
    protected: NDArray[np.bool_]
    photos: int
    fields: dict[str, list[Any]]


def plot_methods(dataset: Any, record: ProtectionRun, encoder: str) -> list[str]:
    """Returns which of :data:`~fiftyone_dp2vl.store.projection.METHODS` a run has plots of."""
    names = names_with(dataset, record, [encoder])
    has = dataset._root_dataset.has_brain_run
    return [method for method in METHODS if all(map(has, plot_keys(names, encoder, method)))]


def load_points(
    dataset: Any, record: ProtectionRun, encoder: str, method: str = "pca"
) -> PlotPoints | None:
    """Returns the points of one encoder's plots of a run, or None where it has none.

    Args:
        dataset: a FiftyOne dataset
        record: the run's
        encoder: whose embeddings
        method: one of :data:`~fiftyone_dp2vl.store.projection.METHODS`
    """
    dataset = dataset._root_dataset
    names = names_with(dataset, record, [encoder])
    keys = plot_keys(names, encoder, method)
    if not all(dataset.has_brain_run(key) for key in keys):
        return None
    made = tuple(str(dataset.get_brain_info(key).timestamp) for key in keys)
    cached = (str(dataset._doc.id), *keys, *made, str(dataset.last_deletion_at))
    with _lock:
        if cached in _plots:
            _plots.move_to_end(cached)
            return _plots[cached]
    points = _read(dataset, record, keys, names.pooled_cosine(encoder))
    with _lock:
        _plots[cached] = points
        while len(_plots) > _KEPT:
            _plots.popitem(last=False)
    return points


def _read(dataset: Any, record: ProtectionRun, keys: tuple[str, str], cosine: str) -> PlotPoints:
    with READING:
        before, after = (dataset.load_brain_results(k, cache=False, load_view=False) for k in keys)
    # plots keep the points of photos that were deleted from the dataset since
    known = set(all_photos(dataset).values("id"))
    here = np.asarray([str(key) in known for key in before.sample_ids], dtype=bool)
    ids = np.asarray(before.sample_ids)[here]
    clean = np.asarray(before.points, dtype=np.float64)[here]
    released = np.asarray(after.points, dtype=np.float64)[here]
    rows = _sample(len(ids))
    chosen = [str(key) for key in ids[rows]]
    names = record.names
    wanted = {
        "status": names.status,
        "linf": names.linf,
        "psnr": names.psnr,
        "cosine": cosine,
        **({"identity": _path(dataset, record.group_field)} if record.group_field else {}),
    }
    present = {k: f for k, f in wanted.items() if dataset.has_sample_field(f.split(".")[0])}
    found = dict(zip(present, field_values(dataset, chosen, list(present.values())), strict=True))
    status = found.get("status", [None] * len(chosen))
    return PlotPoints(
        ids=chosen,
        clean=clean[rows],
        released=released[rows],
        protected=np.asarray([value == "protected" for value in status], dtype=bool),
        photos=len(ids),
        fields=found,
    )


def _sample(count: int) -> NDArray[np.int64]:
    """Returns which points are shown: always the same ones."""
    if count <= SHOWN:
        return np.arange(count)
    return np.sort(np.random.default_rng(_SEED).permutation(count)[:SHOWN])


def field_values(dataset: Any, ids: list[str], fields: list[str]) -> list[list[Any]]:
    """Returns fields' values of samples, in the samples' order; None where a sample is gone."""
    got, *columns = all_photos(dataset).select(ids).values(["id", *fields])
    place = {key: row for row, key in enumerate(got)}
    rows = [place.get(key) for key in ids]
    return [[None if row is None else column[row] for row in rows] for column in columns]


def colour_fields(dataset: Any) -> dict[str, str]:
    """Returns the fields that points can be coloured by: path -> ``"category"`` or ``"number"``.

    The plugin's own paths and errors are left out, its figures are not.
    """
    found = {}
    for name in dataset.get_field_schema():
        kind = _COLOUR_KINDS.get(field_kind(dataset, name) or "")
        hidden = name in ("id", "filepath", "media_type") or name.startswith("_")
        if name.startswith("dp2vl_") and name.endswith(("_path", "_error", "_status")):
            hidden = True
        if kind is not None and not hidden:
            found[_path(dataset, name)] = kind
    return found


def _path(dataset: Any, field: str) -> str:
    """Returns what to ask the database for."""
    return f"{field}.label" if field_kind(dataset, field) == "Classification" else field
