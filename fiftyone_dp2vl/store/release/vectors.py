"""Every vector that a dataset holds: an embedding of a clean photo says who is on it.

Vectors are in fields of samples, in attributes of labels, whether these were declared or not, and
in the results of similarity indexes that keep their embeddings themselves.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["vectors_of"]

_SHORTEST = 8
"""Shorter lists of numbers, such as boxes and points of plots, are no embeddings."""

_NO_VECTORS = frozenset({"mask", "map"})


def vectors_of(view: Any) -> dict[str, NDArray[np.float32]]:
    """Returns where vectors are -> float32 (N, D), in rows that are finite throughout.

    Vectors of several lengths in one place become several matrices.

    Args:
        view: a FiftyOne dataset or view; all of its dataset's similarity indexes count
    """
    found: dict[str, NDArray[np.float32]] = {}
    for name in _fields(view):
        found |= _stacked(name, _rows(view.values(name)))
    for key, matrix in _indexes(view._root_dataset):
        found |= _stacked(f"{key} (similarity index)", _rows(matrix))
    return found


def _fields(view: Any) -> list[str]:
    """Returns the fields and attributes that may hold vectors."""
    names = []
    for name, field in view.get_field_schema(flat=True).items():
        kind = type(field).__name__
        inner = type(getattr(field, "field", None)).__name__
        array = kind == "ArrayField" and name.split(".")[-1] not in _NO_VECTORS
        numbers = kind == "ListField" and inner in ("FloatField", "VectorField") and "." not in name
        if kind == "VectorField" or array or numbers:
            names.append(name)
    # of an attribute that nobody declared FiftyOne does not know that it holds an array
    for name, field in view.get_dynamic_field_schema().items():
        if field is None or type(field).__name__ in ("VectorField", "ArrayField"):
            names.append(name)
    return names


def _indexes(dataset: Any) -> Iterator[tuple[str, Any]]:
    """Yields the embeddings that FiftyOne's own indexes keep; others' are in a server of theirs."""
    for key in dataset.list_brain_runs(type="similarity"):
        config = dataset.get_brain_info(key).config
        if config.method != "sklearn" or getattr(config, "embeddings_field", None) is not None:
            continue
        results = dataset.load_brain_results(key)
        if results is not None and results.embeddings is not None:
            yield key, results.embeddings


def _rows(value: Any) -> Iterator[NDArray[np.float32]]:
    """Yields the vectors in a value, however deep they lie in it."""
    if isinstance(value, bytes):
        value = _unpacked(value)
    if isinstance(value, list | tuple) and not all(isinstance(v, int | float) for v in value):
        for item in value:
            yield from _rows(item)
        return
    if value is None or isinstance(value, str | dict):
        return
    try:
        array = np.asarray(value, dtype=np.float32)
    except (TypeError, ValueError):
        return
    if array.ndim and array.shape[-1] >= _SHORTEST:
        rows = array.reshape(-1, array.shape[-1])
        yield from rows[np.isfinite(rows).all(axis=1)]


def _unpacked(data: bytes) -> Any:
    """Returns the array that FiftyOne packed into an undeclared attribute, or None."""
    import fiftyone.core.utils as fou

    try:
        return fou.deserialize_numpy_array(data)
    except Exception:  # whatever else is stored as bytes: nothing is unpickled
        return None


def _stacked(name: str, rows: Iterator[NDArray[np.float32]]) -> dict[str, NDArray[np.float32]]:
    by_length: dict[int, list[NDArray[np.float32]]] = {}
    for row in rows:
        by_length.setdefault(len(row), []).append(row)
    several = len(by_length) > 1
    return {
        f"{name} ({size})" if several else name: np.stack(found)
        for size, found in by_length.items()
    }
