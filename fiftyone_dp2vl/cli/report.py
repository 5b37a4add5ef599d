"""``dp2vl report``: shows the report card of an attack, in the shell, as HTML or as Markdown."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..errors import ConfigError
from ..measure.report import AttackReport
from ..measure.report_html import report_html
from ..measure.report_markdown import report_markdown
from ..measure.report_words import verdict_sentences
from ..media.atomic import write_atomically


def configure(parser: argparse.ArgumentParser) -> None:
    """Adds the sub-command's arguments."""
    parser.add_argument("report", type=Path, metavar="REPORT.json", help="made by `dp2vl attack`")
    parser.add_argument("--html", type=Path, metavar="OUT", help="write one self-contained page")
    parser.add_argument("--markdown", type=Path, metavar="OUT", help="write a Markdown document")


def run(args: argparse.Namespace) -> int:
    """Prints what the report says and writes what is asked for; returns the exit status."""
    report = AttackReport.load(args.report)
    print(report.title)
    for sentence in verdict_sentences(report):
        print(f"  {sentence}")
    for path, make in ((args.html, report_html), (args.markdown, report_markdown)):
        if path is None:
            continue
        if path.absolute() == args.report.absolute():
            raise ConfigError(f"{path} is the report itself: give another file to write")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(path, make(report).encode(), replace=True)
        except OSError as error:
            raise ConfigError(f"{path} cannot be written: {error.strerror}") from error
        print(f"written: {path}")
    return 0
