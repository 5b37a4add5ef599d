"""``dp2vl study``: makes the figures of the documentation again."""

from __future__ import annotations

import argparse
import os
import shlex
import sys
import time
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import ConfigError

if TYPE_CHECKING:
    from ..measure.cards import ResultCard
    from ..studies.runner import StudyProgress

_ROOT = Path(__file__).resolve().parents[2]
_LOG_EVERY = 30.0
"""Seconds between two lines about one cell, where there is no terminal to rewrite a line in."""

_HELD_OUT = {"held-out": "tests/data/heldout", "fine-tuned": "tests/data/finetuned"}


def configure(parser: argparse.ArgumentParser) -> None:
    """Adds the sub-command's arguments."""
    parser.add_argument("name", nargs="?", help="the study; without it they are listed")
    parser.add_argument("--render", action="store_true", help="fill the documents from the cards")
    parser.add_argument("--people", type=int, default=20, help="people in each album (20)")
    parser.add_argument("--seeds", type=int, default=3, help="repetitions (3)")
    parser.add_argument(
        "--per-scenario", type=int, default=1, help="share photos per person and scenario (1)"
    )
    parser.add_argument("--queries", type=int, default=6, help="query photos per person (6)")
    parser.add_argument(
        "--surrogate", default="embedded", metavar="ENCODER", help="the surrogate (embedded)"
    )
    parser.add_argument(
        "--held-out",
        action="append",
        metavar="LABEL=ENCODER",
        help="an encoder that is never a surrogate; repeatable; by default the test data's two, "
        "where they are there; 'none' for none",
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="SETTING=VALUE",
        help="a protection setting other than the default; repeatable",
    )
    parser.add_argument(
        "--album", type=Path, help="your own photos, as PERSON/share/* and PERSON/query/*"
    )
    parser.add_argument("--photos", type=Path, help="a folder of photographs, for real_photos")
    parser.add_argument(
        "--photo-weights", type=Path, help="MobileNetV3-Small's features.safetensors"
    )
    parser.add_argument("--count", type=int, default=200, help="photos of the memory study (200)")
    parser.add_argument(
        "--threads",
        type=int,
        default=1,
        help="that compute, on a CPU (1): with another number sums come out in another order, and "
        "figures by as much as with another seed",
    )
    parser.add_argument("--device", help="torch's name of a device; by default CUDA, if there")
    parser.add_argument(
        "--cache", type=Path, default=Path(".cache/studies"), help="where cells are kept"
    )
    parser.add_argument(
        "--out", type=Path, default=Path("docs/results"), help="where the card is written"
    )
    parser.add_argument(
        "--card", metavar="CARD", help="the card's name, to keep it beside the study's own (NAME)"
    )


def run(args: argparse.Namespace) -> int:
    """Runs the sub-command."""
    if args.render:
        return _render()
    if args.name is None:
        return _list(args.out)
    if args.card is not None and not args.card.isidentifier():
        raise ConfigError(f"--card is {args.card!r}: give letters, digits and underscores")
    if find_spec("sklearn") is None:
        raise ConfigError("studies need scikit-learn: run `pip install scikit-learn`")
    from ..measure.render import card_markdown
    from ..studies import get_study
    from ..studies.options import Options, parse_changes
    from ..studies.runner import run_study

    if args.threads < 1:
        raise ConfigError(f"--threads is {args.threads}: give at least 1")
    study = get_study(args.name)
    options = Options(
        people=args.people,
        seeds=args.seeds,
        per_scenario=args.per_scenario,
        queries=args.queries,
        surrogate=args.surrogate,
        held_out=_held_out(args.held_out),
        changes=parse_changes(args.set),
        album=args.album,
        photos=args.photos,
        photo_weights=args.photo_weights,
        count=args.count,
        device=args.device or _default_device(),
        cache=args.cache.resolve(),
    )
    _compute_with(args.threads)
    print(f"{study.name}: {study.title}\nestimate on two CPU cores: {study.estimate}", flush=True)
    card = run_study(study, options, command=_command(args), progress=_Line())
    if args.card is not None:
        card = replace(card, name=args.card)
    path = card.save(args.out)
    print(card_markdown(_short(card)))
    print(f"\nwrote {path}; `dp2vl study --render` puts its figures into the documents")
    return 0


