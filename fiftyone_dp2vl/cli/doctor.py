"""``dp2vl doctor``: what is missing or wrong, and how to mend it."""

from __future__ import annotations

import argparse
import json

from ..doctor import healthy, render, run_checks


def configure(parser: argparse.ArgumentParser) -> None:
    """Adds the sub-command's arguments."""
    parser.add_argument("--json", action="store_true", help="print the findings as JSON")


def run(args: argparse.Namespace) -> int:
    """Prints the findings; returns 0 when nothing is to be mended, else 1."""
    checks = run_checks()
    if args.json:
        print(json.dumps([check.to_dict() for check in checks], indent=2))
    else:
        print(render(checks))
    return 0 if healthy(checks) else 1
