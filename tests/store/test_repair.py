"""Datasets and the disk brought to disagree in every way that a fault or a hand can."""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from stopping import stop_after

from fiftyone_dp2vl.errors import Cancelled, ConfigError, RunError
from fiftyone_dp2vl.runs.lock import locked
from fiftyone_dp2vl.store import (
    check_datasets,
    delete_run,
    load_run,
    plan_release,
    protect_dataset,
    repair_datasets,
)
from fiftyone_dp2vl.store.records import save_run
from fiftyone_dp2vl.store.workers import this_worker

pytestmark = pytest.mark.usefixtures("originals_untouched")


def tree(folder: Path) -> dict[str, str]:
    return {
        str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest()
        for p in folder.rglob("*")
        if p.is_file()
    }


class World:
    """A dataset with one run, and the calls that all tests make."""

    def __init__(self, dataset: Any, out: Path, settings: dict[str, Any]) -> None:
        self.dataset, self.out, self.settings = dataset, out, settings
        self.photos = out / "photos"
        self.protect()
        self.whole = tree(self.photos)
        assert len(self.whole) == 12
        assert self.found(thorough=True) == []

    def protect(self, **more: Any) -> Any:
        arguments = {"output_dir": str(self.out), **self.settings, **more}
        return protect_dataset(self.dataset, "one", group_field="identity", **arguments)

    def found(self, **more: Any) -> list[str]:
        return [one.finding for one in check_datasets([self.dataset.name], **more)]

    def repair(self) -> list[str]:
        done = repair_datasets([self.dataset.name])
        assert repair_datasets([self.dataset.name]) == []
        left = check_datasets([self.dataset.name], thorough=True)
        assert [one for one in left if one.mend is not None] == []
        self.dataset.reload()
        return done

    def values(self, what: str) -> dict[str, Any]:
        ids, values = self.dataset.values(["id", f"dp2vl_one_{what}"])
        return dict(zip(ids, values, strict=True))

    def agrees_after_the_same_call(self) -> None:
        record = self.protect()
        assert (record.state, record.error, record.worker) == ("complete", None, "")
        assert record.counts == {"protected": 12, "clean": 0, "failed": 0}
        assert tree(self.photos) == self.whole
        assert self.found(thorough=True) == []
        paths = self.values("path")
        assert sorted(Path(path).name for path in paths.values()) == sorted(self.whole)


@pytest.fixture
def world(dataset: Any, quick: dict[str, Any], tmp_path: Path) -> World:
    return World(dataset, tmp_path / "out", quick)


