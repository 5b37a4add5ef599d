"""``dp2vl doctor``: what is missing or wrong, and how to mend it."""

from __future__ import annotations

import argparse
import json

from ..doctor import examine, has_database, healthy, render
from ..errors import DP2VLError
from .told import interrupts, line


def configure(parser: argparse.ArgumentParser) -> None:
    """Adds the sub-command's arguments."""
    parser.add_argument("--json", action="store_true", help="print the findings as JSON")
    parser.add_argument(
        "--repair",
        action="store_true",
        help="make datasets and the disk agree; deletes no original and no protected file",
    )
    parser.add_argument(
        "--thorough", action="store_true", help="read every protected file; --repair always does"
    )
    parser.add_argument(
        "--dataset",
        action="append",
        metavar="NAME",
        help="look at this dataset only, repeatable (default: every one with anything of ours)",
    )


def run(args: argparse.Namespace) -> int:
    """Repairs or prints the findings; returns 0 when nothing is to be mended, else 1."""
    if args.repair:
        return _repair(args)
    checks = examine(args.dataset, thorough=args.thorough)
    if args.json:
        print(json.dumps([check.to_dict() for check in checks], indent=2))
    else:
        print(render(checks))
    return 0 if healthy(checks) else 1


def _repair(args: argparse.Namespace) -> int:
    """Prints what was done, and what is left; returns 0 when nothing is."""
    if not has_database():
        raise DP2VLError("there is no database to repair: dp2vl doctor says how to bring one")
    from ..store import check_datasets, repair_datasets

    with interrupts() as cancel, line() as show:
        done = repair_datasets(args.dataset, progress=show, cancel=cancel)
    left = check_datasets(args.dataset)
    if args.json:
        remaining = [{"finding": one.finding, "remedy": one.advice} for one in left]
        print(json.dumps({"done": done, "left": remaining}, indent=2))
    else:
        print("\n".join(done) or "nothing to repair")
        for one in left:
            print(f"left as it is: {one.dataset}: {one.finding}")
            print(f"  -> {one.advice}")
    return 1 if any(one.mend is not None for one in left) else 0
