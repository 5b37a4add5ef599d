"""A dataset as an audit sees it, and the audit of a folder against it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from ...errors import RunError
from ...release import AuditReport, PrivatePhoto, PrivateSet, audit_release as audit_folder
from ...runs import Cosines, Progress
from ..photos import GROUP_KINDS, all_photos, field_problem, group_values
from ..records import ProtectionRun, list_runs, load_run
from ..run_fields import columns, require_run_fields
from .vectors import vectors_of

if TYPE_CHECKING:
    from ...encoders import Encoder

__all__ = ["People", "audit_release", "finished_run", "people_of", "private_set"]


class People(NamedTuple):
    """Who is on the photos of a dataset.

    Attributes:
        names: sorted; empty where no field says them
        note: one sentence where there are none, else None
    """

    names: tuple[str, ...]
    note: str | None


def audit_release(
    directory: str | Path,
    dataset: Any,
    run: str | None = None,
    *,
    identity_field: str | None = None,
    allow_unprotected: int = 0,
    keep_text: Collection[str] = (),
    signed_off_by: str = "",
    surrogates: Sequence[Encoder] | None = None,
    device: str | None = None,
    progress: Callable[[Progress], None] | None = None,
    cancel: Callable[[], bool] | None = None,
) -> AuditReport:
    """Says what a folder gives away of a dataset.

    Args:
        directory: the folder; nothing in it is changed
        dataset: a FiftyOne dataset with the clean originals; all of it counts, not a view
        run: the protection run that the release was made of, default the newest complete one
        identity_field: strings or classifications that name the people, default the run's groups
        allow_unprotected: photos without protection that may be there
        keep_text: kinds of words that may stand there, see :data:`fiftyone_dp2vl.release.KINDS`
        signed_off_by: who answers for the audit
        surrogates: the run's encoders, where they are loaded already
        device: for encoders that are not; default the GPU where there is one
        progress: called while it goes on
        cancel: asked while it goes on

    Raises:
        RunError: if there is no such run
        DP2VLError: if the folder does not exist
        Cancelled: if ``cancel`` said so
    """
    dataset = dataset._root_dataset
    record = finished_run(dataset, run)
    if surrogates is None:
        from ...encoders import default_device, load_encoder

        device = device or default_device()
        surrogates = [load_encoder(n, device=device) for n in record.protection.encoders]
    report = audit_folder(
        directory,
        private_set(dataset, record, identity_field),
        encoders=surrogates,
        allow_unprotected=allow_unprotected,
        keep_text=keep_text,
        signed_off_by=signed_off_by,
        progress=progress,
        cancel=cancel,
    )
    note = people_of(all_photos(dataset), record, identity_field).note
    return report if note is None else replace(report, notes=(*report.notes, note))


def finished_run(dataset: Any, run: str | None) -> ProtectionRun:
    """Returns a run that is complete, by default the newest.

    Raises:
        RunError: if there is none, or it is not complete
    """
    if run is not None:
        record = load_run(dataset, run)
        if record.state != "complete":
            raise RunError(f"run {run!r} is {record.state}: protect again under its name first")
        return record
    complete = [record for record in list_runs(dataset) if record.state == "complete"]
    if not complete:
        raise RunError(f"dataset {dataset.name!r} has no complete protection run: protect it first")
    return complete[-1]


def private_set(
    dataset: Any, record: ProtectionRun, identity_field: str | None = None
) -> PrivateSet:
    """Returns what of a dataset must not leave, for the audit of a release of one run.

    Args:
        dataset: a FiftyOne dataset; all of its photos count
        record: the run
        identity_field: names the people, default the run's groups

    Raises:
        RunError: if the fields that say which photos are protected were removed
    """
    everything = all_photos(dataset)
    names = record.names
    require_run_fields(dataset, record, names.path, names.status)
    encoders = record.protection.encoders
    fields = ["id", record.filepath_field, names.path, names.status, names.linf]
    fields += [names.token_cosine(e) for e in encoders] + [names.pooled_cosine(e) for e in encoders]
    photos = []
    for key, original, path, status, linf, *figures in zip(
        *columns(everything, fields), strict=True
    ):
        if original is None:
            continue
        pairs = zip(figures[: len(encoders)], figures[len(encoders) :], strict=True)
        cosines = {
            encoder: Cosines(token, pooled)
            for encoder, (token, pooled) in zip(encoders, pairs, strict=True)
            if token is not None and pooled is not None
        }
        protected = Path(path) if status == "protected" and path else None
        photos.append(PrivatePhoto(key, Path(original), protected, linf, cosines))
    return PrivateSet(
        photos=photos,
        epsilon=record.protection.epsilon,
        lossy=record.output.format == "jpeg",
        encoders=encoders,
        identities=people_of(everything, record, identity_field).names,
        embeddings=vectors_of(everything),
        run=record.run,
    )


def people_of(view: Any, record: ProtectionRun, identity_field: str | None) -> People:
    """Returns the names of the people, and a note where no field says them.

    Args:
        view: all photos of a dataset
        record: the run, whose groups are the people by default
        identity_field: names the people

    Raises:
        ConfigError: if ``identity_field`` is not of a type that can
    """
    field = identity_field or record.group_field
    if field is None:
        return People((), f"no field names the people on the photos, {_UNSEARCHED}")
    problem = None if identity_field else field_problem(view, field, GROUP_KINDS)
    if problem is not None:
        told = f"field {field!r}, which named the people for run {record.run!r}, will not do"
        return People((), f"{told} ({problem}), {_UNSEARCHED}")
    names = tuple(sorted({name for name in group_values(view, field) if name}))
    return People(names, None if names else f"field {field!r} names nobody, {_UNSEARCHED}")


_UNSEARCHED = "so no person's name was searched for: name a field that does as identity_field"
