"""``dp2vl protect``: a folder of photos in, a folder of protected ones out; or a dataset."""

from __future__ import annotations

import argparse
import math
import statistics
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..config import BUDGETS, OutputConfig, ProtectionConfig, SelectionConfig
from ..errors import ConfigError, RunError
from .told import duration, interrupts, line

if TYPE_CHECKING:
    from ..runs import PhotoRecord, RunResult

_SHOWN = 5
"""Failures that are written out; the journal has all of them."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Adds the sub-command's arguments."""
    default, output = ProtectionConfig(), OutputConfig()
    budgets = ", ".join(f"{name} ({size:g})" for name, size in BUDGETS.items())
    parser.add_argument(
        "folder", type=Path, nargs="?", help="folder with photos, sub-folders included, or a photo"
    )
    parser.add_argument(
        "--out",
        type=Path,
        help="folder to write to (default: FOLDER-protected; for a dataset, below FiftyOne's)",
    )
    dataset = parser.add_argument_group("a FiftyOne dataset in place of a folder")
    dataset.add_argument("--dataset", metavar="NAME", help="protect this dataset's photos")
    dataset.add_argument("--view", metavar="NAME", help="only those of a saved view")
    dataset.add_argument("--tag", action="append", help="only those with this tag, repeatable")
    dataset.add_argument(
        "--run", help="name for the run (default: the same unfinished run's, or run1, run2, ...)"
    )
    dataset.add_argument("--group-field", metavar="FIELD", help="field that says who is on a photo")
    dataset.add_argument(
        "--mask-field", metavar="FIELD", help="detections or segmentations that may change"
    )
    parser.add_argument(
        "--epsilon", default="standard", help=f"budget: {budgets}, or a number (default: standard)"
    )
    parser.add_argument("--ratio", type=float, default=1.0, help="share of the photos (default: 1)")
    parser.add_argument(
        "--group-by-folder", action="store_true", help="each sub-folder holds one person's photos"
    )
    parser.add_argument(
        "--stratify", action="store_true", help="take the share of each person's photos"
    )
    parser.add_argument(
        "--encoder",
        action="append",
        metavar="NAME",
        help=f"surrogate, can be repeated (default: {default.encoders[0]})",
    )
    parser.add_argument(
        "--strategy", default=default.strategy, help=f"(default: {default.strategy})"
    )
    parser.add_argument(
        "--steps", type=int, default=default.steps, help=f"(default: {default.steps})"
    )
    parser.add_argument("--format", default=output.format, help="png, webp or jpeg (default: png)")
    parser.add_argument(
        "--jpeg-quality",
        type=int,
        default=output.jpeg_quality,
        help=f"of JPEG files, 1 to 100 (default: {output.jpeg_quality})",
    )
    parser.add_argument(
        "--metadata", default=output.metadata, help="strip, keep or keep-no-gps (default: strip)"
    )
    parser.add_argument("--seed", type=int, default=0, help="of everything random (default: 0)")
    parser.add_argument("--device", help="such as cpu or cuda (default: the GPU if there is one)")
    parser.add_argument("--local-files-only", action="store_true", help="never ask the hub")
    parser.add_argument("--batch-size", type=int, help="photos between two savings")
    parser.add_argument("--workers", type=int, help="threads that read, and that write")
    parser.add_argument("--yes", action="store_true", help="start without asking")


def run(args: argparse.Namespace) -> int:
    """Protects a folder or a dataset; returns 0, or 1 where photos failed."""
    if (args.folder is None) == (args.dataset is None):
        raise ConfigError("give a folder with photos, or --dataset NAME")
    config = ProtectionConfig(
        encoders=tuple(args.encoder or ProtectionConfig().encoders),
        strategy=args.strategy,
        epsilon=args.epsilon,
        steps=args.steps,
        seed=args.seed,
    )
    selection = SelectionConfig(ratio=args.ratio, stratify=args.stratify, seed=args.seed)
    output = OutputConfig(
        format=args.format, jpeg_quality=args.jpeg_quality, metadata=args.metadata
    )
    if args.dataset is None:
        return _protect_folder(args, config, selection, output)
    from .protect_dataset import protect_named

    return protect_named(args, config, selection, output)


