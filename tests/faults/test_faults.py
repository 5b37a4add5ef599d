"""Killed, out of room, shut out, raced: then nothing is half there, and a rerun is the same."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from scale import DEATHS_OF_PROTECT, SEEDS, tell
from worlds import HERE, PHOTOS, World, deaths, tree

from fiftyone_dp2vl.errors import RunError
from fiftyone_dp2vl.store import (
    check_datasets,
    load_run,
    protect_dataset,
)

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")


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


@pytest.mark.parametrize("seed", SEEDS)
def test_killed_while_protecting_a_dataset(world, seed):
    survived = killed_while_protecting(world, DEATHS_OF_PROTECT, seed)
    assert survived == DEATHS_OF_PROTECT
    tell(f"protect, seed {seed}: {survived} of {DEATHS_OF_PROTECT} deaths survived")


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


def test_two_writers_on_one_dataset_at_once(world):
    """FiftyOne writes a dataset's list of fields whole: without a lock one would lose a field."""
    dataset = world.dataset("both:0")
    place = world.folder / "both-0"
    world.children("both", ["both:0"])
    photos = tree(place / "run" / "photos")
    assert len(photos) == PHOTOS
    assert tree(place / "two" / "photos") == photos
    dataset.reload()
    for run, folder in (("one", "run"), ("two", "two")):
        record = load_run(dataset, run)
        assert (record.state, record.counts["protected"]) == ("complete", PHOTOS)
        assert set(record.fields) <= set(dataset.get_field_schema())
        assert dataset.count_values(record.names.status) == {"protected": PHOTOS}
        assert {Path(path).name for path in dataset.values(record.names.path)} == set(photos)
        assert tree(place / folder / "photos") == photos
    assert check_datasets([dataset.name], thorough=True) == []


def test_a_protection_that_the_app_gives_up(world, tmp_path):
    """The App's page is closed: its request ends, and with it the generator of the operator."""
    import fiftyone.operators as foo
    from fiftyone.operators.executor import ExecutionContext, Executor

    operator = foo.get_operator("@dp2vl/fiftyone_dp2vl/protect")
    dataset, whole = world.dataset("given-up"), world.dataset("calm")
    out = tmp_path / "run"

    def messages(dataset: Any, out: Path) -> Any:
        params = {
            "run": "one",
            "output_dir": str(out),
            "group_field": "identity",
            "encoders": [world.encoder],
            "steps": 30,
            "lanes": 1,
            "transforms": [],
        }
        request = {"dataset_name": dataset.name, "view": [], "params": params}
        return operator.execute(ExecutionContext(request, executor=Executor()))

    told = messages(dataset, out)
    for message in told:
        if message.body.params.get("progress", 0) > 0.1:  # what comes before is a survey
            break
    told.close()
    dataset.reload()
    record = load_run(dataset, "one")
    assert record.state == "stopped"
    finished = len(list((out / "photos").glob("*.png")))
    assert finished < PHOTOS
    assert check_datasets([dataset.name], thorough=True)[0].code == "run-stopped"

    for _ in messages(dataset, out):
        pass
    for _ in messages(whole, tmp_path / "calm"):
        pass
    dataset.reload()
    record = load_run(dataset, "one")
    assert (record.state, record.counts["protected"]) == ("complete", PHOTOS)
    assert tree(out / "photos") == tree(tmp_path / "calm" / "photos")


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
    assert again["killed"], "the release was to lose its database too"
    assert again["release_error"] is not None
    assert again["released"] == {}
    _, fresh = child("fresh")
    assert fresh["tree"] == again["tree"]
    # the release that lost its database, made again, and one that did not
    assert fresh["release_error"] is None
    assert len(fresh["released"]) > PHOTOS
    assert fresh["released"] == fresh["released_calmly"]
