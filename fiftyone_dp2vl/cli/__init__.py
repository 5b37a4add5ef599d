"""The ``dp2vl`` command: one module a sub-command, imported only when it is called."""

from __future__ import annotations

import argparse
import importlib
import io
import sys
from collections.abc import Sequence
from errno import (
    EACCES,
    EDQUOT,
    EFBIG,
    EIO,
    ENOENT,
    ENOSPC,
    ENOTDIR,
    EPERM,
    EROFS,
    ESTALE,
)

from ..errors import Cancelled, DP2VLError, reason_of

COMMANDS: dict[str, str] = {
    "benchmark": "write the synthetic identity-affiliation benchmark to a folder",
    "protect": "protect a folder of photos, or a FiftyOne dataset",
    "release": "export a run's protected photos, and nothing else, from a dataset",
    "audit": "say what a released folder gives away",
    "restore": "give a release its original pixels back, with the passphrase",
    "embed": "list encoders, or compute a folder's embeddings",
    "attack": "fine-tune attackers on shared photos and report what leaks",
    "report": "show the report card of an attack, as HTML or Markdown",
    "study": "make the figures of the documentation again",
    "bench": "measure speed",
    "demo": "benchmark, embed, protect, re-embed, figures, App",
    "install": "link the plugin into FiftyOne's plugins directory",
    "doctor": "say what is missing or wrong and how to mend it",
}
"""Sub-command -> help; each is a module here with ``configure(parser)`` and ``run(args)``."""

_REFUSED = frozenset({EACCES, EDQUOT, EFBIG, ENOSPC, EPERM, EROFS})
"""What a disk says that is full or may not be written to."""

_LOST = frozenset({EIO, ENOENT, ENOTDIR, ESTALE})
"""What it says when a file or folder has gone meanwhile, or the disk itself."""


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the ``dp2vl`` command and returns its exit status.

    Args:
        argv: the arguments after the program's name; None reads the command line
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # the name of a photo may hold what the stream's encoding cannot
            stream.reconfigure(errors="backslashreplace")
    arguments = list(sys.argv[1:] if argv is None else argv)
    parser = argparse.ArgumentParser(prog="dp2vl", description=__doc__)
    from .. import __version__

    parser.add_argument("--version", action="version", version=f"dp2vl {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, text in COMMANDS.items():
        command = commands.add_parser(name, help=text, description=text)
        if arguments[:1] == [name]:
            importlib.import_module(f".{name}", __package__).configure(command)
    args = parser.parse_args(arguments)
    try:
        status: int = importlib.import_module(f".{args.command}", __package__).run(args)
        return status
    except Cancelled as error:
        print(f"dp2vl: {error}", file=sys.stderr)
        return 130
    except DP2VLError as error:
        print(f"dp2vl: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        # an error of a file that nobody named is more likely one of the program
        lost = error.errno in _LOST and error.filename is not None
        if error.errno not in _REFUSED and not lost:
            raise
        done = "found or read" if lost else "written"
        print(
            f"dp2vl: {error.filename or 'a file'} cannot be {done} ({reason_of(error)}): mend that "
            "and give the same command again",
            file=sys.stderr,
        )
        return 1
    except KeyboardInterrupt:
        print("dp2vl: stopped; what was finished is kept", file=sys.stderr)
        return 130
