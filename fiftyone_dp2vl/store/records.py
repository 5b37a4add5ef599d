"""What a dataset remembers of a run, as one of FiftyOne's custom runs."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from typing import Any

from ..config import OutputConfig, ProtectionConfig, SelectionConfig
from ..errors import RunError
from .names import PREFIX, RunNames
from .schema import changing

__all__ = [
    "METHOD",
    "ProtectionRun",
    "forget_run",
    "list_runs",
    "load_run",
    "next_run_name",
    "save_run",
]

METHOD = "dp2vl/protect"


@dataclass(frozen=True)
class ProtectionRun:
    """A run on a dataset, with all that is needed to make it again.

    Args:
        run: its name
        state: ``"running"``, ``"complete"``, or ``"stopped"`` (call again to resume)
        directory: where its files are
        protection: how photos were moved
        selection: which photos were
        output: how they were written
        filepath_field: field with the original files
        group_field: field with the groups (persons), or None
        mask_field: field that confined the protection, or None
        encoders: name, weights' hash and licence of each surrogate
        photos: photos in the run
        counts: photos by status
        fields: sample fields that belong to the run
        brain_keys: plots that belong to the run
        fingerprints: of the configurations
        versions: of the software
        device: type of device that the run was made on
        targets_sha256: of the targets that the photos were moved toward
        strategy: that moved the named photos, or all where nobody is named: what ``auto`` came to
        started: ISO date and time, UTC
        seconds: that the last call took
        resumed: whether that call went on with what an earlier one had begun
        error: why it stopped, or None
        worker: the process that is at work on it, as
            :func:`~fiftyone_dp2vl.store.workers.this_worker` names it, or ``""``
    """

    run: str
    state: str
    directory: str
    protection: ProtectionConfig
    selection: SelectionConfig
    output: OutputConfig
    filepath_field: str = "filepath"
    group_field: str | None = None
    mask_field: str | None = None
    encoders: tuple[dict[str, Any], ...] = ()
    photos: int = 0
    counts: dict[str, int] = field(default_factory=dict)
    fields: tuple[str, ...] = ()
    brain_keys: tuple[str, ...] = ()
    fingerprints: dict[str, str] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    device: str = ""
    targets_sha256: str | None = None
    strategy: str = ""
    started: str = ""
    seconds: float = 0.0
    resumed: bool = False
    error: str | None = None
    worker: str = ""

    @property
    def names(self) -> RunNames:
        """The names that the run uses on its dataset."""
        return RunNames(self.run, self.protection.encoders)

    def to_dict(self) -> dict[str, Any]:
        """Returns the record as plain JSON values."""
        # through JSON: what comes from the database are documents that only look like dictionaries
        configs = ("protection", "selection", "output")
        plain = {
            k: getattr(self, k).to_dict() if k in configs else v for k, v in vars(self).items()
        }
        data: dict[str, Any] = json.loads(json.dumps(plain))
        return data

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> ProtectionRun:
        """Returns the record that :meth:`to_dict` described."""
        data = json.loads(json.dumps(data))
        return cls(
            **{
                **data,
                "protection": ProtectionConfig.from_dict(data["protection"]),
                "selection": SelectionConfig.from_dict(data["selection"]),
                "output": OutputConfig.from_dict(data["output"]),
                "encoders": tuple(data["encoders"]),
                "fields": tuple(data["fields"]),
                "brain_keys": tuple(data["brain_keys"]),
            }
        )


def now() -> str:
    """Returns the date and time, UTC, as ISO text."""
    return datetime.now(timezone.utc).isoformat(timespec="seconds")


def save_run(dataset: Any, record: ProtectionRun, **changes: Any) -> ProtectionRun:
    """Stores a record, new or changed, and returns it.

    Args:
        dataset: a FiftyOne dataset
        record: the run's
        changes: attributes of the record to change first
    """
    record = replace(record, **changes)
    key = record.names.key
    config = dataset.init_run(method=METHOD, record=record.to_dict())
    with changing(dataset):
        if dataset.has_run(key):
            dataset.update_run_config(key, config)
        else:
            dataset.register_run(key, config)
    return record


def load_run(dataset: Any, run: str) -> ProtectionRun:
    """Returns a run's record.

    Raises:
        RunError: if the dataset has no such run
    """
    for record in list_runs(dataset):
        if record.run == run:
            return record
    known = ", ".join(record.run for record in list_runs(dataset)) or "none"
    raise RunError(f"no run {run!r} on dataset {dataset.name!r}: its runs are {known}")


def list_runs(dataset: Any) -> list[ProtectionRun]:
    """Returns the records of a dataset's runs, oldest first."""
    dataset = dataset._root_dataset
    records = [
        ProtectionRun.from_dict(dataset.get_run_info(key).config.record)
        for key in dataset.list_runs(method=METHOD)
    ]
    return sorted(records, key=lambda record: (record.started, record.run))


def forget_run(dataset: Any, record: ProtectionRun) -> None:
    """Deletes a run's record."""
    dataset.delete_run(record.names.key)


def next_run_name(dataset: Any) -> str:
    """Returns the first of ``run1``, ``run2``, ... that the dataset does not have yet."""
    taken = set(dataset._root_dataset.list_runs())
    number = 1
    while f"{PREFIX}run{number}" in taken:
        number += 1
    return f"run{number}"
