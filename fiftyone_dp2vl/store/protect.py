"""Protecting a view: photos out to files, figures back into fields."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import Cancelled, ConfigError, DP2VLError, RunError
from ..media.places import check_output_folder
from ..runs import PhotoItem, Progress, RunResult, protect_photos
from ..runs.beforehand import check_settings, possible_groups
from ..runs.folder import has_begun
from ..runs.manifest import MANIFEST
from ..runs.settled import settled_in
from .analysis import store_separation
from .embeddings import compute_embeddings
from .figures import store_figures
from .folders import folder_problem
from .home import home_of
from .masks import label_masks
from .names import RunNames, check_run_name
from .photos import group_values, require_photos
from .plots import register_plots
from .records import METHOD, ProtectionRun, forget_run, list_runs, now, save_run
from .schema import changing
from .settings import Settings, check_means, split_settings
from .unfinished import begun_problem, proposed_run
from .workers import is_held, is_working, this_worker

if TYPE_CHECKING:
    from ..encoders import Encoder

__all__ = ["default_output_dir", "output_problem", "protect_dataset", "run_problem"]

# a form must answer at once, and the run itself checks every source again
_CHECKED_SOURCES = 1000

ProgressCallback = Callable[[Progress], None]


def protect_dataset(
    view: Any,
    run: str | None = None,
    *,
    output_dir: str | None = None,
    filepath_field: str = "filepath",
    group_field: str | None = None,
    mask_field: str | None = None,
    device: str | None = None,
    batch_size: int | None = None,
    workers: int | None = None,
    surrogates: Sequence[Encoder] | None = None,
    local_files_only: bool = False,
    progress: ProgressCallback | None = None,
    cancel: Callable[[], bool] | None = None,
    **settings: Any,
) -> ProtectionRun:
    """Protects photos of a view and stores files, figures and embeddings with the dataset.

    The original files are never written to. The protected ones become an alternate media field,
    so that the App can switch between the two. A run that was interrupted goes on when it is
    called again with the same photos and settings; a name need not be given for that.

    Args:
        view: a FiftyOne dataset or view of photos
        run: the run's name, default that of an unfinished run of the same photos and settings,
            else ``run1``, ``run2``, ...
        output_dir: where files are written, default below FiftyOne's dataset directory
        filepath_field: the field with the original files
        group_field: strings or classifications that say who is on a photo; the default strategy
            puts people in each other's place by them, and ``stratify`` draws within them
        mask_field: detections or segmentations that confine the protection
        device: default the GPU where there is one
        batch_size: see :func:`fiftyone_dp2vl.runs.protect_photos`
        workers: see :func:`fiftyone_dp2vl.runs.protect_photos`
        surrogates: the encoders of the setting ``encoders``, where they are loaded already
        local_files_only: whether they are loaded from this machine's files only
        progress: called while the run goes on
        cancel: asked while the run goes on
        **settings: any of :class:`~fiftyone_dp2vl.config.ProtectionConfig`,
            :class:`~fiftyone_dp2vl.config.SelectionConfig` and
            :class:`~fiftyone_dp2vl.config.OutputConfig`, for example ``ratio=0.5`` or
            ``epsilon="subtle"``

    Returns:
        the run's record, as :func:`fiftyone_dp2vl.store.load_run` gives it back

    Raises:
        ConfigError: if a setting or the view will not do
        RunError: if the run exists already, or the folder will not do
        Cancelled: if ``cancel`` said so; a new call with the same name goes on
    """
    chosen = split_settings(settings)
    require_photos(view, filepath_field)
    check_means(device=device, batch_size=batch_size, workers=workers)
    dataset = view._root_dataset
    run = (
        check_run_name(run)
        if run is not None
        else proposed_run(
            view,
            chosen,
            output_dir=output_dir,
            filepath_field=filepath_field,
            group_field=group_field,
            mask_field=mask_field,
        )
    )
    names = RunNames(run, chosen.protection.encoders)
    fields = (filepath_field, group_field, mask_field)
    problem = run_problem(view, run, names, chosen, fields)
    if problem is not None:
        raise RunError(problem)
    earlier = {record.run: record for record in list_runs(dataset)}.get(run)

    directory = Path(output_dir or default_output_dir(dataset, run)).expanduser().absolute()
    if earlier is not None and str(directory) != earlier.directory:
        if output_dir is not None:
            raise RunError(
                f"run {run!r} began in {earlier.directory}: leave output_dir out to go on there"
            )
        directory = Path(earlier.directory)
    if earlier is None:  # a run that began, and was cloned since, goes on
        problem = folder_problem(dataset, names.key, METHOD, directory)
        if problem is not None:
            raise RunError(problem)
    items = _items(view, filepath_field, group_field, mask_field)
    begun, was_there = has_begun(directory), (directory / MANIFEST).is_file()
    if not begun:
        # refused before a record is made and models are loaded
        counts = Counter(item.group for item in items)
        check_settings(chosen.protection, possible_groups(counts, chosen.selection))
    record = ProtectionRun(
        run=run,
        state="running",
        directory=str(directory),
        protection=chosen.protection,
        selection=chosen.selection,
        output=chosen.output,
        filepath_field=filepath_field,
        group_field=group_field,
        mask_field=mask_field,
        photos=len(items),
        # an earlier call's may be more: a complete run that lost files was looked at already
        fields=_joined(earlier.fields if earlier is not None else (), names.fields()),
        brain_keys=earlier.brain_keys if earlier is not None else (),
        fingerprints={
            "protection": chosen.protection.fingerprint(),
            "selection": chosen.selection.fingerprint(),
            "output": chosen.output.fingerprint(),
        },
        started=earlier.started if earlier is not None else now(),
        worker=this_worker(),
    )
    # once begun, or at work elsewhere, its record stands until this call is known to be the same
    bound = earlier is not None and (
        begun or is_held(directory) or is_working(earlier.worker) is True
    )
    if not bound:
        record = save_run(dataset, record)
    began = time.monotonic()
    result: RunResult | None = None
    try:
        from ..encoders import default_device

        device = device or default_device()
        if surrogates is not None:
            models = list(surrogates)
        else:
            models = _load(chosen, device, local_files_only)
        result = protect_photos(
            items,
            directory,
            chosen.protection,
            chosen.selection,
            chosen.output,
            device=device,
            batch_size=batch_size,
            workers=workers,
            progress=progress,
            cancel=cancel,
            encoders=models,
        )
        if bound:  # only now is it sure that this call is the same run's
            record = save_run(dataset, record)
        store_figures(dataset, names, result)
        for name, model in zip(chosen.protection.encoders, models, strict=True):
            _store_embeddings(view, names, name, model, filepath_field, progress, cancel)
        keys = _store_plots(view, names)
        _offer_media_field(dataset, names.path)
        store_separation(dataset, record)
    except BaseException as error:
        never_began = not (directory / MANIFEST).is_file()
        # a run that this database does not know was in the folder, and refused to be taken for ours
        refused = was_there and result is None and isinstance(error, RunError)
        if earlier is None and (never_began or refused):
            forget_run(dataset, record)  # there is nothing to resume or delete
        elif not (bound and isinstance(error, RunError)):
            # a call that was refused, for other settings or because the run is at work in another
            # process, must not change the record that the run began with
            kept = earlier if earlier is not None and (bound or never_began) else record
            save_run(dataset, kept, state="stopped", worker="", error=_sentence(error))
        raise
    return save_run(
        dataset,
        record,
        state="complete",
        counts=_counts(result),
        encoders=result.manifest.encoders,
        targets_sha256=result.manifest.targets_sha256,
        strategy=settled_in(directory, chosen.protection).strategy,
        versions={**result.manifest.versions, "fiftyone": version("fiftyone")},
        device=result.manifest.device,
        brain_keys=_joined(record.brain_keys, keys),
        worker="",
        seconds=round(time.monotonic() - began, 3),
        resumed=begun,
    )


def run_problem(
    view: Any,
    run: str,
    names: RunNames,
    settings: Settings,
    fields: tuple[str, str | None, str | None],
) -> str | None:
    """Returns one sentence that says why a run cannot have its name, or None where it can.

    Args:
        view: a FiftyOne dataset or view
        run: the run's name
        names: the names that it would use
        settings: that it would be made with
        fields: its ``filepath_field``, ``group_field`` and ``mask_field``
    """
    dataset = view._root_dataset
    earlier = {record.run: record for record in list_runs(dataset)}.get(run)
    if earlier is not None and earlier.state == "complete":
        return f"run {run!r} is complete: choose another name, or delete that run first"
    if earlier is not None:
        return begun_problem(view, earlier, settings, fields)
    taken = [field for field in names.fields() if dataset.has_sample_field(field)]
    if taken or dataset.has_run(names.key):
        return f"{(taken or [names.key])[0]!r} exists on the dataset already: choose another name"
    return None


def output_problem(view: Any, run: str, output_dir: str | None, filepath_field: str) -> str | None:
    """Returns one sentence that says why files cannot be written to a folder, or None.

    Args:
        view: a FiftyOne dataset or view
        run: the run's name
        output_dir: the folder, or None for the default one
        filepath_field: the field with the original files
    """
    directory = Path(output_dir or default_output_dir(view._root_dataset, run)).expanduser()
    parent = next((p for p in (directory, *directory.parents) if p.exists()), directory)
    if not parent.is_dir() or not os.access(parent, os.W_OK):
        return f"files cannot be written to {directory}: choose another folder"
    if not any(record.run == run for record in list_runs(view)):
        key = RunNames(run, ()).key
        problem = folder_problem(view._root_dataset, key, METHOD, directory)
        if problem is not None:
            return problem
    try:
        check_output_folder(directory, view.limit(_CHECKED_SOURCES).values(filepath_field))
    except RunError as error:
        return str(error)
    return None


def default_output_dir(dataset: Any, run: str) -> str:
    """Returns where a run's files go if nothing else is said."""
    return str(home_of(dataset) / run)


