"""How long an attack would take, told while a form is filled in."""

from __future__ import annotations

import importlib
import json
from concurrent.futures import Future, ThreadPoolExecutor, TimeoutError as NotYet
from typing import TYPE_CHECKING, Any

from ..attack.settings import AttackConfig
from .background import only_job

if TYPE_CHECKING:
    from ..attack.plan import AttackPlan

__all__ = ["estimate_attack"]

_PATIENCE_SECONDS = 2.0
_QUICK = ("embedded", "@embedded")  # loaded in a second, and never fetched

_timer = ThreadPoolExecutor(1, thread_name_prefix="dp2vl-attack-estimate")
_plans: dict[str, Future[AttackPlan]] = {}


def estimate_attack(view: Any, config: AttackConfig, mapping: dict[str, Any]) -> str:
    """Returns in one sentence how long an evaluation would take, as far as that can be told soon.

    The embedded attacker and proxies on the embedded encoder are tried for a few steps, in the
    background; a form that is looked at again tells what was found. Other attackers are not
    loaded for it: that may take minutes, and much memory.

    Args:
        view: a FiftyOne dataset or view of photos
        config: the attack's
        mapping: fields and choices of photos and the run, as
            :func:`fiftyone_dp2vl.store.attack.plan_attack_dataset` takes them
    """
    if not all(name.endswith(_QUICK) for name in config.everyone):
        return "Time is told once it runs"
    plan = _plan(view, config, mapping)
    if plan is None:
        return "Time is being measured: change anything to see it, or start"
    waiting = sum(not cell.done for cell in plan.cells)
    from ..attack.plan import duration

    measured = f", {len(plan.cells) - waiting} of them measured before" * (
        waiting < len(plan.cells)
    )
    left_out = f". Left out: {', '.join(plan.left_out)}" if plan.left_out else ""
    return f"{len(plan.cells)} cells{measured}: about {duration(plan.seconds)}{left_out}"


def _plan(view: Any, config: AttackConfig, mapping: dict[str, Any]) -> AttackPlan | None:
    from .attack import plan_attack_dataset

    facts = [view._root_dataset.name, view._serialize(), config.to_dict(), mapping]
    key = json.dumps(facts, default=str, sort_keys=True)
    # it replaces itself while it is imported: another thread's import at that moment would get
    # hold of the half-made module
    importlib.import_module("transformers")
    future = only_job(
        _plans, key, lambda: _timer.submit(plan_attack_dataset, view, config, **mapping)
    )
    if future is None:
        return None
    try:
        return future.result(timeout=_PATIENCE_SECONDS)
    except (NotYet, Exception):
        return None
