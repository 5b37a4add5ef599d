"""``dp2vl attack``: fine-tunes attackers on shared photos and reports what leaks."""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..config import ProtectionConfig
from ..errors import ConfigError
from .told import interrupts

if TYPE_CHECKING:
    from ..attack import AttackAlbum
    from ..attack.evaluate import AttackProgress
    from ..measure.cards import Row
    from ..measure.report import AttackReport

_ASKS = ("identity", "affiliation")
_LOG_EVERY = 30.0
"""Seconds between two lines about one cell, where there is no terminal to rewrite a line in."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Adds the sub-command's arguments."""
    parser.add_argument(
        "album",
        nargs="*",
        type=Path,
        help="a benchmark's folder, or photos as PERSON/share/* and PERSON/query/*; with several, "
        "one for each repetition; without one the arms are listed",
    )
    parser.add_argument(
        "--protected",
        action="append",
        default=[],
        type=Path,
        metavar="RUN",
        help="folder that `dp2vl protect` wrote, one for each album",
    )
    parser.add_argument(
        "--protect", action="store_true", help="protect the shared photos here, with the defaults"
    )
    parser.add_argument(
        "--others", type=Path, help="a benchmark of other people, for false naming and for A7"
    )
    parser.add_argument(
        "--attacker",
        action="append",
        metavar="NAME",
        help="a model such as embedded or llava:FOLDER, or proxy:linear@ENCODER; can be repeated "
        "(default: embedded and proxy:linear@embedded)",
    )
    parser.add_argument(
        "--transfer",
        action="append",
        default=[],
        metavar="NAME",
        help="an attacker whose encoder was no surrogate (A5); can be repeated",
    )
    parser.add_argument(
        "--arms",
        action="append",
        metavar="NAME",
        help="quick, controls, ratio, post-processing, adaptive, full, or one arm; can be repeated "
        "(default: controls)",
    )
    parser.add_argument("--quick", action="store_true", help="the arms 'quick' and nothing else")
    parser.add_argument(
        "--setting",
        default="all",
        choices=("all", "shown", "both"),
        help="whether photos tell all facts of their person or what they show (all)",
    )
    parser.add_argument("--seeds", type=int, default=1, help="repetitions (1, or one an album)")
    parser.add_argument(
        "--per-person", type=int, default=6, help="shared photos a person of a benchmark (6)"
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="SETTING=VALUE",
        help="a fine-tuning setting other than the family's own; can be repeated",
    )
    parser.add_argument("--max-questions", type=int, default=0, help="query photos asked (all)")
    parser.add_argument("--device", help="such as cpu or cuda (default: the GPU if there is one)")
    parser.add_argument(
        "--trust-remote-code",
        action="store_true",
        help="run code that ships with a checkpoint (qwen_vl_original); read that code first",
    )
    parser.add_argument(
        "--cache", type=Path, default=Path(".cache/attack"), help="where cells are kept"
    )
    parser.add_argument(
        "--out", type=Path, default=Path("attack.json"), help="report to write (attack.json)"
    )
    parser.add_argument("--plan", action="store_true", help="tell the plan and stop")


def run(args: argparse.Namespace) -> int:
    """Plans, attacks and reports; returns the exit status."""
    if not args.album:
        return _list()
    from ..attack.evaluate import evaluate_attack
    from ..attack.plan import plan_attack
    from ..attack.registry import load_attacker
    from ..attack.settings import AttackConfig

    if args.protected and len(args.protected) != len(args.album):
        raise ConfigError("give one --protected folder for each album")
    if args.protected and args.protect:
        raise ConfigError("--protected names finished runs and --protect makes one: give one")
    if args.out.suffix != ".json":
        raise ConfigError(f"{args.out} is no name of a report: let --out end in .json")
    named = args.attacker or ["embedded", "proxy:linear@embedded"]
    config = AttackConfig(
        attackers=tuple(name for name in named if not name.startswith("proxy:")),
        proxies=tuple(name for name in named if name.startswith("proxy:")),
        transfer=tuple(args.transfer),
        arms=("quick",) if args.quick else tuple(args.arms or ["controls"]),
        setting=args.setting,
        seeds=args.seeds,
        finetune=_finetune(args.set),
        max_questions=args.max_questions,
    )
    albums = [_album(folder, args) for folder in args.album]
    from ..encoders import default_device

    call: dict[str, Any] = {"cache": args.cache, "device": args.device or default_device()}
    call["load"] = lambda name: load_attacker(
        name, device=call["device"], trust_remote_code=args.trust_remote_code
    )
    facts = None
    if args.protected:
        from ..attack.folders import run_files

        runs = [run_files(a, f) for a, f in zip(albums, args.protected, strict=True)]
        if any(run.protection != runs[0].protection for run in runs):
            raise ConfigError("the runs have different settings: attack them one at a time")
        call |= {"protected": [run.files for run in runs], "protection": runs[0].protection}
        facts = runs[0].facts
    elif args.protect:
        call["protection"] = ProtectionConfig()
    print("measuring how long this will take ...", file=sys.stderr, flush=True)
    print(plan_attack(albums, config, **call), flush=True)
    if args.plan:
        return 0
    with interrupts() as cancel:
        report = evaluate_attack(
            albums,
            config,
            **call,
            facts=facts,
            source=", ".join(folder.resolve().name for folder in args.album),
            name=args.out.stem,
            progress=_Line(),
            cancel=cancel,
        )
    report.save(args.out)
    _show(report)
    print(f"\nwrote {args.out}; `dp2vl report {args.out} --html PAGE.html` draws it")
    return 0