def _protect_folder(
    args: argparse.Namespace,
    config: ProtectionConfig,
    selection: SelectionConfig,
    output: OutputConfig,
) -> int:
    for name in ("view", "tag", "run", "group_field", "mask_field"):
        if getattr(args, name) is not None:
            raise ConfigError(f"--{name.replace('_', '-')} goes with --dataset: leave it out")
    folder = args.folder.expanduser().resolve()
    directory = (args.out or _beside(folder)).expanduser().resolve()

    from ..runs.plain import photos_in

    items, others = photos_in(folder, group_by_folder=args.group_by_folder)
    if not items:
        raise RunError(f"there are no photos in {folder}: give a folder with photos")
    if others:
        listed = ", ".join(f"{count} {ending}" for ending, count in others.most_common(4))
        print(f"passed over what is no photo: {listed}")

    from ..encoders import default_device, load_encoder
    from ..media.places import check_output_folder, refuse_inside
    from ..runs import estimate, protect_photos
    from ..runs.beforehand import check_settings, nameless_note, possible_groups
    from ..runs.folder import has_begun, refuse_foreign

    # all that can be refused is refused before anything is loaded, let alone timed
    groups = possible_groups(Counter(item.group for item in items), selection)
    check_output_folder(directory, (item.path for item in items))
    if folder.is_dir():
        refuse_inside(directory, folder)
    refuse_foreign(directory)
    begun = has_begun(directory)
    if not begun:
        check_settings(config, groups)
    device = args.device or default_device()
    encoders = [
        load_encoder(name, device=device, local_files_only=args.local_files_only)
        for name in config.encoders
    ]
    if begun:
        print(f"going on with the run in {directory}")
    else:
        note = nameless_note(config, groups, "give each person a sub-folder and --group-by-folder")
        if note is not None:
            print(f"note: {note}")
        print(estimate(items, directory, config, selection, output, encoders=encoders))
        if not args.yes and not confirmed(f"write to {directory}?"):
            return 0
    with interrupts() as cancel, line() as show:
        result = protect_photos(
            items,
            directory,
            config,
            selection,
            output,
            batch_size=args.batch_size,
            workers=args.workers,
            progress=show,
            cancel=cancel,
            encoders=encoders,
        )
    _report(result, config.encoders)
    return 1 if result.with_status("failed") else 0


def _beside(source: Path) -> Path:
    """Returns where protected photos go: beside the originals' folder, never inside it."""
    if source.is_file():
        return source.parent.parent / f"{source.stem}-protected"
    return source.parent / f"{source.name}-protected"


def confirmed(question: str) -> bool:
    """Asks, where there is somebody to ask."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        return True
    return input(f"{question} [Y/n] ").strip().lower() in ("", "y", "yes")


def _report(result: RunResult, names: Sequence[str]) -> None:
    """Prints the figures that were measured on the written files."""
    protected, failed = result.with_status("protected"), result.with_status("failed")
    rows = [
        ("photos", f"{len(result.records)}"),
        ("protected", f"{len(protected)}"),
        ("left clean", f"{len(result.with_status('clean'))}"),
        ("failed", f"{len(failed)}"),
    ]
    if protected:
        rows += _figures(protected, names)
    rows.append(("time", duration(result.wall_seconds)))
    rows.append(("files", str(result.directory / "photos")))
    show_rows(rows)
    for warning in result.warnings[:_SHOWN]:
        print(f"note: {warning}", file=sys.stderr)
    for record in failed[:_SHOWN]:
        print(f"failed: {record.key}: {record.error}", file=sys.stderr)
    if len(failed) > _SHOWN:
        print(f"and {len(failed) - _SHOWN} more, see {result.directory}", file=sys.stderr)


def show_rows(rows: Sequence[tuple[str, str]]) -> None:
    """Prints names and values in two columns."""
    width = max(len(name) for name, _ in rows)
    print("\n".join(f"{name:{width}}  {value}" for name, value in rows))


def _figures(protected: Sequence[PhotoRecord], names: Sequence[str]) -> list[tuple[str, str]]:
    linf = max(record.linf or 0 for record in protected)
    of_what = "grey levels, after JPEG" if protected[0].lossy else "grey levels"
    rows = [("L-inf, largest", f"{linf} {of_what}")]
    for title, unit in (("psnr", " dB"), ("ssim", "")):
        worst = min(protected, key=lambda record: getattr(record, title))
        values = [getattr(record, title) for record in protected]
        finite = [value for value in values if math.isfinite(value)]
        mean = statistics.mean(finite) if finite else math.inf
        digits = 1 if unit else 3
        rows.append(
            (
                title.upper(),
                f"mean {mean:.{digits}f}{unit}, "
                f"worst {getattr(worst, title):.{digits}f}{unit} ({worst.key})",
            )
        )
    for name in names:
        token = statistics.mean(record.cosines[name].token for record in protected)
        pooled = statistics.mean(record.cosines[name].pooled for record in protected)
        rows.append((f"cosine to clean, {name}", f"tokens {token:.3f}, pooled {pooled:.3f}"))
    return rows
