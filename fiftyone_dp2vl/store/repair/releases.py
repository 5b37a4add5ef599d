"""A release that was interrupted: what it left, and whether it had come to its end."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from ...release.staging import clear_workshop, workshop_of
from ..release.beside import has_sidecar, left_folder, part_of
from ..release.records import ReleaseRecord, list_releases, save_release, scratch_dataset
from ..workers import is_held
from .disagreements import Disagreement

__all__ = ["check_release"]


def check_release(dataset: Any, record: ReleaseRecord) -> Iterator[Disagreement]:
    """Yields what an interrupted release left; nothing of one that is at work or complete.

    A release that is complete may have gone anywhere: that is what it is for. One that is not is
    taken for complete only if its folder and its sidecar are, byte for byte, what the dataset noted
    when they had passed the audit; the report beside the folder anybody could have written.

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
    if workshop.is_dir():
        yield tell(
            "release-leftovers",
            f"{which} was interrupted and left the hidden folder {workshop}",
            action=f"{workshop} removed",
            mend=partial(clear_workshop, workshop),
        )
    part = part_of(Path(record.sidecar)) if record.sidecar else None
    if part is not None and part.is_file() and not part.is_symlink():
        yield tell(
            "release-leftovers",
            f"{which} was interrupted and left the hidden file {part}",
            action=f"{part} removed",
            mend=partial(part.unlink, missing_ok=True),
        )
    scratch = scratch_dataset(record)
    if fo.dataset_exists(scratch):
        yield tell(
            "release-dataset",
            f"{which} was interrupted and left the dataset {scratch!r}",
            action=f"the dataset {scratch!r} deleted",
            mend=partial(fo.delete_dataset, scratch),
        )
    is_there = left_folder(dataset, directory) == record
    if is_there and has_sidecar(record):
        yield tell(
            "release-unrecorded",
            f"{which} is there, whole and audited, but it is not recorded as complete",
            action="the release is recorded as complete",
            mend=partial(_finish, dataset, record),
        )
    elif is_there:
        yield tell(
            "release-interrupted",
            f"{which} is there, but its sidecar {record.sidecar} is gone or another",
            f"move {directory} away and give the same command again, which makes both",
        )
    elif not _is_superseded(dataset, record):
        yield tell("release-interrupted", *_unfinished(record, which))


def _unfinished(record: ReleaseRecord, which: str) -> tuple[str, str]:
    """Returns what is to be said of a release that did not come to its end, and the advice."""
    directory = Path(record.directory)
    again = "give the same command again, which makes the same files"
    if os.path.lexists(directory) and not (directory.is_dir() and not any(directory.iterdir())):
        return (
            f"{which} did not come to its end, and what is there now is not known to be its files",
            f"move {directory} away, or choose another folder; then {again}",
        )
    if record.sidecar and has_sidecar(record):
        return (
            f"{which} did not come to its end and left the sidecar {record.sidecar}",
            f"{again} and replaces the sidecar; without that, delete it",
        )
    return f"{which} did not come to its end", again


def _is_superseded(dataset: Any, record: ReleaseRecord) -> bool:
    """Returns whether another release to the same folder was made since."""
    return any(
        other.state == "complete" and other.directory == record.directory
        for other in list_releases(dataset)
    )


def _finish(dataset: Any, record: ReleaseRecord) -> None:
    save_release(dataset, record, state="complete")