def spoil(kind: str, path: Path, original: Path) -> None:
    data = bytearray(path.read_bytes())
    if kind == "another size":
        path.write_bytes(data[: len(data) // 2])
    elif kind == "the same size":
        data[len(data) // 2] ^= 1
        path.write_bytes(data)
    elif kind == "a link":
        path.unlink()
        path.symlink_to(original)


class TestFiles:
    def test_photos_whose_files_are_gone_are_no_longer_protected(self, world):
        lost = world.dataset.values("id")[3:5]
        for key in lost:
            Path(world.values("path")[key]).unlink()
        assert world.found() == ["run 'one': the protected files of 2 photos are gone"]
        (done,) = world.repair()
        assert done.startswith(f"{world.dataset.name}: run 'one': the protected files of 2 photos")
        assert done.endswith("; 2 photos set back to not protected")

        paths, status, error = (world.values(what) for what in ("path", "status", "error"))
        assert [key for key in paths if paths[key] is None] == lost
        assert {key: status[key] for key in lost} == dict.fromkeys(lost, "failed")
        assert error[lost[0]].startswith("not protected any more, because the protected files of")
        for what in ("linf", "psnr", "ssim", "cos_tiny_clip", "emb_protected_tiny_clip"):
            values = world.values(what)
            assert [key for key in values if values[key] is None] == lost, what
        clean = world.values("emb_clean_tiny_clip")
        assert [key for key in clean if clean[key] is None] == []

        record = load_run(world.dataset, "one")
        assert record.state == "stopped"
        assert record.counts == {"protected": 10, "clean": 0, "failed": 2}
        with pytest.raises(RunError, match="run 'one' is stopped: protect again"):
            plan_release(world.dataset, "one")
        (note,) = check_datasets([world.dataset.name])
        assert note.code == "run-stopped"
        assert "start run 'one' again with the same settings" in note.advice
        world.agrees_after_the_same_call()

    @pytest.mark.parametrize("kind", ["another size", "the same size", "a link"])
    def test_an_altered_file_is_kept_out_of_the_way_and_made_again(self, world, kind):
        sample = world.dataset.first()
        path = Path(sample["dp2vl_one_path"])
        spoil(kind, path, Path(sample.filepath))
        sentence = "run 'one': the protected files of 1 photo are not what the run wrote"
        assert world.found() == ([] if kind == "the same size" else [sentence])
        assert world.found(thorough=True) == [sentence]
        before = path.read_bytes()
        (done,) = world.repair()
        aside = world.out / "altered" / "photos" / path.name
        assert done.endswith(f"1 altered file moved to {world.out / 'altered'}")
        assert aside.read_bytes() == before
        assert not path.exists()
        assert world.values("status")[sample.id] == "failed"
        world.agrees_after_the_same_call()

    def test_a_second_alteration_is_kept_beside_the_first(self, world):
        path = Path(world.dataset.first()["dp2vl_one_path"])
        for text in (b"first", b"second"):
            path.write_bytes(text)
            world.repair()
            world.protect()
        kept = sorted((world.out / "altered" / "photos").iterdir())
        assert {p.read_bytes() for p in kept} == {b"first", b"second"}
        assert tree(world.photos) == world.whole

    def test_a_folder_that_is_gone(self, world):
        shutil.rmtree(world.out)
        assert world.found() == ["run 'one': the protected files of 12 photos are gone"]
        world.repair()
        assert set(world.values("path").values()) == {None}
        world.agrees_after_the_same_call()

    def test_a_folder_that_cannot_be_read_is_left_to_a_person(self, world):
        journal = world.out / "journal.jsonl"
        kept = journal.read_bytes()
        journal.write_bytes(b"no journal\n" + kept)
        (found,) = check_datasets([world.dataset.name], thorough=True)
        assert found.code == "folder-unreadable"
        assert found.mend is None
        assert "does not read as a run's journal" in found.finding
        assert repair_datasets([world.dataset.name]) == []
        assert load_run(world.dataset, "one").state == "complete"
        journal.write_bytes(kept)
        assert world.found(thorough=True) == []

    def test_a_journal_that_names_files_elsewhere_moves_none_of_them(self, world, tmp_path):
        stranger = tmp_path / "stranger.png"
        stranger.write_bytes(b"somebody else's")
        journal = world.out / "journal.jsonl"
        name = Path(world.dataset.first()["dp2vl_one_path"]).name
        for evil in ("../stranger.png", str(stranger), "photos/../../stranger.png"):
            kept = journal.read_text()
            journal.write_text(kept.replace(f'"photos/{name}"', f'"{evil}"'))
            (found,) = check_datasets([world.dataset.name], thorough=True)
            assert found.code == "folder-unreadable", evil
            assert repair_datasets([world.dataset.name]) == []
            journal.write_text(kept)
        assert stranger.read_bytes() == b"somebody else's"

    def test_only_our_temporary_files_are_removed(self, world):
        ours = world.photos / ".dp2vl-0123456789abcdef.part"
        others = [world.photos / ".dp2vl-mine.part", world.out / "notes.part"]
        for path in (ours, *others):
            path.write_text("half")
        assert world.found() == [f"a killed run left 1 temporary file in {world.out}"]
        (done,) = world.repair()
        assert done.endswith("; 1 temporary file removed")
        assert not ours.exists()
        assert all(path.exists() for path in others)
        assert load_run(world.dataset, "one").state == "complete"


class TestFields:
    def test_a_path_that_names_an_original(self, world):
        sample = world.dataset.first()
        sample["dp2vl_one_path"] = sample.filepath
        sample.save()
        assert world.found() == [
            "run 'one': what the fields of 1 photo say is not what the run's folder says"
        ]
        world.repair()
        assert world.values("path")[sample.id] is None
        world.agrees_after_the_same_call()

    def test_fields_that_were_deleted(self, world):
        world.dataset.delete_sample_fields(["dp2vl_one_path", "dp2vl_one_linf"])
        assert world.found() == [
            "run 'one' is recorded as complete, but the dataset lacks its 2 fields "
            "dp2vl_one_path, dp2vl_one_linf",
            "run 'one': what the fields of 12 photos say is not what the run's folder says",
        ]
        times = {path: path.stat().st_mtime_ns for path in world.photos.iterdir()}
        world.repair()
        world.agrees_after_the_same_call()
        assert {path: path.stat().st_mtime_ns for path in world.photos.iterdir()} == times

    def test_photos_that_left_the_dataset_are_no_disagreement(self, world):
        world.dataset.delete_samples(world.dataset.values("id")[:2])
        assert world.found(thorough=True) == []

    def test_a_run_that_was_looked_at_later_keeps_all_its_names(self, world, dataset):
        from fiftyone_dp2vl.store.analysis import analyse_run

        analyse_run(dataset, "one", ["embedded"], device="cpu")
        key = dataset.first().id
        Path(world.values("path")[key]).unlink()
        world.repair()
        assert world.values("emb_protected_embedded")[key] is None
        world.agrees_after_the_same_call()
        delete_run(dataset, "one")
        assert [name for name in dataset.get_field_schema() if name.startswith("dp2vl")] == []
        assert dataset.list_brain_runs() == []

    def test_what_a_deleted_record_left(self, world, dataset):
        dataset.set_values("dp2vl_mine_status", ["a"] * 12)
        dataset.delete_run("dp2vl_one")
        found = check_datasets([dataset.name])
        assert [one.code for one in found if one.mend] == ["fields-orphaned", "plots-orphaned"]
        (unknown,) = [one for one in found if not one.mend]
        assert unknown.finding.startswith("field 'dp2vl_mine_status' is named like a run's")
        with pytest.raises(RunError, match="'dp2vl_one_path' exists on the dataset already"):
            world.protect()
        world.repair()
        ours = [name for name in dataset.get_field_schema() if name.startswith("dp2vl")]
        assert ours == ["dp2vl_mine_status"]
        assert dataset.list_brain_runs() == []
        assert dataset.app_config.media_fields == ["filepath"]
        assert tree(world.photos) == world.whole
        dataset.delete_sample_field("dp2vl_mine_status")
        world.agrees_after_the_same_call()

    def test_a_neighbours_fields_stay(self, world, dataset, quick, tmp_path):
        protect_dataset(dataset, "one_cos_x", output_dir=str(tmp_path / "two"), **quick)
        fields = load_run(dataset, "one_cos_x").fields
        dataset.delete_run("dp2vl_one")
        world.repair()
        assert all(dataset.has_sample_field(field) for field in fields)
        assert len(dataset.list_brain_runs()) == 2
        delete_run(dataset, "one_cos_x")

    def test_a_media_field_that_does_not_exist(self, world, dataset):
        dataset.app_config.media_fields.append("dp2vl_old_path")
        dataset._doc.save()
        assert world.found() == [
            "the App offers the files of field 'dp2vl_old_path', which does not exist"
        ]
        world.repair()
        assert dataset.app_config.media_fields == ["filepath", "dp2vl_one_path"]


KILLED = """
import os, signal, sys
import fiftyone as fo
from fiftyone_dp2vl.store import protect_dataset

def die(progress):
    if progress.phase == sys.argv[4] and progress.done >= 4:
        os.kill(os.getpid(), signal.SIGKILL)

protect_dataset(
    fo.load_dataset(sys.argv[1]), "one", output_dir=sys.argv[2], encoders=[sys.argv[3]],
    group_field="identity", steps=3, lanes=4, progress=die,
)
"""


class TestProcesses:
    @pytest.mark.parametrize("phase", ["protect", "embed"])
    def test_a_run_whose_process_was_killed(self, world, dataset, tiny_encoder, phase, tmp_path):
        whole = world.whole
        delete_run(dataset, "one")
        dataset.persistent = True
        done = subprocess.run(
            [sys.executable, "-c", KILLED, dataset.name, str(world.out), tiny_encoder, phase],
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == -signal.SIGKILL, done.stderr[-2000:]
        dataset.reload()
        assert load_run(dataset, "one").state == "running"
        found = world.found()
        assert found[0] == "run 'one' is recorded as at work, but its process is gone"
        world.repair()
        record = load_run(dataset, "one")
        assert (record.state, record.error) == ("stopped", "its process died")
        assert tree(world.photos).items() <= whole.items()
        world.agrees_after_the_same_call()

    def test_what_is_at_work_is_left_alone(self, world, dataset):
        record = load_run(dataset, "one")
        Path(dataset.first()["dp2vl_one_path"]).unlink()
        save_run(dataset, record, state="running", worker=this_worker())
        assert world.found(thorough=True) == []
        assert repair_datasets([dataset.name]) == []
        save_run(dataset, record, state="running", worker="")
        with locked(world.out):
            assert world.found() == []
        assert len(world.found()) == 2

    def test_another_machines_run_is_left_to_a_person(self, world, dataset):
        record = load_run(dataset, "one")
        save_run(dataset, record, state="running", worker="0123456789ab:1:1")
        (found,) = check_datasets([dataset.name])
        assert found.finding == "run 'one' is recorded as at work on another machine"
        assert repair_datasets([dataset.name]) == []

    def test_a_number_that_another_process_has_by_now(self, world, dataset):
        machine, number, _ = this_worker().split(":")
        record = load_run(dataset, "one")
        save_run(dataset, record, state="running", worker=f"{machine}:{number}:1000000000")
        assert [one.code for one in check_datasets([dataset.name])] == ["run-dead"]

    def test_while_it_works_a_run_names_its_process(self, dataset, quick, tmp_path):
        seen: list[tuple[str, str]] = []

        def look(progress: Any) -> None:
            record = load_run(dataset, "two")
            seen.append((record.state, record.worker))

        settings = {**quick, "output_dir": str(tmp_path / "two"), "progress": look}
        with pytest.raises(Cancelled):
            protect_dataset(dataset, "two", cancel=stop_after(28), **settings)
        assert set(seen) == {("running", this_worker())}
        assert load_run(dataset, "two").worker == ""
        protect_dataset(dataset, "two", **settings)
        assert seen[-1] == ("running", this_worker())


class TestWhatIsLookedAt:
    def test_every_dataset_with_anything_of_ours(self, world):
        import fiftyone as fo

        other = fo.Dataset()
        Path(world.dataset.first()["dp2vl_one_path"]).unlink()
        looked_at = {one.dataset for one in check_datasets() if one.mend}
        # other tests' datasets may be there too
        assert world.dataset.name in looked_at
        assert other.name not in looked_at
        assert check_datasets([other.name]) == []
        other.delete()
        with pytest.raises(ConfigError, match="no dataset 'nowhere'"):
            check_datasets(["nowhere"])

    def test_a_folder_that_no_record_names_is_named_and_kept(self, dataset, quick):
        import fiftyone as fo

        doomed = dataset.clone()
        record = protect_dataset(doomed, "one", **quick)
        name, folder = doomed.name, Path(record.directory)
        assert check_datasets([name]) == []
        doomed.delete()
        (found,) = [one for one in check_datasets() if one.dataset == name]
        assert found.finding == (
            f"{folder} holds a run with 12 protected files that this database does not know"
        )
        repair_datasets()
        assert len(tree(folder / "photos")) == 12
        assert not fo.dataset_exists(name)
        shutil.rmtree(folder)

    def test_a_damaged_record_does_not_hide_the_rest(self, world, dataset):
        config = dataset.init_run(method="dp2vl/protect", record={"run": "odd"})
        dataset.register_run("dp2vl_odd", config)
        (found,) = check_datasets([dataset.name])
        assert found.code == "unreadable"
        assert found.mend is None

    def test_progress_and_cancelling(self, world):
        seen: list[Any] = []
        check_datasets([world.dataset.name], thorough=True, progress=seen.append)
        assert (seen[-1].done, seen[-1].total, seen[-1].phase) == (12, 12, "check")
        with pytest.raises(Cancelled):
            repair_datasets([world.dataset.name], cancel=lambda: True)


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, list[str]]]:
    from fiftyone_dp2vl.cli import main

    def call(*arguments: str) -> tuple[int, list[str]]:
        status = main(["doctor", *arguments])
        return status, capsys.readouterr().out.splitlines()

    return call


def test_the_command_says_it_and_mends_it(world, command):
    Path(world.dataset.first()["dp2vl_one_path"]).unlink()
    name = world.dataset.name
    status, lines = command("--dataset", name)
    assert status == 1
    at = lines.index(f"PROBLEM  dataset {name}: run 'one': the protected files of 1 photo are gone")
    assert f"dp2vl doctor --repair --dataset '{name}' (1 photo set back" in lines[at + 1]

    status, lines = command("--repair", "--dataset", name)
    assert status == 0
    assert lines[0].endswith("are gone; 1 photo set back to not protected")
    assert lines[1].startswith(f"left as it is: {name}: run 'one' stopped before its end")
    status, lines = command("--repair", "--dataset", name)
    assert (status, lines[0]) == (0, "nothing to repair")
    world.agrees_after_the_same_call()
