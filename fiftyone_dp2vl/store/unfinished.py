"""Runs that were begun and are at work nowhere: what the same call would go on with."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

from ..errors import RunError
from ..runs.folder import has_begun
from ..runs.manifest import ITEMS, ItemList
from .photos import all_photos
from .records import ProtectionRun, list_runs, next_run_name
from .settings import Settings
from .workers import is_left

__all__ = ["begun_photos", "begun_problem", "is_begun", "proposed_run", "unfinished_run"]

_FIELDS = ("filepath_field", "group_field", "mask_field")


def proposed_run(
    view: Any,
    settings: Settings,
    *,
    output_dir: str | None = None,
    filepath_field: str = "filepath",
    group_field: str | None = None,
    mask_field: str | None = None,
) -> str:
    """Returns the name of a run that is not named: that of the same unfinished run, or a new one.

    Args:
        view: a FiftyOne dataset or view
        settings: the run's
        output_dir: the folder that is asked for, or None for any
        filepath_field: the field with the original files
        group_field: the field that says who is on a photo, or None
        mask_field: the field that confines the protection, or None
    """
    fields = (filepath_field, group_field, mask_field)
    found = unfinished_run(view, settings, fields, output_dir)
    return found.run if found is not None else next_run_name(view)


def unfinished_run(
    view: Any,
    settings: Settings,
    fields: tuple[str, str | None, str | None],
    output_dir: str | None = None,
) -> ProtectionRun | None:
    """Returns the newest run of the same photos and settings that stopped, or None.

    Args:
        view: a FiftyOne dataset or view
        settings: the run's
        fields: ``filepath_field``, ``group_field`` and ``mask_field`` of the run
        output_dir: the folder that is asked for, or None for any
    """
    ids: Collection[str] | None = None
    for record in reversed(list_runs(view)):
        if record.state == "complete" or not is_left(record) or _differences(record, settings):
            continue
        if tuple(getattr(record, name) for name in _FIELDS) != fields:
            continue
        if output_dir is not None and Path(output_dir).expanduser().absolute() != Path(
            record.directory
        ):
            continue
        ids = view.values("id") if ids is None else ids
        if _same_photos(record, ids):
            return record
    return None


def is_begun(record: ProtectionRun) -> bool:
    """Says whether a run's settings can no longer change; so it is where that cannot be read."""
    try:
        return has_begun(Path(record.directory))
    except RunError:
        return True


def begun_photos(view: Any, run: Any) -> Any | None:
    """Returns a view of the photos that an unfinished run was begun with, if they are not a view's.

    Photos that have left the dataset are not among them.

    Args:
        view: a FiftyOne dataset or view
        run: the run's name

    Returns:
        the view; None where there is no such run, or the given view has just these photos
    """
    record = next((record for record in list_runs(view) if record.run == run), None)
    if record is None or record.state == "complete" or not is_begun(record):
        return None
    try:
        items = ItemList.load(Path(record.directory))
    except RunError:
        return None
    ids = [*(key for key, _ in items.selected), *items.clean]
    own = all_photos(view._root_dataset).select(ids)
    return None if set(own.values("id")) == set(view.values("id")) else own


def begun_problem(
    view: Any,
    record: ProtectionRun,
    settings: Settings,
    fields: tuple[str, str | None, str | None],
) -> str | None:
    """Returns one sentence if a run was begun with something else, or None if it can go on.

    Photos may have left the dataset since. Photos that are there and only not in the view may
    not: the run would end without them, and could not be gone on with.

    Args:
        view: a FiftyOne dataset or view, the photos that are asked for now
        record: an unfinished run's
        settings: that are asked for now
        fields: ``filepath_field``, ``group_field`` and ``mask_field`` that are asked for now
    """
    if not is_begun(record):
        return None
    lines = _differences(record, settings)
    lines += [
        f"{name}: {getattr(record, name)!r} became {value!r}"
        for name, value in zip(_FIELDS, fields, strict=True)
        if getattr(record, name) != value
    ]
    if lines:
        return (
            f"run {record.run!r} was begun with other settings ({'; '.join(lines)}): give the same "
            "to go on with it, or choose another name"
        )
    try:
        items = ItemList.load(Path(record.directory))
    except RunError as error:
        return str(error)
    ids, begun = set(view.values("id")), {key for key, _ in items.selected}
    gone = begun - ids
    left_out = all_photos(view._root_dataset).select(list(gone)).count() if gone else 0
    for count, what in (
        (left_out, "with {} photos more than this view has"),
        (len(ids - begun - set(items.clean)), "without {} of this view's photos"),
    ):
        if count:
            return (
                f"run {record.run!r} was begun {what.format(count)}: choose the same view to go on "
                "with it, or another name"
            )
    return None


def _differences(record: ProtectionRun, settings: Settings) -> list[str]:
    return [
        line
        for name in Settings._fields
        for line in getattr(record, name).difference(getattr(settings, name))
    ]


def _same_photos(record: ProtectionRun, ids: Collection[str]) -> bool:
    directory = Path(record.directory)
    if not (directory / ITEMS).is_file():  # stopped before its folder was begun
        return record.photos == len(ids)
    try:
        items = ItemList.load(directory)
    except RunError:
        return False
    return {*(key for key, _ in items.selected), *items.clean} == set(ids)
