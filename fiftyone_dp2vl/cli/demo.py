"""``dp2vl demo``: the whole way once, on synthetic photos, in a database of its own."""

from __future__ import annotations

import argparse
import contextlib
import os
import shlex
import sys
import time
from pathlib import Path
from typing import Any

from ..errors import DP2VLError

DATASET = "dp2vl-demo"
RUN = "standard"


def configure(parser: argparse.ArgumentParser) -> None:
    """Adds the sub-command's arguments."""
    parser.add_argument(
        "--directory", type=Path, default=Path(".demo"), help="its folder (default: .demo)"
    )
    parser.add_argument("--people", type=int, default=10, help="how many (default: 10)")
    parser.add_argument("--steps", type=int, help="optimisation steps (default: the library's)")
    parser.add_argument("--epochs", type=int, help="of the attacker (default: the library's)")
    parser.add_argument("--open", action="store_true", help="open the App with what is there")
    parser.add_argument("--no-app", action="store_true", help="do not open the App at the end")
    parser.add_argument("--port", type=int, default=5151, help="the App's (default: 5151)")


def run(args: argparse.Namespace) -> int:
    """Makes what is missing, prints the figures and opens the App; returns the exit status."""
    root = args.directory.expanduser().resolve()
    _own_environment(root)
    import fiftyone as fo

    if not args.open:
        began = time.monotonic()
        dataset = _dataset(root, args.people)
        record = _protect(dataset, root, args.steps)
        from .demo_figures import print_figures

        print_figures(dataset, record)
        from .demo_attack import attack

        _say("attacking: a small VLM is fine-tuned on clean, noisy and protected photos")
        with _progress() as tell:
            report = attack(dataset, record, root / "attack", args.epochs, tell)
        print(report, flush=True)
        print(f"done in {time.monotonic() - began:.0f} s; files are in {record.directory}")
    elif not fo.dataset_exists(DATASET):
        raise DP2VLError(f"there is no demo in {root} yet: run dp2vl demo first")
    if args.no_app:
        return 0
    if not args.open and not (sys.stdin.isatty() and sys.stdout.isatty()):
        program = Path(sys.executable).with_name("dp2vl")
        command = [str(program)] if program.exists() else [sys.executable, "-m", "fiftyone_dp2vl"]
        print("to look at it in the FiftyOne App:")
        print(f"  {shlex.join([*command, 'demo', '--directory', str(root), '--open'])}")
        return 0
    _open_app(fo.load_dataset(DATASET), args.port)
    return 0


def _own_environment(root: Path) -> None:
    """Gives the demo folders of its own for all that FiftyOne keeps, before it starts."""
    from ..store.database import start_database
    from ..store.plugin import PLUGIN_NAME, plugin_folder
    from .install import install

    os.environ.setdefault("FIFTYONE_DATABASE_NAME", "dp2vl_demo")
    os.environ.setdefault("FIFTYONE_DEFAULT_DATASET_DIR", str(root / "datasets"))
    os.environ.setdefault("FIFTYONE_DATABASE_VALIDATION", "false")
    os.environ.setdefault("FIFTYONE_DO_NOT_TRACK", "true")
    os.environ.setdefault("FIFTYONE_SHOW_PROGRESS_BARS", "false")
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")  # of weights that load in a blink
    os.environ.setdefault("FIFTYONE_PLUGINS_CACHE_ENABLED", "true")
    folder = plugin_folder()
    if "FIFTYONE_PLUGINS_DIR" not in os.environ and folder is not None:
        os.environ["FIFTYONE_PLUGINS_DIR"] = str(root / "plugins")
        install(folder, root / "plugins" / PLUGIN_NAME)
    start_database(root / "database")


def _dataset(root: Path, people: int) -> Any:
    """Returns the dataset, drawing its photos where they are missing."""
    import fiftyone as fo

    from ..benchmark import generate_benchmark
    from ..store import benchmark_dataset

    folder = root / f"photos-{people}"
    _say(f"drawing photos of {people} people in {folder}")
    benchmark = generate_benchmark(folder, people=people, photos_per_scenario=1)
    if fo.dataset_exists(DATASET):
        dataset = fo.load_dataset(DATASET)
        known = {str(benchmark.path(photo).absolute()) for photo in benchmark.photos}
        if set(dataset.values("filepath")) == known:
            return dataset
        _forget_runs(dataset)
    dataset = benchmark_dataset(benchmark, DATASET, overwrite=True)
    _say(f"{len(dataset)} photos in dataset {DATASET!r}")
    return dataset


def _protect(dataset: Any, root: Path, steps: int | None) -> Any:
    """Returns the run's record, protecting what is not protected yet."""
    from ..store import compute_embeddings, list_runs, protect_dataset
    from ..store.files import delete_run_files

    settings: dict[str, Any] = {} if steps is None else {"steps": steps}
    for record in list_runs(dataset):
        if record.run == RUN and record.state == "complete":
            if steps in (None, record.protection.steps):
                _say(f"run {RUN!r} is complete already")
                return record
            _forget_runs(dataset)
    # files are named by sample: those of a database that is gone belong to nobody
    if RUN not in {record.run for record in list_runs(dataset)}:
        delete_run_files(root / "protected")
    _say("embedding every photo")
    with _progress() as tell:
        compute_embeddings(dataset, "embedded", progress=tell)
    shared = dataset.match_tags("share")
    dataset.save_view("shared", shared, description="photos to release", overwrite=True)
    _say(f"protecting the {len(shared)} photos that are shared; query photos stay as they are")
    with _progress() as tell:
        return protect_dataset(
            shared,
            RUN,
            output_dir=str(root / "protected"),
            group_field="identity",
            progress=tell,
            **settings,
        )


def _forget_runs(dataset: Any) -> None:
    from ..store import delete_evaluation, delete_run, list_evaluations, list_runs

    for evaluation in list_evaluations(dataset):
        delete_evaluation(dataset, evaluation.evaluation)
    for record in list_runs(dataset):
        delete_run(dataset, record.run)


def _open_app(dataset: Any, port: int) -> None:
    import fiftyone as fo

    session = fo.launch_app(dataset, port=port)
    print("press Ctrl+C to stop the App")
    with contextlib.suppress(KeyboardInterrupt):
        session.wait(-1)
    session.close()


def _say(text: str) -> None:
    print(f"[dp2vl] {text}", flush=True)


@contextlib.contextmanager
def _progress() -> Any:
    """Yields a callback that shows progress: one moving line in a terminal, few lines in a log."""
    terminal, last = sys.stdout.isatty(), [-60.0]

    def tell(progress: Any) -> None:
        now = time.monotonic()
        if not terminal and now - last[0] < 15 and progress.done < progress.total:
            return
        last[0] = now
        left = f", about {progress.eta_seconds:.0f} s left" if progress.eta_seconds else ""
        line = f"        {progress.label}{left}"
        print(f"\r{line:<78}"[:80] if terminal else line, end="" if terminal else "\n", flush=True)

    yield tell
    if terminal:
        print()
