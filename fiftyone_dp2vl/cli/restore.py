"""``dp2vl restore``: the original pixels of a release, for whoever has the passphrase."""

from __future__ import annotations

import argparse
from pathlib import Path

from .told import interrupts, line


def configure(parser: argparse.ArgumentParser) -> None:
    """Adds the sub-command's arguments."""
    parser.add_argument("release", type=Path, help="folder of the release, as it was published")
    parser.add_argument("--sidecar", type=Path, required=True, help="the file that came apart")
    parser.add_argument("--out", type=Path, required=True, help="new folder for the originals")
    parser.add_argument(
        "--passphrase-file",
        type=Path,
        help="file whose first line is the passphrase (default: DP2VL_PASSPHRASE, or it is asked)",
    )


def run(args: argparse.Namespace) -> int:
    """Restores the photos."""
    from ..release import read_passphrase, restore

    passphrase = read_passphrase(args.passphrase_file)
    with interrupts() as cancel, line() as show:
        count = restore(
            args.release.expanduser(),
            args.sidecar.expanduser(),
            args.out.expanduser(),
            passphrase,
            progress=show,
            cancel=cancel,
        )
    print(f"{count} photos restored in {args.out}")
    return 0
