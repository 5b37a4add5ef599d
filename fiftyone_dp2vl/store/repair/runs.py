"""A protection run: does what the dataset says of it agree with its folder?"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Any

from ...runs.lock import locked
from ..photos import all_photos
from ..records import ProtectionRun, load_run, save_run
from ..run_fields import columns
from ..workers import is_held, is_working
from .disagreements import Disagreement, Tick, counted
from .files import FolderState, leftovers, set_aside, state_of_file

__all__ = ["check_run", "photos_of"]

_CAUSES = {
    "file-gone": "the protected files of {photos} are gone",
    "file-altered": "the protected files of {photos} are not what the run wrote",
    "fields-differ": "what the fields of {photos} say is not what the run's folder says",
}


def photos_of(record: ProtectionRun) -> int:
    """Returns how many files a thorough look at a run reads, at most."""
    return record.counts.get("protected", record.photos)


def check_run(
    dataset: Any, record: ProtectionRun, *, thorough: bool, tick: Tick
) -> Iterator[Disagreement]:
    """Yields what disagrees; nothing of a run that is at work.

    Args:
        dataset: a FiftyOne dataset
        record: the run's
        thorough: whether protected files are read, or only their sizes compared
        tick: called for every photo
    """
    directory = Path(os.path.abspath(record.directory))
    again = f"start run {record.run!r} again with the same settings, which makes the same files"
    tell = partial(Disagreement, dataset.name)
    alive = is_working(record.worker)
    if is_held(directory) or (record.state == "running" and alive):
        return
    if record.state == "running" and record.worker and alive is None:
        yield tell(
            "run-elsewhere",
            f"run {record.run!r} is recorded as at work on another machine",
            f"if nothing is at work there, {again}",
        )
        return
    if record.state == "running":
        yield tell(
            "run-dead",
            f"run {record.run!r} is recorded as at work, but its process is gone",
            again,
            "the run is recorded as stopped",
            partial(_stop, dataset, record.run, "its process died"),
        )
    elif record.state == "stopped":
        yield tell(
            "run-stopped",
            f"run {record.run!r} stopped before its end"
            + (f" ({record.error})" if record.error else ""),
            f"{again}, or delete the run",
        )
    folder = FolderState(directory)
    if folder.problem is not None:
        yield tell(
            "folder-unreadable",
            f"the folder of run {record.run!r} cannot be checked: {folder.problem}",
            f"put back what is missing in {directory}, or delete the run and protect again",
        )
    temporary = leftovers(directory) if folder.is_there else []
    if temporary:
        yield tell(
            "leftovers",
            f"a killed run left {counted(len(temporary), 'temporary file')} in {directory}",
            action=f"{counted(len(temporary), 'temporary file')} removed",
            mend=partial(_remove, directory, temporary),
        )
    yield from _check_fields(tell, dataset, record, again)
    wrong = _wrong_photos(dataset, record, folder, thorough, tick)
    for code, text in _CAUSES.items():
        ids = [key for key, (why, _) in wrong.items() if why == code]
        if not ids:
            continue
        files = [path for key in ids if (path := wrong[key][1]) is not None]
        photos = counted(len(ids), "photo")
        action = f"{photos} set back to not protected"
        if files:
            action += f", {counted(len(files), 'altered file')} moved to {directory / 'altered'}"
        sentence = text.format(photos=photos)
        yield tell(
            code,
            f"run {record.run!r}: {sentence}",
            again,
            action,
            partial(_set_back, dataset, record.run, ids, files, sentence),
        )


def _check_fields(
    tell: Any, dataset: Any, record: ProtectionRun, again: str
) -> Iterator[Disagreement]:
    if record.state != "complete":
        return
    missing = [name for name in record.names.fields() if not dataset.has_sample_field(name)]
    if missing:
        yield tell(
            "fields-gone",
            f"run {record.run!r} is recorded as complete, but the dataset lacks its "
            f"{counted(len(missing), 'field')} {', '.join(missing[:3])}"
            + (", ..." if len(missing) > 3 else ""),
            again,
            "the run is recorded as stopped",
            partial(_stop, dataset, record.run, "fields of it were deleted"),
        )


def _wrong_photos(
    dataset: Any, record: ProtectionRun, folder: FolderState, thorough: bool, tick: Tick
) -> dict[str, tuple[str, Path | None]]:
    """Returns sample id -> what is wrong, and the altered file."""
    claims = _claims(dataset, record)
    states = {}
    for key, told in folder.files.items():
        tick()
        states[key] = state_of_file(told, thorough=thorough)
    wrong: dict[str, tuple[str, Path | None]] = {
        key: ("file-altered", folder.files[key].path)
        for key, state in states.items()
        if state == "altered"
    }
    for key, (path, status) in claims.items():
        if key in wrong:
            continue
        claimed = status == "protected" or path is not None
        mine = folder.files.get(key)
        if claimed and (states.get(key) == "gone" or (path and not os.path.isfile(path))):
            wrong[key] = ("file-gone", None)
            continue
        if folder.problem is not None or record.state != "complete":
            continue  # nothing to compare with, or not all was written to the fields yet
        expected = (str(mine.path), "protected") if mine is not None else None
        # a photo without a status is one that the run was not asked about
        if (claimed or (mine is not None and status is not None)) and (path, status) != expected:
            wrong[key] = ("fields-differ", None)
    return wrong


def _claims(dataset: Any, record: ProtectionRun) -> Mapping[str, tuple[str | None, str | None]]:
    """Returns sample id -> (path, status) as the dataset has them."""
    names = record.names
    ids, *claims = columns(all_photos(dataset), ["id", names.path, names.status])
    return dict(zip(ids, zip(*claims, strict=True), strict=True))


def _stop(dataset: Any, run: str, why: str) -> None:
    save_run(dataset, load_run(dataset, run), state="stopped", worker="", error=why)


def _remove(directory: Path, files: list[Path]) -> None:
    with locked(directory):
        for path in files:
            path.unlink(missing_ok=True)


def _set_back(dataset: Any, run: str, ids: list[str], files: list[Path], why: str) -> None:
    """Makes photos not protected, so that the run protects them again.

    In this order a repair that is interrupted is found again.
    """
    record = load_run(dataset, run)
    directory = Path(os.path.abspath(record.directory))
    with locked(directory) if directory.is_dir() else nullcontext():
        for path in files:
            set_aside(directory, path)
        record = save_run(dataset, record, state="stopped", worker="", error=why)
        photos = all_photos(dataset)
        known = set(photos.values("id"))
        mine = [key for key in ids if key in known]
        names = record.names
        for field in record.fields:
            if not field.startswith(f"{names.key}_emb_clean_"):  # an original's stays true
                _set(dataset, photos, field, dict.fromkeys(mine))
        _set(dataset, photos, names.error, dict.fromkeys(mine, _sentence(why, run)))
        _set(dataset, photos, names.status, dict.fromkeys(mine, "failed"))
        if record.counts and dataset.has_sample_field(names.status):
            counted_now = photos.count_values(names.status)
            counts = {state: counted_now.get(state, 0) for state in record.counts}
            save_run(dataset, record, counts=counts)


def _set(dataset: Any, photos: Any, field: str, values: dict[str, Any]) -> None:
    if values and dataset.has_sample_field(field):
        photos.set_values(field, values, key_field="id")


def _sentence(why: str, run: str) -> str:
    return f"not protected any more, because {why}: start run {run!r} again"
