"""A release that was interrupted: what it left, and whether it had come to its end."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from ...errors import DP2VLError
from ...release import AuditReport
from ...release.staging import clear_workshop, workshop_of
from ...release.tree import list_folder, tree_sha256
from ..release.records import ReleaseRecord, save_release, scratch_dataset
from ..workers import is_held
from .disagreements import Disagreement
from .files import sha256_of

__all__ = ["check_release"]


def check_release(dataset: Any, record: ReleaseRecord) -> Iterator[Disagreement]:
    """Yields what an interrupted release left; nothing of one that is at work or complete.

    A release that is complete may have gone anywhere: that is what it is for.

    Args:
        dataset: a FiftyOne dataset
        record: the release's
    """
    import fiftyone as fo

    directory = Path(record.directory)
    workshop = workshop_of(directory)
    if record.state == "complete" or is_held(workshop):
        return
    tell = partial(Disagreement, dataset.name)
    which = f"the release of run {record.run!r} to {directory}"
    again = "give the same command again, which makes the same files"
    if workshop.is_dir():
        yield tell(
            "release-leftovers",
            f"{which} was interrupted and left the hidden folder {workshop}",
            action=f"{workshop} removed",
            mend=partial(clear_workshop, workshop),
        )
    scratch = scratch_dataset(record)
    if fo.dataset_exists(scratch):
        yield tell(
            "release-dataset",
            f"{which} was interrupted and left the dataset {scratch!r}",
            action=f"the dataset {scratch!r} deleted",
            mend=partial(fo.delete_dataset, scratch),
        )
    report = _audit_of(directory)
    if report is not None:
        yield tell(
            "release-unrecorded",
            f"{which} is there, whole and audited, but it is not recorded as complete",
            action="the release is recorded as complete",
            mend=partial(_finish, dataset, record, report),
        )
    else:
        yield tell("release-interrupted", f"{which} did not come to its end", again)


def _audit_of(directory: Path) -> AuditReport | None:
    """Returns the audit beside a folder, if the folder passed it and is as it was then."""
    path = directory.with_name(f"{directory.name}.audit.json")
    try:
        report = AuditReport.from_dict(json.loads(path.read_text(encoding="utf-8")))
        files = list_folder(directory).files
        hashes = [(name, sha256_of(file)) for name, file in files.items()]
    except (OSError, ValueError, DP2VLError):
        return None
    return report if report.passed and report.tree_sha256 == tree_sha256(hashes) else None


def _finish(dataset: Any, record: ReleaseRecord, report: AuditReport) -> None:
    save_release(
        dataset,
        record,
        state="complete",
        unprotected=report.unprotected,
        tree_sha256=report.tree_sha256,
    )
