"""``dp2vl protect --dataset``: the photos of a FiftyOne dataset, protected and stored with it."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..config import OutputConfig, ProtectionConfig, SelectionConfig
from ..errors import ConfigError, RunError
from .protect import confirmed, show_rows
from .release import load_view
from .told import duration, interrupts, line

if TYPE_CHECKING:
    from ..store import ProtectionRun

_SHOWN = 5
"""Failures that are written out; the run's field has all of them."""


def protect_named(
    args: argparse.Namespace,
    config: ProtectionConfig,
    selection: SelectionConfig,
    output: OutputConfig,
) -> int:
    """Protects the photos that arguments name; returns 0, or 1 where photos failed.

    Raises:
        ConfigError: if there is no such dataset, view or field, or a setting will not do
        RunError: if the run cannot start or go on
    """
    if args.group_by_folder:
        raise ConfigError("--group-by-folder goes with a folder: give --group-field FIELD")
    view = load_view(args)

    from ..store import protect_dataset
    from ..store.estimates import estimate_run
    from ..store.names import RunNames, check_run_name
    from ..store.photos import require_photos
    from ..store.protect import default_output_dir, output_problem, run_problem
    from ..store.records import list_runs
    from ..store.settings import Settings
    from ..store.unfinished import is_begun, proposed_run

    settings = Settings(config, selection, output)
    require_photos(view)
    fields = {"group_field": args.group_field, "mask_field": args.mask_field}
    out = None if args.out is None else str(args.out.expanduser().absolute())
    run = args.run or proposed_run(view, settings, output_dir=out, **fields)
    names = RunNames(check_run_name(run), config.encoders)
    asked = ("filepath", args.group_field, args.mask_field)
    problem = run_problem(view, run, names, settings, asked) or output_problem(
        view, run, out, "filepath"
    )
    if problem is not None:
        raise RunError(problem)
    if any(record.run == run and is_begun(record) for record in list_runs(view)):
        print(f"going on with run {run!r}")
    else:
        _tell_nameless(config, _groups(view, settings, args.group_field))
        directory = Path(out or default_output_dir(view._root_dataset, run))
        cost = estimate_run(view, settings, directory=directory, group_field=args.group_field)
        print(f"{cost.sentence()}")
        if not cost.fits:
            raise RunError("too little room on the disk: free some space, or choose another --out")
        if not args.yes and not confirmed(f"protect as run {run!r} in {directory}?"):
            return 0
    with interrupts() as cancel, line() as show:
        record = protect_dataset(
            view,
            run,
            output_dir=out,
            device=args.device,
            batch_size=args.batch_size,
            workers=args.workers,
            local_files_only=args.local_files_only,
            progress=show,
            cancel=cancel,
            **fields,
            **_flat(settings),
        )
    _report(view, record)
    return 1 if record.counts["failed"] else 0


def _groups(view: Any, settings: Any, group_field: str | None) -> list[str | None]:
    """Returns who would be protected, or refuses what the run would refuse."""
    from ..runs.beforehand import check_settings
    from ..store.chosen import groups_chosen

    groups = groups_chosen(view, settings.selection, group_field)
    check_settings(settings.protection, groups)
    return groups


def _tell_nameless(config: ProtectionConfig, groups: list[str | None]) -> None:
    from ..runs.beforehand import nameless_note

    note = nameless_note(config, groups, "name the people with --group-field")
    if note is not None:
        print(f"note: {note}")


def _flat(settings: Any) -> dict[str, Any]:
    return {name: value for part in settings for name, value in part.to_dict().items()}


def _report(view: Any, record: ProtectionRun) -> None:
    """Prints the figures that were measured on the written files."""
    from fiftyone import ViewField as F

    names, counts = record.names, record.counts
    rows = [
        ("photos", f"{record.photos}"),
        ("protected", f"{counts['protected']}"),
        ("left clean", f"{counts['clean']}"),
        ("failed", f"{counts['failed']}"),
    ]
    protected = view.match(F(names.status) == "protected")
    if counts["protected"]:
        after = ", after JPEG" if record.output.format == "jpeg" else ""
        rows.append(("L-inf, largest", f"{protected.bounds(names.linf)[1]:g} grey levels{after}"))
        for title, field, unit, digits in (
            ("PSNR", names.psnr, " dB", 1),
            ("SSIM", names.ssim, "", 3),
        ):
            worst = protected.bounds(field)[0]
            if worst is not None:
                mean = protected.mean(field)
                text = f"mean {mean:.{digits}f}{unit}, worst {worst:.{digits}f}{unit}"
                rows.append((title, text))
    rows.append(("time", duration(record.seconds)))
    rows.append(("run", f"{record.run}, on dataset {view._root_dataset.name}"))
    rows.append(("files", str(Path(record.directory) / "photos")))
    show_rows(rows)
    failed = view.match(F(names.status) == "failed").limit(_SHOWN)
    for path, error in zip(*failed.values(["filepath", names.error]), strict=True):
        print(f"failed: {path}: {error}")
