"""``dp2vl audit``: what a released folder gives away of a dataset."""

from __future__ import annotations

import argparse
from pathlib import Path

from .told import interrupts, line

_SHOWN = 20


def configure(parser: argparse.ArgumentParser) -> None:
    """Adds the sub-command's arguments."""
    parser.add_argument("folder", type=Path, help="folder of the release")
    parser.add_argument("--against", required=True, metavar="DATASET", help="the clean dataset")
    parser.add_argument("--run", help="protection run (default: the newest complete one)")
    parser.add_argument("--identity-field", help="field that names the people (default: the run's)")
    parser.add_argument(
        "--allow-unprotected",
        type=int,
        default=0,
        metavar="N",
        help="photos without protection that may be there (default: 0)",
    )
    parser.add_argument(
        "--keep-text",
        action="append",
        default=[],
        metavar="KIND",
        help="kind of words that may stand there, such as name, repeatable",
    )
    parser.add_argument("--signed-off-by", default="", help="who answers for the audit")
    parser.add_argument(
        "--report", type=Path, help="JSON to write, with a page beside it (default: beside FOLDER)"
    )


def run(args: argparse.Namespace) -> int:
    """Audits the folder; returns 0 where nothing was found, else 1."""
    from ..store import audit_release
    from .release import load_dataset

    folder = args.folder.expanduser().absolute()
    with interrupts() as cancel, line() as show:
        report = audit_release(
            folder,
            load_dataset(args.against),
            args.run,
            identity_field=args.identity_field,
            allow_unprotected=args.allow_unprotected,
            keep_text=args.keep_text,
            signed_off_by=args.signed_off_by,
            progress=show,
            cancel=cancel,
        )
    for finding in report.findings[:_SHOWN]:
        print(f"{finding.code}: {finding.file}: {finding.message}")
    if len(report.findings) > _SHOWN:
        print(f"and {len(report.findings) - _SHOWN} more")
    for note in report.notes:
        print(f"note: {note}")
    print(report.summary())
    path = args.report or folder.with_name(f"{folder.name}.audit.json")
    report.save(path)
    print(f"written to {path} and {path.with_suffix('.html').name}")
    return 0 if report.passed else 1
