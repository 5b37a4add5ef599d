"""Originals, datasets of them, and children that do a job on a dataset until something happens."""

from __future__ import annotations

import hashlib
import json
import os
import random
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from fiftyone_dp2vl.store import load_run

HERE = Path(__file__).parent
PHOTOS = 12


def make_originals(folder: Path) -> list[Path]:
    folder.mkdir()
    rng = np.random.default_rng(0)
    paths = []
    for number in range(PHOTOS):
        coarse = Image.fromarray(rng.integers(40, 220, (6, 7, 3), dtype=np.uint8))
        paths.append(folder / f"photo{number}.png")
        coarse.resize((64, 48), Image.Resampling.BICUBIC).save(paths[-1])
    return paths


def tree(folder: Path) -> dict[str, str]:
    return {
        p.relative_to(folder).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest()
        for p in sorted(folder.rglob("*"))
        if p.is_file() and p.name != ".lock"
    }


class World:
    """A folder of originals, and a dataset of them for each point at which something happens."""

    def __init__(self, folder: Path, encoder: str) -> None:
        self.folder, self.encoder = folder, encoder
        self.paths = make_originals(folder / "originals")
        self.before = tree(folder / "originals")
        self.datasets: list[Any] = []
        # the children stay with this server: an own folder would be another one
        self.environment = {**os.environ, "PYTHONPATH": f"{HERE}:{HERE.parents[1]}"}

    def dataset(self, point: str) -> Any:
        """Makes a point's dataset: a clone, for a photo's id counts in what becomes of it."""
        import campaign
        import fiftyone as fo

        if not self.datasets:
            base = fo.Dataset(f"faults-{self.folder.name}-base", persistent=True)
            base.add_samples(
                [
                    fo.Sample(
                        filepath=str(path), identity=f"person{'ab'[number % 2]}", scene="beach"
                    )
                    for number, path in enumerate(self.paths)
                ],
                progress=False,
            )
            self.datasets.append(base)
        name = campaign.dataset_name(self.folder, point)
        self.datasets.append(self.datasets[0].clone(name, persistent=True))
        return self.datasets[-1]

    def campaign(self, job: str, points: list[str]) -> dict[str, tuple[int, str]]:
        """Does a job at points; returns how each ended, and what it said."""
        return {point: (status, said) for point, status, said in self.children(job, points)}

    def children(self, job: str, points: list[str]) -> list[list[Any]]:
        done = subprocess.run(
            [
                sys.executable,
                str(HERE / "campaign.py"),
                job,
                str(self.folder),
                self.encoder,
                *points,
            ],
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr[-3000:]
        return [json.loads(line) for line in done.stdout.splitlines() if line.startswith('["')]

    def finish(self, job: str, point: str, dataset: Any) -> dict[str, str]:
        """Does a point's job again, here, to its end; returns its files."""
        import campaign

        dataset.reload()
        place = self.folder / point.replace(":", "-")
        campaign.do(job, dataset, place, self.encoder)
        return tree(place / {"protect": "run", "release": "out"}[job])

    def close(self) -> None:
        for dataset in self.datasets:
            dataset.delete()


def drawn(counts: dict[str, int], seed: int) -> Iterator[str]:
    """Yields points, each once: the kinds of events in turn, any event of a kind."""
    rng = random.Random(seed)
    orders = {
        kind: rng.sample(range(1, count + 1), count)
        for kind, count in sorted(counts.items())
        if count
    }
    while any(orders.values()):
        for kind, left in orders.items():
            if left:
                yield f"{kind}:{left.pop()}"


def deaths(
    world: World,
    job: str,
    number: int,
    seed: int,
    dataset: Callable[[str], Any],
    last: Sequence[str] = (),
) -> dict[str, Any]:
    """Kills a job at as many points as asked for; returns the points with their datasets.

    Args:
        world: the originals
        job: see campaign.py
        number: of deaths
        seed: which they are
        dataset: makes the dataset of a point
        last: kinds of events whose very last one is among the points
    """
    world.campaign(job, ["never:0"])
    counts = json.loads((world.folder / f"{job}.counts").read_text())
    first = [f"{kind}:{counts[kind]}" for kind in last]
    points = chain(first, (point for point in drawn(counts, seed) if point not in first))
    killed: dict[str, Any] = {}
    while len(killed) < number:
        datasets = {point: dataset(point) for point in islice(points, number - len(killed))}
        assert datasets, f"{job} has only {len(killed)} points: {counts}"
        for point, (status, said) in world.campaign(job, list(datasets)).items():
            if status == 0 and point.startswith("database:"):
                # how often a run asks its server varies a little: this one ended before
                assert said == "", point
                continue
            assert status == -9, (point, said)
            killed[point] = datasets[point]
    return killed


def protected_copies(world: World) -> Callable[[str], Any]:
    """Protects a dataset; returns a function that makes a point's copy of it."""
    import campaign

    from fiftyone_dp2vl.store.records import save_run

    first = world.dataset("never:0")
    world.campaign("protect", ["never:0"])
    first.reload()
    record = load_run(first, "one")

    def copy(point: str) -> Any:
        dataset = first.clone(campaign.dataset_name(world.folder, point), persistent=True)
        save_run(dataset, record)
        world.datasets.append(dataset)
        return dataset

    return copy
