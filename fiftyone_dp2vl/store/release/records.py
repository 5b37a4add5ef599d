"""What a dataset remembers of its releases: where they went, and which photo became which file.

A release's secret orders and names its files. It stays in the database, so that a release that was
interrupted can be made again to the byte, and nobody else can tell the order of the samples.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
from dataclasses import asdict, dataclass, replace
from typing import Any

from ..names import PREFIX
from ..records import now

__all__ = [
    "METHOD",
    "ReleaseRecord",
    "begin_release",
    "list_releases",
    "released_files",
    "save_release",
    "save_released_files",
    "scratch_dataset",
]

METHOD = "dp2vl/release"


@dataclass(frozen=True)
class ReleaseRecord:
    """A release of a dataset.

    Args:
        key: of FiftyOne's custom run
        directory: where it went
        run: the protection run
        format: its format
        secret: hex; orders and names the files
        state: ``"running"`` or ``"complete"``
        started: ISO date and time, UTC
        fields: the fields that went with it
        unprotected: photos without protection in it
        tree_sha256: of the folder, as the audit saw it; noted before anybody can see the folder
        sidecar: what restores the originals, or empty
        sidecars_sha256: of every sidecar that was sealed for this release, the last one last: an
            interrupted release leaves one that may be replaced
    """

    key: str
    directory: str
    run: str
    format: str
    secret: str
    state: str = "running"
    started: str = ""
    fields: tuple[str, ...] = ()
    unprotected: int = 0
    tree_sha256: str = ""
    sidecar: str = ""
    sidecars_sha256: tuple[str, ...] = ()


def scratch_dataset(record: ReleaseRecord) -> str:
    """Returns the name of the dataset by way of which a release is exported."""
    secret = bytes.fromhex(record.secret)
    # some exporters write it down, so it must tell nothing
    return f"release-{hmac.new(secret, b'dataset', hashlib.sha256).hexdigest()[:8]}"


def list_releases(dataset: Any) -> list[ReleaseRecord]:
    """Returns the records of a dataset's releases, oldest first."""
    dataset = dataset._root_dataset
    found = []
    for key in dataset.list_runs(method=METHOD):
        # through JSON: what comes from the database are documents that only look like dictionaries
        data = json.loads(json.dumps(dataset.get_run_info(key).config.record))
        lists = {name: tuple(data.get(name, ())) for name in ("fields", "sidecars_sha256")}
        found.append(ReleaseRecord(**{**data, **lists}))
    return sorted(found, key=lambda record: (record.started, record.key))


def begin_release(dataset: Any, directory: str, run: str, format_name: str) -> ReleaseRecord:
    """Returns the record of a release that begins, or of the same one that was interrupted."""
    for record in list_releases(dataset):
        same = (record.directory, record.run, record.format) == (directory, run, format_name)
        if same and record.state == "running":
            return record
    taken, number = set(dataset.list_runs()), 1
    while f"{PREFIX}release{number}" in taken:
        number += 1
    record = ReleaseRecord(
        key=f"{PREFIX}release{number}",
        directory=directory,
        run=run,
        format=format_name,
        secret=secrets.token_hex(16),
        started=now(),
    )
    return save_release(dataset, record)


def save_release(dataset: Any, record: ReleaseRecord, **changes: Any) -> ReleaseRecord:
    """Stores a record, new or changed, and returns it."""
    record = replace(record, **changes)
    config = dataset.init_run(method=METHOD, record=asdict(record))
    if dataset.has_run(record.key):
        dataset.update_run_config(record.key, config)
    else:
        dataset.register_run(record.key, config)
    return record


def save_released_files(dataset: Any, record: ReleaseRecord, files: dict[str, str]) -> None:
    """Stores which sample (id) became which file of a release."""
    results = dataset.init_run_results(record.key, files=files)
    dataset.save_run_results(record.key, results, overwrite=True)


def released_files(dataset: Any, key: str) -> dict[str, str]:
    """Returns sample id -> path in a release, of a release by its key."""
    files: dict[str, str] = dict(dataset.load_run_results(key).files)
    return files
