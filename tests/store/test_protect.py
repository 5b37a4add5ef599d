"""Protecting a dataset: what is written, where, and what a run leaves when it goes."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from stopping import stop_after

from fiftyone_dp2vl.errors import Cancelled, ConfigError, RunError
from fiftyone_dp2vl.store import delete_run, list_runs, load_run, protect_dataset
from fiftyone_dp2vl.store.workers import this_worker

pytestmark = pytest.mark.usefixtures("originals_untouched")


def state_of(dataset: Any) -> dict[str, Any]:
    """Returns all that a dataset holds, but for the time of its last change."""
    dataset.reload()
    samples = [
        {k: v for k, v in s.to_dict(include_private=True).items() if "modified" not in k}
        for s in dataset
    ]
    return {
        "schema": sorted(dataset.get_field_schema(flat=True)),
        "samples": json.dumps(samples, default=str, sort_keys=True),
        "runs": dataset.list_runs(),
        "brain": dataset.list_brain_runs(),
        "media_fields": list(dataset.app_config.media_fields),
        "grid": dataset.app_config.grid_media_field,
        "info": dict(dataset.info),
    }


def tree(folder: Path) -> dict[str, str]:
    return {
        str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest()
        for p in folder.rglob("*")
        if p.is_file()
    }


def test_a_run_is_written_beside_the_photos(dataset, quick, tmp_path):
    seen = []
    record = protect_dataset(
        dataset,
        "first",
        ratio=0.5,
        output_dir=str(tmp_path / "out"),
        group_field="identity",
        progress=seen.append,
        **quick,
    )
    names = record.names
    assert record.state == "complete"
    assert record.counts == {"protected": 6, "clean": 6, "failed": 0}
    assert load_run(dataset, "first") == record
    assert dataset.app_config.media_fields == ["filepath", "dp2vl_first_path"]
    assert dataset.app_config.grid_media_field == "filepath"

    status, paths, linf = dataset.values([names.status, names.path, names.linf])
    assert sorted(set(status)) == ["clean", "protected"]
    for sample, state, path, change in zip(dataset, status, paths, linf, strict=True):
        if state == "clean":
            assert path is None
            assert change is None
            continue
        assert Path(path).stem == sample.id
        before = np.asarray(Image.open(sample.filepath).convert("RGB")).astype(int)
        after = np.asarray(Image.open(path)).astype(int)
        assert before.shape == after.shape
        assert np.abs(before - after).max() == change
        assert 0 < change <= 8

    (encoder,) = quick["encoders"]
    clean, moved = dataset.values(
        [names.clean_embedding(encoder), names.protected_embedding(encoder)]
    )
    assert all(len(vector) == 16 for vector in clean)
    assert [vector is not None for vector in moved] == [s == "protected" for s in status]
    cosines = dataset.values(names.pooled_cosine(encoder))
    for a, b, cosine in zip(clean, moved, cosines, strict=True):
        if b is not None:
            assert a @ b / np.linalg.norm(a) / np.linalg.norm(b) == pytest.approx(cosine, abs=1e-4)
    assert {p.phase for p in seen} >= {"survey", "protect", "embed"}


def test_the_record_holds_all_that_is_needed_to_make_the_run_again(dataset, quick, tmp_path):
    record = protect_dataset(
        dataset, "first", epsilon="subtle", output_dir=str(tmp_path / "out"), **quick
    )
    stored = dataset.get_run_info("dp2vl_first").config
    assert stored.method == "dp2vl/protect"
    assert json.loads(json.dumps(stored.record)) == record.to_dict()
    assert record.protection.epsilon == 4
    assert record.fingerprints["protection"] == record.protection.fingerprint()
    assert len(record.encoders[0]["weights_sha256"]) == 64
    assert {"torch", "fiftyone", "fiftyone_dp2vl"} <= set(record.versions)
    assert record.targets_sha256
    assert (record.protection.strategy, record.strategy) == ("auto", "erase")  # nobody is named
    assert record.seconds > 0
    assert record.directory == str(tmp_path / "out")


def test_the_two_plots_share_one_coordinate_system(dataset, quick, tmp_path):
    record = protect_dataset(dataset, "first", ratio=0.5, output_dir=str(tmp_path / "out"), **quick)
    assert record.brain_keys == ("dp2vl_first_clean", "dp2vl_first_released")
    clean, released = (dataset.load_brain_results(key) for key in record.brain_keys)
    before = dict(zip(clean.sample_ids, clean.points, strict=True))
    after = dict(zip(released.sample_ids, released.points, strict=True))
    assert set(before) == set(after) == set(dataset.values("id"))
    status = dict(zip(*dataset.values(["id", record.names.status]), strict=True))
    for key, state in status.items():
        same = np.allclose(before[key], after[key])
        assert same == (state == "clean")


def test_two_runs_do_not_collide_and_deleting_one_removes_only_its_own(dataset, quick, tmp_path):
    dataset.info["note"] = "mine"
    dataset.save()
    empty = state_of(dataset)
    one, two = tmp_path / "one", tmp_path / "two"
    protect_dataset(dataset, "one", ratio=0.5, output_dir=str(one), **quick)
    with_one, files_one = state_of(dataset), tree(one)

    protect_dataset(dataset, "two", seed=5, output_dir=str(two), **quick)
    assert [record.run for record in list_runs(dataset)] == ["one", "two"]
    dataset.app_config.grid_media_field = "dp2vl_two_path"
    dataset.save()
    (two / "photos" / "mine.txt").write_text("not the run's")

    delete_run(dataset, "two")
    assert state_of(dataset) == with_one
    assert tree(one) == files_one
    assert tree(two) == {"photos/mine.txt": hashlib.sha256(b"not the run's").hexdigest()}

    delete_run(dataset, "one")
    assert state_of(dataset) == empty
    assert not one.exists()
    with pytest.raises(RunError, match="no run 'one'"):
        load_run(dataset, "one")


def test_files_can_be_kept(dataset, quick, tmp_path):
    protect_dataset(dataset, "one", output_dir=str(tmp_path / "one"), **quick)
    files = tree(tmp_path / "one")
    delete_run(dataset, "one", delete_files=False)
    assert tree(tmp_path / "one") == files
    assert list_runs(dataset) == []


def test_a_cancelled_run_is_remembered_and_resumed(dataset, quick, tmp_path):
    with pytest.raises(Cancelled):
        protect_dataset(
            dataset,
            "one",
            output_dir=str(tmp_path / "one"),
            cancel=stop_after(31),
            **quick,
        )
    assert load_run(dataset, "one").state == "stopped"
    assert load_run(dataset, "one").error == "cancelled"

    with pytest.raises(RunError, match="steps: 3 became 4"):
        protect_dataset(dataset, "one", **{**quick, "steps": 4})
    assert load_run(dataset, "one").protection.steps == 3

    record = protect_dataset(dataset, "one", **quick)
    assert record.state == "complete"
    assert record.counts["protected"] == 12
    assert record.directory == str(tmp_path / "one")
    assert record.resumed

    again = protect_dataset(dataset, "two", output_dir=str(tmp_path / "two"), **quick)
    assert not again.resumed
    assert tree(tmp_path / "one" / "photos") == tree(tmp_path / "two" / "photos")
    assert again.started >= record.started


def test_a_run_that_went_on_says_nothing_of_how_long_a_new_one_takes(dataset, quick, tmp_path):
    from fiftyone_dp2vl.store.estimates import estimate_run
    from fiftyone_dp2vl.store.records import save_run
    from fiftyone_dp2vl.store.settings import split_settings

    def seconds():
        return estimate_run(dataset, split_settings(quick), directory=tmp_path).seconds

    record = protect_dataset(dataset, "one", output_dir=str(tmp_path / "one"), **quick)
    assert seconds() == pytest.approx(record.seconds)
    save_run(dataset, record, seconds=0.1, resumed=True)
    assert seconds() is None


def test_a_media_field_that_another_process_offers_is_not_withdrawn_with_ours(
    dataset, quick, tmp_path
):
    import fiftyone.core.odm as foo

    protect_dataset(dataset, "one", output_dir=str(tmp_path / "one"), **quick)
    foo.get_db_conn().datasets.update_one(
        {"_id": dataset._doc.id}, {"$push": {"app_config.media_fields": "theirs"}}
    )
    delete_run(dataset, "one")
    dataset.reload()
    assert dataset.app_config.media_fields == ["filepath", "theirs"]


class TestTheSameCallWithoutAName:
    """A run that was interrupted is gone on with, and no other."""

    @pytest.fixture
    def stopped(self, dataset, quick, tmp_path):
        return self.stop(dataset, quick, tmp_path)

    def stop(self, dataset, quick, tmp_path, after=31, **more):
        with pytest.raises(Cancelled):
            protect_dataset(
                dataset,
                output_dir=str(tmp_path / "one"),
                cancel=stop_after(after),
                **quick,
                **more,
            )
        return dataset

    def test_it_goes_on(self, stopped, quick, tmp_path):
        record = protect_dataset(stopped, **quick)
        assert (record.run, record.state) == ("run1", "complete")
        assert record.directory == str(tmp_path / "one")
        again = protect_dataset(stopped, output_dir=str(tmp_path / "two"), **quick)
        assert again.run == "run2"
        assert tree(tmp_path / "one" / "photos") == tree(tmp_path / "two" / "photos")

    def test_also_where_its_process_was_killed(self, stopped, quick):
        from fiftyone_dp2vl.store.records import save_run

        machine = this_worker().partition(":")[0]
        save_run(stopped, load_run(stopped, "run1"), state="running", worker=f"{machine}:1:99")
        assert protect_dataset(stopped, **quick).run == "run1"

    def test_not_while_somebody_is_at_work_on_it(self, stopped, quick, tmp_path):
        from fiftyone_dp2vl.runs.lock import locked

        with locked(tmp_path / "one"):
            record = protect_dataset(stopped, output_dir=str(tmp_path / "two"), **quick)
        assert record.run == "run2"

    @pytest.mark.parametrize(
        "change", [{"epsilon": 4}, {"ratio": 0.5}, {"format": "webp"}, {"group_field": "identity"}]
    )
    def test_not_with_other_settings(self, stopped, quick, tmp_path, change):
        out = str(tmp_path / "two")
        assert protect_dataset(stopped, output_dir=out, **quick, **change).run == "run2"

    def test_not_with_other_photos_or_in_another_folder(self, stopped, quick, tmp_path):
        two, three = str(tmp_path / "two"), str(tmp_path / "three")
        assert protect_dataset(stopped.limit(8), output_dir=two, **quick).run == "run2"
        assert protect_dataset(stopped, output_dir=three, **quick).run == "run3"
        assert load_run(stopped, "run1").state == "stopped"

    def test_settings_may_change_until_the_first_pass_is_finished(self, dataset, quick, tmp_path):
        self.stop(dataset, quick, tmp_path, after=15)
        assert load_run(dataset, "run1").protection.strategy == "auto"
        other = {**quick, "strategy": "centroid"}
        with pytest.raises(Cancelled):
            protect_dataset(dataset, "run1", cancel=stop_after(31), **other)
        assert load_run(dataset, "run1").protection.strategy == "centroid"
        assert protect_dataset(dataset, **other).run == "run1"


def test_a_run_that_was_refused_leaves_nothing(dataset, quick, tmp_path):
    out = tmp_path / "out"
    of_ada = dataset.match({"identity": "ada"})
    for view, changes, words in (
        (dataset.limit(1), {"strategy": "swap"}, "choose 'erase'"),
        (of_ada, {"group_field": "identity", "strategy": "swap"}, "choose 'erase'"),
        (dataset, {"strategy": "pray"}, "no strategy 'pray'"),
        (dataset, {"transforms": ["swirl:1-2"]}, "transform 'swirl:1-2'"),
        (dataset, {"device": "gpu"}, "device 'gpu' is not usable here"),
    ):
        with pytest.raises(ConfigError, match=words):
            protect_dataset(view, output_dir=str(out), **{**quick, **changes})
        assert list_runs(dataset) == []
        assert not out.exists()
    record = protect_dataset(dataset.limit(1), output_dir=str(out), **quick)
    assert record.counts["protected"] == 1


def test_advice_of_the_first_pass_can_be_followed(dataset, photo_folder, quick, tmp_path):
    import fiftyone as fo

    # two photos, of which one turns out to be unreadable
    broken = tmp_path / "more" / "broken.png"
    broken.parent.mkdir()
    broken.write_text("no photo")
    dataset.add_samples([fo.Sample(filepath=str(broken), identity="bob")])
    view = dataset.select(dataset.values("id")[-2:])
    out = str(tmp_path / "out")
    with pytest.raises(ConfigError, match="choose 'erase'"):
        protect_dataset(view, output_dir=out, **quick, strategy="swap")
    assert list_runs(dataset) == []
    record = protect_dataset(view, output_dir=out, **quick)
    assert (record.run, record.counts["protected"], record.counts["failed"]) == ("run1", 1, 1)


def test_a_stopped_run_can_be_deleted(dataset, quick, tmp_path):
    before = state_of(dataset)
    with pytest.raises(Cancelled):
        protect_dataset(
            dataset, "one", output_dir=str(tmp_path / "one"), cancel=stop_after(15), **quick
        )
    delete_run(dataset, "one")
    assert state_of(dataset) == before
    assert not (tmp_path / "one").exists()


def test_a_complete_run_is_not_overwritten(dataset, quick, tmp_path):
    protect_dataset(dataset, "one", output_dir=str(tmp_path / "one"), **quick)
    with pytest.raises(RunError, match="run 'one' is complete"):
        protect_dataset(dataset, "one", output_dir=str(tmp_path / "two"), **quick)
    assert not (tmp_path / "two").exists()


def test_names_follow_one_another(dataset, quick, tmp_path):
    for number in (1, 2):
        record = protect_dataset(dataset, output_dir=str(tmp_path / str(number)), **quick)
        assert record.run == f"run{number}"


def test_a_users_field_is_never_taken_over(dataset, quick, tmp_path):
    dataset.set_values("dp2vl_mine_status", ["a"] * 12)
    with pytest.raises(RunError, match="'dp2vl_mine_status' exists"):
        protect_dataset(dataset, "mine", output_dir=str(tmp_path / "out"), **quick)


def test_a_photo_that_cannot_be_read_is_recorded_and_the_run_goes_on(
    dataset, photo_folder, quick, tmp_path
):
    import fiftyone as fo

    broken = tmp_path / "more" / "broken.png"
    broken.parent.mkdir()
    broken.write_bytes((photo_folder / "photo00.png").read_bytes()[:200])
    dataset.add_samples([fo.Sample(filepath=str(broken), identity="ada")])
    record = protect_dataset(dataset, "one", output_dir=str(tmp_path / "out"), **quick)
    assert record.counts == {"protected": 12, "clean": 0, "failed": 1}
    (sample,) = dataset.match({"dp2vl_one_status": "failed"})
    assert sample.dp2vl_one_path is None
    assert "broken.png" in sample.dp2vl_one_error


def test_originals_folder_is_refused(dataset, photo_folder, quick):
    with pytest.raises(RunError, match="choose a folder beside the originals"):
        protect_dataset(dataset, "one", output_dir=str(photo_folder / "out"), **quick)
    assert list_runs(dataset) == []


def test_a_view_is_protected_and_the_rest_left_alone(dataset, quick, tmp_path):
    view = dataset.match({"identity": "ada"})
    record = protect_dataset(view, "one", output_dir=str(tmp_path / "out"), **quick)
    assert record.photos == 4
    assert dataset.exists("dp2vl_one_status").values("identity") == ["ada"] * 4


def test_groups_may_be_classifications(dataset, quick, tmp_path):
    import fiftyone as fo

    people = [fo.Classification(label=name) for name in dataset.values("identity")]
    dataset.set_values("person", people)
    record = protect_dataset(
        dataset,
        "one",
        group_field="person",
        stratify=True,
        ratio=0.5,
        output_dir=str(tmp_path / "out"),
        **quick,
    )
    chosen = dataset.match({record.names.status: "protected"})
    assert chosen.count_values("identity") == {"ada": 2, "bob": 2, "cy": 2}
    with pytest.raises(ConfigError, match="of type ObjectIdField"):
        protect_dataset(dataset, "two", group_field="id", **quick)


class TestViewsThatCannotBeProtected:
    def test_grouped(self, photo_folder, quick, tmp_path):
        import fiftyone as fo

        dataset = fo.Dataset()
        dataset.add_group_field("group", default="left")
        for number in range(2):
            group = fo.Group()
            dataset.add_samples(
                [
                    fo.Sample(
                        filepath=str(photo_folder / f"photo{2 * number + at:02d}.png"),
                        group=group.element(side),
                    )
                    for at, side in enumerate(("left", "right"))
                ]
            )
        with pytest.raises(ConfigError, match=r"grouped: choose one slice"):
            protect_dataset(dataset, "one", **quick)
        record = protect_dataset(
            dataset.select_group_slices("left"), "one", output_dir=str(tmp_path / "out"), **quick
        )
        assert record.counts["protected"] == 2
        delete_run(dataset, "one")
        dataset.delete()

    def test_video(self, quick):
        import fiftyone as fo

        dataset = fo.Dataset()
        dataset.add_samples([fo.Sample(filepath="/nowhere/film.mp4")])
        with pytest.raises(ConfigError, match="videos cannot be protected"):
            protect_dataset(dataset, "one", **quick)
        dataset.delete()

    def test_empty(self, dataset, quick):
        with pytest.raises(ConfigError, match="the view is empty"):
            protect_dataset(dataset.match({"identity": "nobody"}), "one", **quick)

    def test_patches(self, dataset, quick):
        import fiftyone as fo

        def face():
            return fo.Detection(label="face", bounding_box=[0.1, 0.1, 0.5, 0.5])

        dataset.set_values("faces", [fo.Detections(detections=[face()]) for _ in range(12)])
        with pytest.raises(ConfigError, match="use the view of the whole photos"):
            protect_dataset(dataset.to_patches("faces"), "one", **quick)