def _items(
    view: Any, filepath_field: str, group_field: str | None, mask_field: str | None
) -> list[PhotoItem]:
    ids, paths = view.values(["id", filepath_field])
    missing = sum(path is None for path in paths)
    if missing:
        raise ConfigError(
            f"{missing} of {len(ids)} photos have no {filepath_field!r}: choose a view with "
            f"view.exists({filepath_field!r})"
        )
    groups = group_values(view, group_field)
    masks = label_masks(view, mask_field)
    return [
        PhotoItem(key=key, path=path, group=group, mask=mask)
        for key, path, group, mask in zip(ids, paths, groups, masks, strict=True)
    ]


def _load(chosen: Settings, device: str, local_files_only: bool) -> list[Encoder]:
    from ..encoders import load_encoder

    return [
        load_encoder(name, device=device, local_files_only=local_files_only)
        for name in chosen.protection.encoders
    ]


def _store_embeddings(
    view: Any,
    names: RunNames,
    name: str,
    encoder: Encoder,
    filepath_field: str,
    progress: ProgressCallback | None,
    cancel: Callable[[], bool] | None,
) -> None:
    """Embeds the originals and the written files of the run."""
    for field, source, label in (
        (names.clean_embedding(name), filepath_field, "embedding the originals"),
        (names.protected_embedding(name), names.path, "embedding the protected files"),
    ):
        compute_embeddings(
            view,
            encoder,
            field=field,
            filepath_field=source,
            progress=_labelled(progress, label),
            cancel=cancel,
        )


def _labelled(progress: ProgressCallback | None, label: str) -> ProgressCallback | None:
    """Returns a callback that says what is embedded."""
    if progress is None:
        return None
    tell = progress
    return lambda p: tell(p._replace(label=f"{label}: {p.done} of {p.total}"))


def _store_plots(view: Any, names: RunNames) -> list[str]:
    keys: list[str] = []
    for encoder in names.slugs:
        with changing(view._root_dataset):
            keys.extend(register_plots(view, names, encoder) or ())
    return keys


def _offer_media_field(dataset: Any, field: str) -> None:
    """Lets the App switch to a field's files; what it shows at first is left as it is."""
    with changing(dataset):
        if field not in dataset.app_config.media_fields:
            dataset.app_config.media_fields.append(field)
            dataset.save()


def _joined(first: Sequence[str], second: Sequence[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*first, *second)))


def _counts(result: RunResult) -> dict[str, int]:
    counts = {"protected": 0, "clean": 0, "failed": 0}
    for record in result.records:
        counts[record.status] += 1
    return counts


def _sentence(error: BaseException) -> str:
    if isinstance(error, Cancelled):
        return "cancelled"
    return str(error) if isinstance(error, DP2VLError) else f"{type(error).__name__}: {error}"
