"""Protects photo sets against identity-affiliation learning by vision-language models.

Heavy dependencies (torch, transformers, FiftyOne) are imported when first needed, so that
``import fiftyone_dp2vl`` is cheap and the core works without FiftyOne installed. What is listed in
``__all__`` is imported from its room when it is first asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .lazy import lazily

__version__ = "0.1.0"

if TYPE_CHECKING:
    from .attack.evaluate import evaluate_attack as evaluate_attack
    from .attack.plan import plan_attack as plan_attack
    from .attack.registry import (
        list_attackers as list_attackers,
        load_attacker as load_attacker,
        register_attacker as register_attacker,
    )
    from .attack.settings import AttackConfig as AttackConfig
    from .benchmark import generate_benchmark as generate_benchmark
    from .config import (
        OutputConfig as OutputConfig,
        ProtectionConfig as ProtectionConfig,
        SelectionConfig as SelectionConfig,
    )
    from .encoders import (
        list_encoders as list_encoders,
        load_encoder as load_encoder,
        register_encoder as register_encoder,
        wrap_module as wrap_module,
    )
    from .protection import list_strategies as list_strategies, protect as protect
    from .release import restore as restore
    from .runs import protect_photos as protect_photos
    from .store import (
        audit_release as audit_release,
        benchmark_dataset as benchmark_dataset,
        check_datasets as check_datasets,
        compute_embeddings as compute_embeddings,
        delete_evaluation as delete_evaluation,
        delete_run as delete_run,
        evaluate_attack_dataset as evaluate_attack_dataset,
        export_release as export_release,
        protect_dataset as protect_dataset,
        repair_datasets as repair_datasets,
    )

_ROOMS = {
    "AttackConfig": "attack.settings",
    "OutputConfig": "config",
    "ProtectionConfig": "config",
    "SelectionConfig": "config",
    "audit_release": "store",
    "benchmark_dataset": "store",
    "check_datasets": "store",
    "compute_embeddings": "store",
    "delete_evaluation": "store",
    "delete_run": "store",
    "evaluate_attack": "attack.evaluate",
    "evaluate_attack_dataset": "store",
    "export_release": "store",
    "generate_benchmark": "benchmark",
    "list_attackers": "attack.registry",
    "list_encoders": "encoders",
    "list_strategies": "protection",
    "load_attacker": "attack.registry",
    "load_encoder": "encoders",
    "plan_attack": "attack.plan",
    "protect": "protection",
    "protect_dataset": "store",
    "protect_photos": "runs",
    "register_attacker": "attack.registry",
    "register_encoder": "encoders",
    "repair_datasets": "store",
    "restore": "release",
    "wrap_module": "encoders",
}

__all__ = [*_ROOMS, "__version__"]


__getattr__ = lazily(__name__, _ROOMS)


def __dir__() -> list[str]:
    return sorted(__all__)
