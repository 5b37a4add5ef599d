"""What a release would hold, and what speaks against it, before anything is written."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ...errors import ConfigError, DP2VLError, RunError
from ...media import check_output_folder
from ...release import TextScanner
from ...release.staging import refuse_existing
from ..photos import all_photos, require_photos
from ..records import ProtectionRun
from ..run_fields import require_run_fields
from .audit import People, finished_run, people_of
from .beside import left_folder
from .fields import require_fields
from .formats import ReleaseFormat, format_problem, get_format
from .records import ReleaseRecord
from .text import SENTENCE, TextChoices, TextListing, list_names, list_words

__all__ = [
    "UNPROTECTED",
    "ReleasePlan",
    "check_target",
    "plan_release",
    "settle_unprotected",
    "target_problem",
]

UNPROTECTED = ("refuse", "leave-out", "include")
"""What can be done with photos of the view that are not protected."""


@dataclass(frozen=True)
class ReleasePlan:
    """What a release would hold, before anything is written.

    Attributes:
        record: the protection run
        format: the format
        fields: (field, class) of the chosen fields
        protected: ids of the protected photos, in the view's order
        unprotected: ids of the others
        words: what the chosen fields and their names would give away
        notes: what was not searched for, one sentence each
        sentence: what pixels cannot do about it
    """

    record: ProtectionRun
    format: ReleaseFormat
    fields: tuple[tuple[str, str], ...]
    protected: tuple[str, ...]
    unprotected: tuple[str, ...]
    words: tuple[TextListing, ...]
    notes: tuple[str, ...] = ()
    sentence: str = SENTENCE

    def without(self, choices: TextChoices) -> ReleasePlan:
        """Returns the plan without the fields that are dropped for their own names.

        Raises:
            ConfigError: if the format does not fit what is left
        """
        dropped = choices.left_out(self.words)
        fields = tuple((name, kind) for name, kind in self.fields if name not in dropped)
        problem = format_problem(self.format, fields)
        if problem is not None:
            raise ConfigError(problem)
        return replace(self, fields=fields)


def plan_release(
    view: Any,
    run: str | None = None,
    *,
    format: str = "directory",
    fields: Sequence[str] = (),
    identity_field: str | None = None,
) -> ReleasePlan:
    """Returns what a release would hold; nothing is written.

    Args:
        view: a FiftyOne dataset or view
        run: the protection run, default the newest complete one
        format: see :data:`fiftyone_dp2vl.store.release.formats.FORMATS`
        fields: the fields that go with the photos
        identity_field: names the people, default the run's groups

    Raises:
        ConfigError: if the view, the format or a field will not do
        RunError: if there is no such run, it is not complete, or lost its fields
    """
    record = finished_run(view._root_dataset, run)
    require_photos(view, record.filepath_field)
    made = get_format(format)
    chosen = require_fields(view, fields)
    problem = format_problem(made, chosen)
    if problem is not None:
        raise ConfigError(problem)
    require_run_fields(view, record, record.names.path, record.names.status)
    ids, status = view.values(["id", record.names.status])
    pairs = list(zip(ids, status, strict=True))
    values = {name: view.values(name) for name, _ in chosen}
    people = people_of(all_photos(view._root_dataset), record, identity_field)
    scanner = _scanner(view, record, people)
    words = list_words(values, scanner)
    if made.tells_names:
        words = [*list_names(values, len(ids), scanner), *words]
    return ReleasePlan(
        record=record,
        format=made,
        fields=tuple(chosen),
        protected=tuple(key for key, state in pairs if state == "protected"),
        unprotected=tuple(key for key, state in pairs if state != "protected"),
        words=tuple(words),
        notes=(people.note,) if people.note is not None else (),
    )


def target_problem(view: Any, record: ProtectionRun, directory: str | Path) -> str | None:
    """Returns one sentence that says why a release cannot go to a folder, or None."""
    target = Path(directory).expanduser().absolute()
    parent = next((p for p in target.parents if p.exists()), target)
    if not parent.is_dir() or not os.access(parent, os.W_OK):
        return f"files cannot be written to {target}: choose another folder"
    try:
        check_target(view, record, target)
    except DP2VLError as error:
        return str(error)
    return None


def settle_unprotected(plan: ReleasePlan, choice: str, confirmed: int | None) -> None:
    """Refuses to go on where it was not decided what is done with unprotected photos.

    Args:
        plan: the release's
        choice: one of :data:`UNPROTECTED`
        confirmed: for ``"include"``, how many such photos somebody confirmed

    Raises:
        ConfigError: if the choice is unknown
        RunError: if there are such photos, and they are to be refused or their number is another
    """
    count = len(plan.unprotected)
    if choice not in UNPROTECTED:
        listed = ", ".join(UNPROTECTED)
        raise ConfigError(f"unprotected is {choice!r}: choose {listed}")
    if count and choice == "refuse":
        raise RunError(
            f"{count} of {count + len(plan.protected)} photos are not protected by run "
            f"{plan.record.run!r}: leave them out, or include them and confirm how many"
        )
    if count and choice == "include" and confirmed != count:
        told = "nothing was confirmed" if confirmed is None else f"{confirmed} were confirmed"
        raise RunError(
            f"{count} photos would be released as they are, without protection, and {told}: look "
            f"at them and confirm {count}"
        )


def check_target(view: Any, record: ProtectionRun, target: Path) -> ReleaseRecord | None:
    """Refuses a folder that is not new, or lies among the originals or the run's files.

    Returns:
        the record of the release that is there, if it was interrupted before it was recorded as
        complete; None where nothing is there

    Raises:
        RunError: if it does
    """
    earlier = left_folder(view._root_dataset, target)
    if earlier is None:
        refuse_existing(target)
    originals = all_photos(view._root_dataset).values(record.filepath_field)
    check_output_folder(target, [path for path in originals if path])
    run = Path(os.path.realpath(record.directory))
    real = Path(os.path.realpath(target))
    if real == run or run in real.parents or real in run.parents:
        raise RunError(
            f"{target} and the run's folder lie one inside the other: choose another one"
        )
    return earlier


def _scanner(view: Any, record: ProtectionRun, people: People) -> TextScanner:
    dataset = all_photos(view._root_dataset)
    return TextScanner(
        people.names,
        [path for path in dataset.values(record.filepath_field) if path],
        dataset.values("id"),
    )
