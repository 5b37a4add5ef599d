"""Exporting a release: protected files under neutral names, chosen fields, and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import RunError
from ...release import AuditReport
from ...release.passphrase import check_passphrase
from ...release.staging import Stage, clear_workshop, refuse_existing, staged, workshop_of
from ...runs import Progress
from .audit import audit_release, private_set
from .beside import (
    audit_path,
    check_sidecar,
    has_sidecar,
    known_sidecars,
    place,
    sidecar_path,
)
from .job import ReleaseJob
from .plan import ReleasePlan, check_target, plan_release, settle_unprotected
from .records import ReleaseRecord, released_files, save_release
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
    The audit is written beside it, never into it. A call that was interrupted at any point is
    completed by the same call, with the same files.

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
            ``"mask"`` or ``"keep"``, or a mapping from ``"field:kind"``, a field or a kind to one,
            see :class:`~fiftyone_dp2vl.store.release.text.TextChoices`
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
    plan = plan.without(choices)
    keys = list(plan.protected) + (list(plan.unprotected) if unprotected == "include" else [])
    if not keys:
        raise RunError(
            "no photo of the view is protected: choose another view, or protect it first"
        )
    target = Path(directory).expanduser().absolute()
    seal = sidecar_path(target, sidecar) if passphrase is not None else None
    dataset = view._root_dataset
    earlier = check_target(view, plan.record, target)

    def audited(folder: Path) -> AuditReport:
        report = audit_release(
            folder,
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
        return report

    if earlier is not None:
        if not _is_same(dataset, earlier, plan, keys, seal):
            refuse_existing(target)
        report = audited(target)
        report.save(audit_path(target))
        save_release(dataset, earlier, state="complete")
        clear_workshop(workshop_of(target))
        key = earlier.key
    else:
        if seal is not None:
            check_sidecar(seal, known_sidecars(dataset, target))
        private = private_set(dataset, plan.record, identity_field)
        job = ReleaseJob(view, plan, choices, private, keys, progress, cancel)
        with staged(target) as stage:
            report = _make(job, stage, target, audited, passphrase, seal)
        job.finish()
        key = job.release.key
    return Release(
        directory=target,
        photos=len(keys),
        unprotected=report.unprotected,
        left_out=len(plan.protected) + len(plan.unprotected) - len(keys),
        report=report,
        report_path=audit_path(target),
        sidecar=seal,
        words=plan.words,
        key=key,
    )


def _make(
    job: ReleaseJob,
    stage: Stage,
    target: Path,
    audited: Callable[[Path], AuditReport],
    passphrase: str | None,
    seal: Path | None,
) -> AuditReport:
    """Makes a release out of sight, and puts what belongs beside it there."""
    job.begin(str(target))
    job.write_photos(stage.scratch / "media")
    job.export(stage.folder)
    sealed = job.seal(stage.folder, stage.scratch / "sidecar", passphrase)
    report = audited(stage.folder)
    strays = job.strays(stage.folder)
    if strays:
        raise RunError(f"nothing was released, because {'; '.join(strays[:5])}")
    # whatever the disk refuses, it refuses before anything is seen
    report.save(stage.scratch / "audit.json")
    stage.sync()
    refuse_existing(target)
    if seal is not None:
        check_sidecar(seal, known_sidecars(job.dataset, target))
    job.note(report, seal, sealed)
    beside = audit_path(target)
    for suffix in (".json", ".html"):
        place(stage.scratch / f"audit{suffix}", beside.with_suffix(suffix))
    if seal is not None and sealed is not None:
        place(sealed, seal)
    return report


def _is_same(
    dataset: Any,
    earlier: ReleaseRecord,
    plan: ReleasePlan,
    keys: Sequence[str],
    seal: Path | None,
) -> bool:
    """Returns whether a release that was not recorded as complete is the one that is asked for."""
    made = (earlier.run, earlier.format, earlier.fields, earlier.sidecar)
    fields = tuple(name for name, _ in plan.fields)
    return (
        made == (plan.record.run, plan.format.name, fields, str(seal or ""))
        and set(released_files(dataset, earlier.key)) == set(keys)
        and has_sidecar(earlier)
    )
