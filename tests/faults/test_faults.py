"""Killed, out of room, shut out, raced: then nothing is half there, and a rerun is the same."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import random
import subprocess
import sys
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from scale import DEATHS_OF_PROTECT, DEATHS_OF_RELEASE, SEEDS, tell

from fiftyone_dp2vl.errors import RunError
from fiftyone_dp2vl.store import audit_release, load_run, protect_dataset

HERE = Path(__file__).parent
PHOTOS = 12

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")


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
        lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith('["')]
        return {point: (status, said) for point, status, said in lines}

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


@pytest.fixture
def world(tmp_path: Path, tiny_encoder: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    monkeypatch.syspath_prepend(str(HERE))
    made = World(tmp_path, tiny_encoder)
    yield made
    made.close()
    assert tree(tmp_path / "originals") == made.before


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
    world: World, job: str, number: int, seed: int, dataset: Callable[[str], Any]
) -> dict[str, Any]:
    """Kills a job at as many points as asked for; returns the points with their datasets."""
    world.campaign(job, ["never:0"])
    counts = json.loads((world.folder / f"{job}.counts").read_text())
    points = drawn(counts, seed)
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


def killed_while_protecting(world: World, points_wanted: int, seed: int) -> int:
    """Kills protections of a dataset; returns at how many points."""
    world.dataset("never:0")
    killed = deaths(world, "protect", points_wanted, seed, world.dataset)
    whole = tree(world.folder / "never-0" / "run")
    assert len([name for name in whole if name.startswith("photos/")]) == PHOTOS
    for point, dataset in killed.items():
        place = world.folder / point.replace(":", "-")
        for path in (place / "run").rglob("*.png"):
            if not path.name.startswith("."):
                Image.open(path).load()  # whole, or not there
        assert world.finish("protect", point, dataset) == whole, point
        record = load_run(dataset, "one")
        assert (record.state, record.counts["protected"]) == ("complete", PHOTOS)
        paths = dataset.values(record.names.path)
        assert {Path(p).name for p in paths} == {
            Path(n).name for n in whole if n.startswith("photos/")
        }
        assert dataset.count_values(record.names.status) == {"protected": PHOTOS}
    return len(killed)


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


def killed_while_releasing(world: World, points_wanted: int, seed: int) -> int:
    """Kills releases of a protected dataset; returns at how many points."""
    import fiftyone as fo

    killed = deaths(world, "release", points_wanted, seed, protected_copies(world))
    for point, dataset in killed.items():
        place = world.folder / point.replace(":", "-")
        visible = (
            [p for p in place.iterdir() if not p.name.startswith(".")] if place.exists() else []
        )
        if place / "out" in visible:  # it was killed after all was done
            assert audit_release(place / "out", dataset).passed
            continue
        assert all(".audit." in p.name for p in visible), visible
        made = world.finish("release", point, dataset)
        assert len([name for name in made if name.endswith(".png")]) == PHOTOS
        assert {p.name for p in place.iterdir()} == {"out", "out.audit.html", "out.audit.json"}
    assert [n for n in fo.list_datasets() if n.startswith("release-")] == []
    return len(killed)


@pytest.mark.parametrize("seed", SEEDS)
def test_killed_while_protecting_a_dataset(world, seed):
    survived = killed_while_protecting(world, DEATHS_OF_PROTECT, seed)
    assert survived == DEATHS_OF_PROTECT
    tell(f"protect, seed {seed}: {survived} of {DEATHS_OF_PROTECT} deaths survived")


@pytest.mark.parametrize("seed", SEEDS)
def test_killed_while_releasing(world, seed):
    survived = killed_while_releasing(world, DEATHS_OF_RELEASE, seed)
    assert survived == DEATHS_OF_RELEASE
    tell(f"release, seed {seed}: {survived} of {DEATHS_OF_RELEASE} deaths survived")


def test_a_full_disk_stops_the_run_and_a_rerun_goes_on(world):
    world.dataset("never:0")
    full = world.dataset("full:2000")
    told = world.campaign("protect", ["never:0", "full:2000"])
    status, said = told["full:2000"]
    assert status == 0
    assert said
    assert "\n" not in said
    full.reload()
    assert load_run(full, "one").state == "stopped"
    whole = tree(world.folder / "never-0" / "run")
    assert world.finish("protect", "full:2000", full) == whole


def test_a_full_disk_leaves_no_half_release(world):
    full = protected_copies(world)("full:2000")
    status, said = world.campaign("release", ["full:2000"])["full:2000"]
    assert status == 0
    assert said
    assert "\n" not in said
    place = world.folder / "full-2000"
    assert not place.exists() or list(place.iterdir()) == []
    made = world.finish("release", "full:2000", full)
    assert len([name for name in made if name.endswith(".png")]) == PHOTOS


@pytest.fixture
def protect(world: World) -> Callable[..., Any]:
    def go(dataset: Any, folder: Path, **more: Any) -> Any:
        return protect_dataset(
            dataset,
            "one",
            output_dir=str(folder),
            group_field="identity",
            encoders=[world.encoder],
            **{"steps": 3, "lanes": 2, "transforms": [], **more},
        )

    return go


def at_photo(number: int, act: Callable[[], None]) -> Callable[[Any], None]:
    """Returns a progress callback that does something once, while photos are being protected."""
    left = [act]

    def tell(progress: Any) -> None:
        if progress.phase == "protect" and progress.done >= number and left:
            left.pop()()

    return tell


def test_an_original_that_is_changed_or_deleted_meanwhile(world, protect, tmp_path):
    dataset = world.dataset("changed")
    other = Image.new("RGB", (64, 48), (9, 99, 200))
    last, gone = world.paths[-1], world.paths[-2]
    kept = {path: path.read_bytes() for path in (last, gone)}

    def meddle() -> None:
        other.save(last)
        gone.unlink()

    try:
        # at the first photo: the last two are farther away than photos are read ahead
        record = protect(dataset, tmp_path / "run", progress=at_photo(0, meddle))
        assert record.counts == {"protected": PHOTOS - 2, "clean": 0, "failed": 2}
        errors = dict(zip(*dataset.values(["filepath", record.names.error]), strict=True))
        assert "was changed after the run began" in errors[str(last)]
        assert "does not exist" in errors[str(gone)]
        assert len(list((tmp_path / "run" / "photos").iterdir())) == PHOTOS - 2
    finally:
        for path, data in kept.items():
            path.write_bytes(data)


def test_a_folder_that_vanishes_or_cannot_be_written(world, protect, tmp_path):
    import shutil

    dataset = world.dataset("vanishing")
    folder = tmp_path / "run"
    photos = folder / "photos"

    def vanish() -> None:
        # A writer may make the folder anew between the two steps.
        while not photos.is_file():
            shutil.rmtree(photos, ignore_errors=True)
            with contextlib.suppress(IsADirectoryError):
                photos.write_text("in the way")

    with pytest.raises(RunError, match="cannot be written"):
        protect(dataset, folder, progress=at_photo(0, vanish))
    photos.unlink()
    assert load_run(dataset, "one").state == "stopped"
    record = protect(dataset, folder)
    assert record.counts["protected"] == PHOTOS
    assert len(list(photos.iterdir())) == PHOTOS


def test_two_runs_on_one_dataset_at_once(world, protect, tmp_path):
    dataset = world.dataset("two")
    refused: list[str] = []

    def second() -> None:
        with pytest.raises(RunError) as caught:
            protect(dataset, tmp_path / "run")
        refused.append(str(caught.value))

    record = protect(dataset, tmp_path / "run", progress=at_photo(2, second))
    assert "another run is at work" in refused[0]
    assert record.state == "complete"
    assert load_run(dataset, "one").state == "complete"
    assert record.counts["protected"] == PHOTOS


@pytest.mark.skipif(sys.platform != "linux", reason="finds the server by /proc")
def test_the_database_is_killed_meanwhile_and_started_again(world):
    def child(phase: str) -> tuple[int, dict[str, Any]]:
        done = subprocess.run(
            [
                sys.executable,
                str(HERE / "database_dies.py"),
                str(world.folder),
                world.encoder,
                phase,
            ],
            env={k: v for k, v in world.environment.items() if k != "FIFTYONE_DATABASE_URI"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.stdout, done.stderr[-3000:]
        return done.returncode, json.loads(done.stdout.splitlines()[-1])

    _, died = child("die")
    assert died["killed"]
    assert died["error"] is not None
    _, again = child("again")
    assert again.get("state") == "complete", again["error"]
    assert again["counts"]["protected"] == PHOTOS
    assert again["on_disk"] == again["in_database"] == PHOTOS
    _, fresh = child("fresh")
    assert fresh["tree"] == again["tree"]