def _compute_with(threads: int) -> None:
    import torch

    torch.set_num_threads(threads)


def _default_device() -> str | None:
    import torch

    return "cuda" if torch.cuda.is_available() else None


def _held_out(given: list[str] | None) -> dict[str, str]:
    if given == ["none"]:
        return {}
    if given is None:
        found = {
            label: f"hf:{_ROOT / folder}"
            for label, folder in _HELD_OUT.items()
            if (_ROOT / folder / "config.json").is_file()
        }
        for label in sorted(set(_HELD_OUT) - set(found)):
            print(f"no {label} encoder at {_HELD_OUT[label]}: its rows are left out")
        return found
    pairs = [text.partition("=") for text in given]
    if not all(label and name for label, _, name in pairs):
        raise ConfigError("--held-out: write LABEL=ENCODER, for example other=hf:some/model")
    return {label: name for label, _, name in pairs}


def _command(args: argparse.Namespace) -> str:
    """The command that makes this card, without what is default or belongs to this machine."""
    words = ["dp2vl", "study", args.name]
    for flag, default in (
        ("people", 20),
        ("seeds", 3),
        ("per_scenario", 1),
        ("queries", 6),
        ("count", 200),
        ("threads", 1),
        ("surrogate", "embedded"),
    ):
        value = getattr(args, flag)
        if value != default:
            words += [f"--{flag.replace('_', '-')}", str(value)]
    for change in args.set:
        words += ["--set", change]
    if args.card is not None:
        words += ["--card", args.card]
    for flag in ("album", "photos", "photo_weights"):
        if getattr(args, flag) is not None:
            words += [f"--{flag.replace('_', '-')}", getattr(args, flag).name.upper()]
    return shlex.join(words)


def _list(out: Path) -> int:
    from ..studies import STUDIES, get_study

    for name, shows in STUDIES.items():
        card = out / f"{name}.json"
        state = "measured" if card.is_file() else "not measured yet"
        print(f"{name:12} {shows}\n{'':12} {get_study(name).estimate}; {state}")
    return 0


def _render() -> int:
    from ..measure.documents import stale

    root = Path.cwd() if (Path.cwd() / "docs" / "results").is_dir() else _ROOT
    changed = stale(root, write=True)
    for path in changed:
        print(f"filled {path.relative_to(root)}")
    if not changed:
        print("the documents equal their cards")
    return 0


def _short(card: ResultCard) -> ResultCard:
    """The card without the rows that only the file needs, for the terminal."""
    from dataclasses import replace

    rows = [row for row in card.rows if not row.figure.startswith(("natural", "mmd", "silhouette"))]
    return replace(card, rows=rows)


class _Line:
    """One line of progress, rewritten in a terminal and sparse in a log."""

    def __init__(self) -> None:
        self._terminal = sys.stderr.isatty()
        self._last = ""
        self._shown = 0.0

    def __call__(self, progress: StudyProgress) -> None:
        left = ""
        if progress.eta_seconds is not None and progress.done < progress.total:
            minutes, seconds = divmod(round(progress.eta_seconds), 60)
            left = f", about {minutes} min {seconds:02d} s left"
        head = f"[{int(progress.done)}/{progress.total}] {progress.label}"
        if self._terminal:
            width = os.get_terminal_size(sys.stderr.fileno()).columns
            text = f"{head}: {progress.doing}{left}"[: width - 1]
            end = "\n" if progress.done >= progress.total else ""
            print(f"\r\x1b[2K{text}", end=end, file=sys.stderr, flush=True)
        elif head != self._last or time.monotonic() - self._shown > _LOG_EVERY:
            print(f"{head}: {progress.doing}{left}", file=sys.stderr, flush=True)
            self._shown = time.monotonic()
        self._last = head
