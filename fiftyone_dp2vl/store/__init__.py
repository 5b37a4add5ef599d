"""What a FiftyOne dataset remembers of a protection: fields, runs, and plots of embeddings.

The only part of the library that imports FiftyOne, and it does so when first needed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..lazy import lazily

if TYPE_CHECKING:
    from .benchmark import benchmark_dataset as benchmark_dataset
    from .delete import delete_run as delete_run
    from .embeddings import Embedded as Embedded, compute_embeddings as compute_embeddings
    from .protect import protect_dataset as protect_dataset
    from .records import (
        ProtectionRun as ProtectionRun,
        list_runs as list_runs,
        load_run as load_run,
    )

_HOMES = {
    "Embedded": "embeddings",
    "ProtectionRun": "records",
    "benchmark_dataset": "benchmark",
    "compute_embeddings": "embeddings",
    "delete_run": "delete",
    "list_runs": "records",
    "load_run": "records",
    "protect_dataset": "protect",
}

__all__ = list(_HOMES)


__getattr__ = lazily(__name__, _HOMES)
