"""Two plots of a run in one coordinate system: the photos before, and as released."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .names import RunNames

__all__ = ["delete_plots", "register_plots"]


def register_plots(view: Any, names: RunNames, encoder: str) -> tuple[str, str] | None:
    """Stores the two plots of one encoder's embeddings of a run.

    The plane is fitted on the original photos alone, and the protected ones are put into it: that
    they moved, and where to, can be read off by changing from one plot to the other.

    Args:
        view: the run's photos
        names: the run's
        encoder: whose embeddings

    Returns:
        the two brain keys, or None where fewer than two photos have an embedding
    """
    ids, clean, protected = view.values(
        ["id", names.clean_embedding(encoder), names.protected_embedding(encoder)]
    )
    rows = [row for row, vector in enumerate(clean) if vector is not None]
    if len(rows) < 2:
        return None
    before = np.stack([clean[row] for row in rows])
    after = np.stack([clean[row] if protected[row] is None else protected[row] for row in rows])
    centre, axes = _plane(before)
    keys = names.brain_keys(encoder)
    shown = view.select([ids[row] for row in rows]) if len(rows) < len(ids) else view
    for key, vectors in zip(keys, (before, after), strict=True):
        points = (vectors - centre) @ axes.T
        _register(shown, key, dict(zip([ids[row] for row in rows], points, strict=True)))
    return keys


def delete_plots(dataset: Any, keys: list[str]) -> None:
    """Deletes those of the plots that exist."""
    for key in keys:
        if dataset.has_brain_run(key):
            dataset.delete_brain_run(key)


def _plane(vectors: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Returns the mean (P,) and the first two principal axes (2, P)."""
    vectors = vectors.astype(np.float64)
    centre = vectors.mean(axis=0)
    _, _, axes = np.linalg.svd(vectors - centre, full_matrices=False)
    axes = axes[:2]
    # a fixed sign, so that plots of one set of photos agree from run to run
    largest = np.take_along_axis(axes, np.abs(axes).argmax(axis=1, keepdims=True), axis=1)
    axes *= np.where(largest < 0, -1, 1)
    return centre, axes


def _register(view: Any, key: str, points: dict[str, NDArray[Any]]) -> None:
    import fiftyone.brain as fob

    delete_plots(view._root_dataset, [key])
    fob.compute_visualization(view, points=points, brain_key=key, progress=False)
