"""What a FiftyOne dataset remembers of a protection: fields, runs, and plots of embeddings.

The only part of the library that imports FiftyOne, and it does so when first needed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..lazy import lazily

if TYPE_CHECKING:
    from .albums import DatasetAlbum as DatasetAlbum, attack_album as attack_album
    from .attack import evaluate_attack_dataset as evaluate_attack_dataset
    from .benchmark import benchmark_dataset as benchmark_dataset
    from .delete import delete_run as delete_run
    from .embeddings import Embedded as Embedded, compute_embeddings as compute_embeddings
    from .evaluations import (
        AttackEvaluation as AttackEvaluation,
        delete_evaluation as delete_evaluation,
        list_evaluations as list_evaluations,
        load_evaluation as load_evaluation,
        load_report as load_report,
    )
    from .protect import protect_dataset as protect_dataset
    from .records import (
        ProtectionRun as ProtectionRun,
        list_runs as list_runs,
        load_run as load_run,
    )
    from .release.audit import audit_release as audit_release
    from .release.export import Release as Release, export_release as export_release
    from .release.plan import ReleasePlan as ReleasePlan, plan_release as plan_release
    from .release.records import list_releases as list_releases
    from .repair.datasets import (
        check_datasets as check_datasets,
        repair_datasets as repair_datasets,
    )

_HOMES = {
    "AttackEvaluation": "evaluations",
    "DatasetAlbum": "albums",
    "Embedded": "embeddings",
    "ProtectionRun": "records",
    "Release": "release.export",
    "ReleasePlan": "release.plan",
    "attack_album": "albums",
    "audit_release": "release.audit",
    "benchmark_dataset": "benchmark",
    "check_datasets": "repair.datasets",
    "compute_embeddings": "embeddings",
    "delete_evaluation": "evaluations",
    "delete_run": "delete",
    "evaluate_attack_dataset": "attack",
    "export_release": "release.export",
    "list_evaluations": "evaluations",
    "list_releases": "release.records",
    "list_runs": "records",
    "load_evaluation": "evaluations",
    "load_report": "evaluations",
    "load_run": "records",
    "plan_release": "release.plan",
    "protect_dataset": "protect",
    "repair_datasets": "repair.datasets",
}

__all__ = list(_HOMES)


__getattr__ = lazily(__name__, _HOMES)
