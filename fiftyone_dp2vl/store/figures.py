"""A run's figures, as fields of a dataset."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from ..runs import PhotoRecord, RunResult
from .names import RunNames
from .schema import changing

__all__ = ["store_figures"]

_LOSSY = "measured after JPEG, which is lossy: it may exceed the budget, which held before JPEG"
"""What is to be known of ``linf`` where files are JPEG."""


def store_figures(dataset: Any, names: RunNames, result: RunResult) -> None:
    """Writes what was measured on the files, photo by photo.

    Args:
        dataset: a FiftyOne dataset
        names: the run's
        result: what the run came to, with samples' ids as keys
    """
    import fiftyone as fo

    columns: dict[str, tuple[Any, Callable[[PhotoRecord], Any]]] = {
        names.path: (fo.StringField, lambda r: str(r.path) if r.path is not None else None),
        names.status: (fo.StringField, lambda r: r.status),
        names.error: (fo.StringField, lambda r: r.error),
        names.linf: (fo.FloatField, lambda r: r.linf),
        names.psnr: (fo.FloatField, lambda r: _finite(r.psnr)),
        names.ssim: (fo.FloatField, lambda r: r.ssim),
    }
    for encoder in names.slugs:
        columns[names.token_cosine(encoder)] = (fo.FloatField, _cosine(encoder, "token"))
        columns[names.pooled_cosine(encoder)] = (fo.FloatField, _cosine(encoder, "pooled"))
    with changing(dataset):
        for field, (kind, _) in columns.items():
            if not dataset.has_sample_field(field):
                dataset.add_sample_field(field, kind)
        if any(record.lossy for record in result.records):
            told = dataset.get_field(names.linf)
            told.description = _LOSSY
            told.save()
    for field, (_, read) in columns.items():
        values = {record.key: read(record) for record in result.records}
        dataset.set_values(field, values, key_field="id")


def _cosine(encoder: str, which: str) -> Callable[[PhotoRecord], float | None]:
    """Returns what reads one encoder's cosine from a record."""
    return lambda r: getattr(r.cosines[encoder], which) if encoder in r.cosines else None


def _finite(value: float | None) -> float | None:
    """Returns None for the PSNR of identical pixels: FiftyOne's App cannot show infinity."""
    return value if value is not None and math.isfinite(value) else None
