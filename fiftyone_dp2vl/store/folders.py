"""Whose a folder is: what more than one record names is for none of them alone to delete."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .evaluations import AttackEvaluation
    from .records import ProtectionRun

__all__ = ["delete_own_files", "files_kept", "folder_problem"]


def folder_problem(dataset: Any, key: str, method: str, folder: str | Path) -> str | None:
    """Returns one sentence that says whose a folder is already, or None.

    Args:
        dataset: a FiftyOne dataset
        key: of the custom run that the folder is wanted for
        method: the kind of custom run that counts
        folder: the folder
    """
    other = _other_owner(dataset, key, method, folder)
    return f"{folder} belongs to {other}: choose another folder" if other is not None else None


def files_kept(dataset: Any, record: ProtectionRun | AttackEvaluation, method: str) -> str | None:
    """Returns one sentence that says why a record's files outlive it, or None.

    Args:
        dataset: a FiftyOne dataset
        record: that names a folder
        method: the kind of custom run that holds it, which alone counts
    """
    other = _other_owner(dataset, record.names.key, method, record.directory)
    if other is None:
        return None
    return f"the files in {record.directory} are kept, because they belong to {other} too"


def delete_own_files(
    dataset: Any,
    record: ProtectionRun | AttackEvaluation,
    method: str,
    delete: Callable[[], object],
) -> None:
    """Deletes a record's files, or warns its caller's caller why they are kept.

    Args:
        dataset: a FiftyOne dataset
        record: that names a folder
        method: the kind of custom run that holds it
        delete: deletes the files
    """
    kept = files_kept(dataset, record, method)
    if kept is None:
        delete()
    else:
        warnings.warn(kept, stacklevel=3)


def _other_owner(dataset: Any, key: str, method: str, folder: str | Path) -> str | None:
    """Returns what else of the database names a folder as its own, in words, or None.

    A cloned dataset takes the records along, a new dataset may have an old one's name and with it
    its default folder, and any folder can be given as ``output_dir``.
    """
    import fiftyone.core.odm as foo

    database = foo.get_db_conn()
    wanted = os.path.realpath(folder)
    columns = ("key", *(f"config.record.{name}" for name in ("directory", "run", "evaluation")))
    records = {"config.method": method, "config.record.directory": {"$type": "string"}}
    for found in database.runs.find(records, dict.fromkeys(columns, 1)):
        record = found["config"]["record"]
        if os.path.realpath(record["directory"]) != wanted:
            continue
        # what a deleted dataset left behind owns nothing
        owner = database.datasets.find_one({f"runs.{found['key']}": found["_id"]}, {"name": 1})
        if owner is not None and (owner["_id"], found["key"]) != (dataset._doc.id, key):
            kind = "evaluation" if "evaluation" in record else "run"
            return f"{kind} {record[kind]!r} of dataset {owner['name']!r}"
    return None