def _list() -> int:
    from ..attack.arms import PRESETS, list_arms
    from ..attack.proxies import KINDS
    from ..attack.registry import list_attackers

    print("attackers:")
    for listing in list_attackers():
        state = "" if listing.ready else "  (not installed)"
        print(f"  {listing.name:20} {listing.description}{state}")
    print(f"  {'proxy:KIND@ENCODER':20} fast stand-ins: {', '.join(KINDS)}")
    print("sets of arms:")
    for name, text in PRESETS.items():
        print(f"  {name:20} {text}")
    print("arms:")
    for option in list_arms().values():
        print(f"  {option.id:36} {option.arm.name}: {option.arm.needs}")
    return 0


def _finetune(texts: list[str]) -> dict[str, Any]:
    """Returns fine-tuning settings from texts such as ``epochs=5``.

    Raises:
        ConfigError: if a text has another form, or names no setting
    """
    from ..attack.config import FineTuneConfig

    defaults = FineTuneConfig().to_dict()
    changes: dict[str, Any] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or name not in defaults:
            raise ConfigError(
                f"--set {text}: write SETTING=VALUE with one of {', '.join(sorted(defaults))}"
            )
        kind = type(defaults[name])
        try:
            changes[name] = value in ("true", "True", "1") if kind is bool else kind(value)
        except ValueError as error:
            raise ConfigError(f"--set {text}: {value!r} is not {kind.__name__}") from error
    return changes


def _album(folder: Path, args: argparse.Namespace) -> AttackAlbum:
    """Returns the album in a folder, a benchmark or one's own photos."""
    from ..benchmark.generate import INDEX_NAME, load_benchmark

    if not folder.is_dir():
        raise ConfigError(f"{folder} is not a folder: give one with a benchmark or photos")
    if not (folder / INDEX_NAME).is_file():
        if args.others is not None:
            raise ConfigError("--others belongs to a benchmark: put photos into others/PERSON/*")
        from ..attack.folders import folder_attack_album

        return folder_attack_album(folder)
    from ..attack.benchmark import benchmark_attack_album

    try:
        others = None if args.others is None else load_benchmark(args.others)
        benchmark = load_benchmark(folder)
    except (OSError, ValueError, KeyError) as error:
        raise ConfigError(f"the benchmark cannot be read ({error}): generate it again") from error
    return benchmark_attack_album(benchmark, per_person=args.per_person, others=others)


def _show(report: AttackReport) -> None:
    """Prints each arm's accuracy with its interval, an attacker after another."""
    from ..measure.report_views import Lens, Rung, gets_through

    for setting in dict.fromkeys(row.conditions["setting"] for row in report.select()):
        for attacker in report.attackers:
            print(f"\n{attacker}, photos tell {setting} facts, forced choice, final")
            print(f"  {'trained on':44} {'identity':>20} {'affiliation':>20}")
            final, peak = (
                Lens(report, attacker, setting=setting, epoch=epoch) for epoch in ("final", "peak")
            )
            guess = [final.chance(ask) for ask in _ASKS]
            cells = ["" if chance is None else f"{100 * chance:.0f} %" for chance in guess]
            print(f"  {'guessing':44} {cells[0]:>20} {cells[1]:>20}")
            for arm in report.arms:
                rungs = [
                    Rung(arm, lens, rows)
                    for lens in (final, peak)
                    if (rows := {a: row for a in _ASKS if (row := lens.accuracy(arm.name, a))})
                ]
                if rungs:
                    mark = " *" if arm.wins and any(map(gets_through, rungs)) else ""
                    cells = [_cell(rungs[0].rows.get(ask)) for ask in _ASKS]
                    print(f"  {arm.name + mark:44} {cells[0]:>20} {cells[1]:>20}")
    print("\n* gets far above guessing in spite of the protection, at the end or in between")
    print("not tested:")
    for sentence in report.not_tested:
        print(f"  {sentence}")


def _cell(row: Row | None) -> str:
    if row is None:
        return ""
    low, high = row.interval or (row.value, row.value)
    return f"{100 * row.value:.0f} % [{100 * low:.0f}, {100 * high:.0f}]"


class _Line:
    """One line of progress, rewritten in a terminal and sparse in a log."""

    def __init__(self) -> None:
        self._terminal = sys.stderr.isatty()
        self._last = ""
        self._shown = 0.0

    def __call__(self, progress: AttackProgress) -> None:
        from ..attack.plan import duration

        left = ""
        if progress.eta_seconds is not None and progress.done < progress.total:
            left = f", about {duration(progress.eta_seconds)} left"
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
