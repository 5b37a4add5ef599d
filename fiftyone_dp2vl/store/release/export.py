"""Exporting a release: protected files under neutral names, chosen fields, and nothing else."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import ConfigError, RunError
from ...media.atomic import write_atomically
from ...release import AuditReport
from ...release.passphrase import check_passphrase
from ...release.restoration import SUFFIX
from ...release.staging import staged
from ...runs import Progress
from .audit import audit_release, private_set
from .job import ReleaseJob
from .plan import check_target, plan_release, settle_unprotected
from .text import TextChoices, TextListing

if TYPE_CHECKING:
    from ...encoders import Encoder

__all__ = ["Release", "export_release"]

ProgressCallback = Callable[[Progress], None]


@dataclass(frozen=True)
class Release:
    """A release that was made.

    Attributes:
        directory: the folder, which can be shared
        photos: how many photos are in it
        unprotected: how many of them are not protected
        left_out: photos of the view that are not in it
        report: the audit that it passed
        report_path: the audit's JSON beside the folder, with a page of HTML
        sidecar: what restores the originals, or None; to be kept apart
        words: what the fields would have given away, as it was found before
        key: of the dataset's record of the release
    """

    directory: Path
    photos: int
    unprotected: int
    left_out: int
    report: AuditReport
    report_path: Path
    sidecar: Path | None
    words: tuple[TextListing, ...]
    key: str


def export_release(
    view: Any,
    directory: str | Path,
    run: str | None = None,
    *,
    format: str = "directory",
    fields: Sequence[str] = (),
    unprotected: str = "refuse",
    confirm_unprotected: int | None = None,
    text: str | Mapping[str, str] = "refuse",
    identity_field: str | None = None,
    passphrase: str | None = None,
    sidecar: str | Path | None = None,
    signed_off_by: str = "",
    surrogates: Sequence[Encoder] | None = None,
    device: str | None = None,
    progress: ProgressCallback | None = None,
    cancel: Callable[[], bool] | None = None,
) -> Release:
    """Writes a folder that can be shared: protected photos, chosen fields, nothing else.

    Files get neutral names in an order that tells nothing of the samples', and hold nothing but
    pixels. The folder is made out of sight, audited, and appears only if the audit finds nothing.
    The audit is written beside it, never into it.

    Args:
        view: a FiftyOne dataset or view of photos
        directory: a new folder, neither among the originals nor in the run's folder
        run: the protection run, default the newest complete one
        format: ``"directory"``, ``"fiftyone"``, ``"coco"``, ``"yolo"``, ``"voc"``,
            ``"classification-tree"``, ``"csv"``, or a class of ``fiftyone.types``
        fields: the fields that go with the photos
        unprotected: what is done with photos that are not protected: ``"refuse"``,
            ``"leave-out"`` or ``"include"``
        confirm_unprotected: for ``"include"``, how many such photos there are
        text: what is done with words that give somebody away: ``"refuse"``, ``"drop"``,
            ``"mask"`` or ``"keep"``, or a mapping from ``"field:kind"``, a field or a kind to one
        identity_field: strings or classifications that name the people, default the run's groups
        passphrase: seals a sidecar that restores the originals; None writes none
        sidecar: where it goes, default beside the folder; never inside
        signed_off_by: who answers for the release, for the audit
        surrogates: the run's encoders, where they are loaded already
        device: for encoders that are not; default the GPU where there is one
        progress: called while it goes on
        cancel: asked while it goes on

    Raises:
        ConfigError: if a setting or the view will not do
        RunError: if photos are not protected, words were found, or the audit finds a leak
        Cancelled: if ``cancel`` said so; nothing is left
    """
    if passphrase is not None:
        check_passphrase(passphrase)
    plan = plan_release(view, run, format=format, fields=fields, identity_field=identity_field)
    choices = TextChoices(text)
    settle_unprotected(plan, unprotected, confirm_unprotected)
    choices.check(plan.words)
    keys = list(plan.protected) + (list(plan.unprotected) if unprotected == "include" else [])
    if not keys:
        raise RunError(
            "no photo of the view is protected: choose another view, or protect it first"
        )
    target = Path(directory).expanduser().absolute()
    seal = _sidecar_path(target, sidecar) if passphrase is not None else None
    check_target(view, plan.record, target)
    private = private_set(view._root_dataset, plan.record, identity_field)
    job = ReleaseJob(view, plan, choices, private, keys, progress, cancel)
    with staged(target) as stage:
        job.begin(str(target))
        job.write_photos(stage.scratch / "media")
        job.export(stage.folder)
        sealed = job.seal(stage.folder, stage.scratch / "sidecar", passphrase)
        report = audit_release(
            stage.folder,
            view,
            plan.record.run,
            identity_field=identity_field,
            allow_unprotected=len(plan.unprotected) if unprotected == "include" else 0,
            keep_text=choices.kept(plan.words),
            signed_off_by=signed_off_by,
            surrogates=surrogates,
            device=device,
            progress=progress,
            cancel=cancel,
        )
        if not report.passed:
            raise RunError(f"nothing was released, because the audit says: {report.summary()}")
        job.note_files()
        beside = target.with_name(f"{target.name}.audit.json")
        # made out of sight, so that a killed release leaves no part of it beside the folder
        report.save(stage.scratch / "audit.json")
        for suffix in (".json", ".html"):
            _move_beside(stage.scratch / f"audit{suffix}", beside.with_suffix(suffix))
        if seal is not None and sealed is not None:
            _move_beside(sealed, seal)
    job.finish(report)
    return Release(
        directory=target,
        photos=len(keys),
        unprotected=report.unprotected,
        left_out=len(plan.protected) + len(plan.unprotected) - len(keys),
        report=report,
        report_path=beside,
        sidecar=seal,
        words=plan.words,
        key=job.release.key,
    )


def _sidecar_path(target: Path, chosen: str | Path | None) -> Path:
    path = target.with_name(target.name + SUFFIX)
    if chosen is not None:
        path = Path(chosen).expanduser().absolute()
    if target in path.parents or Path(os.path.realpath(target)) in path.resolve().parents:
        raise ConfigError("the sidecar would lie inside the release: choose a place outside")
    if path.exists():  # it may be the only key to another release
        raise ConfigError(f"{path} exists: move it away, or choose another place for the sidecar")
    return path


def _move_beside(made: Path, target: Path) -> None:
    """Puts a finished file elsewhere, whole or not at all."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.replace(made, target)
    except OSError:  # another file system
        write_atomically(target, made.read_bytes(), replace=True)
