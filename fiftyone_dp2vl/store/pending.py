"""What is scheduled or at work on a dataset, as a panel tells it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .plugin import PLUGIN_NAME
from .records import list_runs
from .workers import is_left

__all__ = ["Pending", "pending_work"]

_STATES = {"scheduled": "waiting", "queued": "waiting", "running": "running"}


@dataclass(frozen=True)
class Pending:
    """One operation that is not over.

    Args:
        name: what it is called
        state: ``"waiting"`` for a runner, or ``"running"``
        progress: share that is done in [0, 1], or None where it is not told
        label: what it is doing, or ``""``
    """

    name: str
    state: str
    progress: float | None = None
    label: str = ""

    def sentence(self) -> str:
        """Returns what a person wants to know of it."""
        if self.state == "waiting":
            return (
                f"{self.name} is scheduled and waits for a runner: keep "
                "`fiftyone delegated launch` running"
            )
        done = "" if self.progress is None else f", {round(100 * self.progress)} % done"
        return f"{self.name} is at work{done}" + (f": {self.label}" if self.label else "")


def pending_work(dataset: Any) -> list[Pending]:
    """Returns what is scheduled or at work on a dataset, oldest first.

    Delegated operations of this plugin tell their progress. A run that another process made
    directly tells only that it is at work; one whose process died is not.

    Args:
        dataset: a FiftyOne dataset
    """
    from fiftyone.operators.delegated import DelegatedOperationService

    dataset = dataset._root_dataset
    found = []
    delegated_runs = set()
    for operation in DelegatedOperationService().list_operations(dataset_name=dataset.name):
        state = _STATES.get(str(operation.run_state).lower())
        if state is None or not str(operation.operator).startswith(f"{PLUGIN_NAME}/"):
            continue
        status = operation.status
        progress = getattr(status, "progress", None)
        found.append(
            Pending(
                name=str(operation.label or operation.operator),
                state=state,
                progress=None if progress is None else float(progress),
                label=str(getattr(status, "label", None) or ""),
            )
        )
        params = getattr(operation.context, "request_params", {}).get("params", {})
        delegated_runs.add(params.get("run"))
    direct = [r.run for r in list_runs(dataset) if r.state == "running" and not is_left(r)]
    found.extend(Pending(f"Run {run}", "running") for run in direct if run not in delegated_runs)
    return found
