"""``dp2vl release``: from a dataset's protected run to a folder that can be shared."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from ..errors import ConfigError
from .told import interrupts, line


def configure(parser: argparse.ArgumentParser) -> None:
    """Adds the sub-command's arguments."""
    parser.add_argument("dataset", help="name of the FiftyOne dataset")
    parser.add_argument("out", type=Path, help="new folder for the release")
    parser.add_argument("--run", help="protection run (default: the newest complete one)")
    parser.add_argument("--view", help="name of a saved view (default: the whole dataset)")
    parser.add_argument("--tag", action="append", help="only samples with this tag, repeatable")
    parser.add_argument(
        "--format",
        default="directory",
        help="directory, fiftyone, coco, yolo, voc, classification-tree, csv, or a class of "
        "fiftyone.types (default: directory)",
    )
    parser.add_argument(
        "--field", action="append", default=[], help="field that goes with the photos, repeatable"
    )
    parser.add_argument("--identity-field", help="field that names the people (default: the run's)")
    parser.add_argument(
        "--unprotected",
        choices=("refuse", "leave-out", "include"),
        default="refuse",
        help="what is done with photos that are not protected (default: refuse)",
    )
    parser.add_argument(
        "--confirm", type=int, metavar="N", help="how many photos go without protection"
    )
    parser.add_argument(
        "--text",
        action="append",
        metavar="[FIELD[:KIND]=]ACTION",
        help="what is done with words that give somebody away: drop, mask or keep; for a field or "
        "a kind alone with FIELD:KIND=ACTION, repeatable; 'FIELD:field name' is the field's own "
        "name (default: refuse)",
    )
    parser.add_argument(
        "--sidecar",
        nargs="?",
        const="",
        metavar="FILE",
        help="write what restores the originals, sealed with a passphrase (default: OUT.restore)",
    )
    parser.add_argument(
        "--passphrase-file",
        type=Path,
        help="file whose first line is the passphrase (default: DP2VL_PASSPHRASE, or it is asked)",
    )
    parser.add_argument("--signed-off-by", default="", help="who answers for the release")
    parser.add_argument(
        "--list",
        action="store_true",
        help="say what would be released, and which photos are not protected, and stop",
    )


def run(args: argparse.Namespace) -> int:
    """Lists what the release would hold and say, then makes it."""
    from ..release import read_passphrase
    from ..store import export_release, plan_release

    view = load_view(args)
    plan = plan_release(
        view, args.run, format=args.format, fields=args.field, identity_field=args.identity_field
    )
    counts = f"{len(plan.protected)} photos protected, {len(plan.unprotected)} not"
    print(f"run {plan.record.run}: {counts}")
    paths = dict(zip(*view.values(["id", plan.record.filepath_field]), strict=True))
    if args.list or args.unprotected == "include":
        for key in plan.unprotected:
            print(f"not protected: {paths[key]}")
    elif plan.unprotected:
        print("--list says which")
    for note in plan.notes:
        print(f"note: {note}")
    for words in plan.words:
        print(f"words in {words.sentence()}")
    if plan.fields:
        print(plan.sentence)
    if args.list:
        return 0
    passphrase = None
    if args.sidecar is not None:
        passphrase = read_passphrase(args.passphrase_file, confirm=True)
    with interrupts() as cancel, line() as show:
        release = export_release(
            view,
            args.out,
            args.run,
            format=args.format,
            fields=args.field,
            unprotected=args.unprotected,
            confirm_unprotected=args.confirm,
            text=text_choices(args.text),
            identity_field=args.identity_field,
            passphrase=passphrase,
            sidecar=args.sidecar or None,
            signed_off_by=args.signed_off_by,
            progress=show,
            cancel=cancel,
        )
    print(f"{release.photos} photos released in {release.directory}")
    if release.unprotected:
        print(f"{release.unprotected} of them without protection, as confirmed")
    print(f"audit: {release.report.summary()}; see {release.report_path.with_suffix('.html')}")
    if release.sidecar is not None:
        print(f"sidecar: {release.sidecar}; keep it apart from the release")
    return 0


def load_view(args: argparse.Namespace) -> Any:
    """Returns the view that arguments name.

    Raises:
        ConfigError: if there is no such dataset or saved view
    """
    dataset = load_dataset(args.dataset)
    if args.view is not None and not dataset.has_saved_view(args.view):
        views = ", ".join(dataset.list_saved_views())
        known = f"its views are {views}" if views else f"{args.dataset!r} has none"
        raise ConfigError(f"no saved view {args.view!r}: {known}")
    view = dataset.load_saved_view(args.view) if args.view is not None else dataset.view()
    return view.match_tags(args.tag) if args.tag else view


def load_dataset(name: str) -> Any:
    """Returns a dataset by its name.

    Raises:
        ConfigError: if there is none
    """
    try:
        import fiftyone as fo
    except ImportError as error:
        raise ConfigError("FiftyOne is missing: pip install 'fiftyone_dp2vl[app]'") from error
    from ..store.photos import require_dataset

    require_dataset(name)
    return fo.load_dataset(name)


def text_choices(given: list[str] | None) -> str | dict[str, str]:
    """Returns what is done with words, from arguments such as ``caption:name=mask``."""
    if not given:
        return "refuse"
    if len(given) == 1 and "=" not in given[0]:
        return given[0]
    chosen = {}
    for text in given:
        key, equals, action = text.rpartition("=")
        if not equals:
            raise ConfigError(f"--text {text} comes beside others: write KIND=ACTION")
        chosen[key] = action
    return chosen
