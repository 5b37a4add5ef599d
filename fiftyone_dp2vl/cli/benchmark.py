"""``dp2vl benchmark``: synthetic people's photos in a folder, and as a FiftyOne dataset."""

from __future__ import annotations

import argparse
import importlib.util
import shlex
from pathlib import Path

from ..errors import DP2VLError


def configure(parser: argparse.ArgumentParser) -> None:
    """Adds the sub-command's arguments."""
    parser.add_argument("directory", type=Path, help="folder to write to")
    parser.add_argument("--people", type=int, default=20, help="how many (default: 20)")
    parser.add_argument("--seed", type=int, default=7, help="draws everything (default: 7)")
    parser.add_argument(
        "--split",
        default="eval",
        choices=("eval", "dev", "train", "train_heldout"),
        help="whose people: eval is for reported figures, dev for choosing settings",
    )
    parser.add_argument("--photos", type=int, default=2, help="photos a scenario (default: 2)")
    parser.add_argument("--queries", type=int, default=6, help="query photos (default: 6)")
    parser.add_argument("--dataset", help="name of the FiftyOne dataset (default: the folder's)")
    parser.add_argument("--no-dataset", action="store_true", help="write files only")
    parser.add_argument("--overwrite", action="store_true", help="replace the dataset")


def run(args: argparse.Namespace) -> int:
    """Writes the benchmark; returns the exit status."""
    from ..benchmark import ArtMissingError, generate_benchmark

    try:
        benchmark = generate_benchmark(
            args.directory,
            people=args.people,
            seed=args.seed,
            split=args.split,
            photos_per_scenario=args.photos,
            queries=args.queries,
        )
    except (ArtMissingError, FileExistsError, ValueError) as error:
        raise DP2VLError(str(error)) from error
    print(f"{len(benchmark.photos)} photos of {args.people} people in {args.directory}")
    if args.no_dataset:
        return 0
    if importlib.util.find_spec("fiftyone") is None:
        print("no FiftyOne here, so no dataset: pip install 'fiftyone_dp2vl[app]' brings it")
        return 0
    from ..store import benchmark_dataset

    name = args.dataset or args.directory.resolve().name
    dataset = benchmark_dataset(benchmark, name, overwrite=args.overwrite)
    opened = f"fiftyone app launch {shlex.quote(dataset.name)}"
    print(f"FiftyOne dataset {dataset.name!r}: {opened}")
    return 0
