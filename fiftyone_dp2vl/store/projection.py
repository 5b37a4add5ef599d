"""UMAP plots of a run: fitted on the clean photos, applied to the protected ones."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

import numpy as np

from ..errors import DP2VLError
from .names import RunNames
from .plots import delete_plots

__all__ = ["METHODS", "has_umap", "plot_keys", "register_umap"]

METHODS = {"pca": "Principal components", "umap": "UMAP"}
"""Ways to lay embeddings out in a plane -> what they are called."""

_SEED = 51


def has_umap() -> bool:
    """Whether UMAP is installed."""
    return find_spec("umap") is not None


def plot_keys(names: RunNames, encoder: str, method: str = "pca") -> tuple[str, str]:
    """Returns the keys of the two plots of one encoder: clean, and as released.

    Args:
        names: the run's
        encoder: whose embeddings
        method: one of :data:`METHODS`
    """
    clean, released = names.brain_keys(encoder)
    return (clean, released) if method == "pca" else (f"{clean}_{method}", f"{released}_{method}")


def register_umap(view: Any, names: RunNames, encoder: str) -> tuple[str, str] | None:
    """Stores UMAP plots of one encoder's embeddings of a run.

    Args:
        view: the run's photos
        names: the run's
        encoder: whose embeddings

    Returns:
        the two brain keys, or None where too few photos have an embedding

    Raises:
        DP2VLError: if UMAP is not installed
    """
    if not has_umap():
        raise DP2VLError(
            "UMAP is not installed: pip install 'fiftyone_dp2vl[umap]', or do without it"
        )
    import fiftyone.brain as fob
    from umap import UMAP

    ids, clean, protected = view.values(
        ["id", names.clean_embedding(encoder), names.protected_embedding(encoder)]
    )
    rows = [row for row, vector in enumerate(clean) if vector is not None]
    if len(rows) < 4:  # UMAP's spectral start needs more points than dimensions
        return None
    before = np.stack([clean[row] for row in rows]).astype(np.float32)
    model = UMAP(n_components=2, n_neighbors=min(15, len(rows) - 1), random_state=_SEED, n_jobs=1)
    points = np.asarray(model.fit_transform(before), dtype=np.float64)
    released = points.copy()
    moved = [at for at, row in enumerate(rows) if protected[row] is not None]
    if moved:
        after = np.stack([protected[rows[at]] for at in moved]).astype(np.float32)
        released[moved] = model.transform(after)
    keys = plot_keys(names, encoder, "umap")
    shown = view.select([ids[row] for row in rows]) if len(rows) < len(ids) else view
    delete_plots(view._root_dataset, list(keys))
    for key, places in zip(keys, (points, released), strict=True):
        by_id = dict(zip([ids[row] for row in rows], places, strict=True))
        fob.compute_visualization(shown, points=by_id, brain_key=key, progress=False)
    return keys
