"""Deleting a run: its fields, plots, record and files, and nothing else."""

from __future__ import annotations

from typing import Any

from ..errors import RunError
from .files import delete_run_files
from .folders import delete_own_files
from .plots import delete_plots
from .records import METHOD, ProtectionRun, forget_run, load_run
from .schema import changing
from .workers import is_working

__all__ = ["delete_run", "withdraw_media_field"]


def delete_run(dataset: Any, run: str, *, delete_files: bool = True) -> ProtectionRun:
    """Deletes a run from a dataset.

    Args:
        dataset: a FiftyOne dataset
        run: the run's name
        delete_files: whether to delete the protected files too. Only files that the run wrote are
            deleted; its folder goes when nothing else is in it. Where another run names the
            folder too, as a cloned dataset's does, its files are kept, with a warning

    Returns:
        the record of what was deleted

    Raises:
        RunError: if there is no such run, or it is at work
    """
    dataset = dataset._root_dataset
    record = load_run(dataset, run)
    if record.state == "running" and is_working(record.worker):
        raise RunError(f"run {run!r} is at work: wait for its end or cancel it, then delete it")
    # files first: if that fails the record is still there, and the call can be repeated
    if delete_files:
        delete_own_files(dataset, record, METHOD, lambda: delete_run_files(record.directory))
    delete_plots(dataset, list(record.brain_keys) or _plots_of(record))
    withdraw_media_field(dataset, record.names.path)
    fields = [field for field in record.fields if dataset.has_sample_field(field)]
    if fields:
        dataset.delete_sample_fields(fields)
    forget_run(dataset, record)
    return record


def _plots_of(record: ProtectionRun) -> list[str]:
    """Returns the plots that a run which stopped may have left."""
    names = record.names
    return [key for encoder in names.slugs for key in names.brain_keys(encoder)]


def withdraw_media_field(dataset: Any, field: str) -> None:
    """Makes the App forget a media field, before the field itself goes."""
    with changing(dataset):
        config = dataset.app_config
        if field in config.media_fields:
            config.media_fields.remove(field)
        for choice in ("grid_media_field", "modal_media_field"):
            if getattr(config, choice, None) == field:
                setattr(config, choice, "filepath")
        dataset.save()
