"""A folder that two records name: neither may fill it for the other, nor empty it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fiftyone_dp2vl.attack.settings import AttackConfig
from fiftyone_dp2vl.errors import RunError
from fiftyone_dp2vl.store import (
    delete_evaluation,
    delete_run,
    evaluate_attack_dataset,
    list_runs,
    load_report,
    protect_dataset,
)
from fiftyone_dp2vl.store.protect import output_problem
from fiftyone_dp2vl.store.records import load_run, save_run
from fiftyone_dp2vl.store.workers import this_worker

pytestmark = pytest.mark.usefixtures("originals_untouched")


@pytest.fixture
def protected(dataset: Any, quick: dict[str, Any], tmp_path: Path) -> Any:
    protect_dataset(dataset, "one", output_dir=str(tmp_path / "one"), **quick)
    return dataset


@pytest.fixture
def clone(protected: Any) -> Iterator[Any]:
    copy = protected.clone()
    yield copy
    copy.delete()


def files(folder: Path) -> int:
    return sum(path.is_file() for path in (folder / "photos").rglob("*"))


def test_a_clones_run_does_not_take_the_files_along(protected, clone, tmp_path):
    with pytest.warns(UserWarning, match="are kept, because they belong to run 'one' of dataset "):
        delete_run(clone, "one")
    assert list_runs(clone) == []
    assert files(tmp_path / "one") == 12
    delete_run(protected, "one")
    assert not (tmp_path / "one").exists()


def test_a_dataset_that_is_gone_owns_nothing(protected, tmp_path):
    copy = protected.clone()
    copy.delete()
    delete_run(protected, "one")
    assert not (tmp_path / "one").exists()


@pytest.mark.parametrize("how", ["plain", "link"])
def test_another_runs_folder_is_refused(protected, quick, tmp_path, how):
    folder = tmp_path / "one"
    if how == "link":
        folder = tmp_path / "link"
        folder.symlink_to(tmp_path / "one", target_is_directory=True)
    words = f"{folder} belongs to run 'one' of dataset '{protected.name}': choose another folder"
    assert output_problem(protected, "two", str(folder), "filepath") == words
    for settings in (quick, {**quick, "steps": 4}):
        with pytest.raises(RunError) as told:
            protect_dataset(protected, "two", output_dir=str(folder), **settings)
        assert str(told.value) == words
    assert [record.run for record in list_runs(protected)] == ["one"]
    assert files(tmp_path / "one") == 12


def test_a_new_dataset_under_an_old_name_is_not_given_the_old_ones_folder(dataset, quick):
    import fiftyone as fo

    first = dataset.clone("album")
    record = protect_dataset(first, **quick)
    first.name = "album-2024"
    second = fo.Dataset("album")
    second.add_samples([fo.Sample(filepath=path) for path in dataset.values("filepath")])
    try:
        with pytest.raises(RunError, match="belongs to run 'run1' of dataset 'album-2024'"):
            protect_dataset(second, **quick)
        assert list_runs(second) == []
        delete_run(first, "run1")
        assert not Path(record.directory).exists()
    finally:
        first.delete()
        second.delete()


def test_a_folder_that_no_record_names_is_taken_up_again_or_left_alone(protected, quick, tmp_path):
    protected.delete_run("dp2vl_one")
    names = [name for name in protected.get_field_schema() if name.startswith("dp2vl_")]
    protected.delete_sample_fields(names)
    out = str(tmp_path / "one")
    with pytest.raises(RunError, match="steps: 3 became 4"):
        protect_dataset(protected, "one", output_dir=out, **{**quick, "steps": 4})
    assert list_runs(protected) == []
    assert files(tmp_path / "one") == 12
    assert protect_dataset(protected, "one", output_dir=out, **quick).state == "complete"


def test_a_cloned_run_that_stopped_goes_on(protected, clone, quick, tmp_path):
    save_run(clone, load_run(clone, "one"), state="stopped")
    (tmp_path / "one" / "photos" / f"{clone.first().id}.png").unlink()
    assert protect_dataset(clone, "one", **quick).directory == str(tmp_path / "one")
    assert files(tmp_path / "one") == 12


def test_a_run_that_is_at_work_is_not_deleted(protected, tmp_path):
    record = load_run(protected, "one")
    save_run(protected, record, state="running", worker=this_worker())
    with pytest.raises(RunError, match="run 'one' is at work: wait for its end or cancel it"):
        delete_run(protected, "one")
    assert files(tmp_path / "one") == 12
    machine = this_worker().partition(":")[0]
    save_run(protected, record, state="running", worker=f"{machine}:1:99")
    delete_run(protected, "one")
    assert list_runs(protected) == []


def test_a_clones_evaluation_does_not_take_the_report_along(dataset, tiny_encoder, tmp_path):
    dataset.select(dataset.values("id")[9:]).tag_samples("query")
    config = AttackConfig(attackers=(), proxies=(f"proxy:prototype@{tiny_encoder}",))
    asked = {
        "identity": "identity",
        "query": "tag:query",
        "output_dir": str(tmp_path / "first"),
        "cache": str(tmp_path / "cells"),
    }
    evaluate_attack_dataset(dataset, config, evaluation="first", **asked)
    copy = dataset.clone()
    try:
        with pytest.raises(RunError, match="belongs to evaluation 'first' of dataset"):
            evaluate_attack_dataset(dataset, config, evaluation="second", **asked)
        with pytest.warns(
            UserWarning, match="because they belong to evaluation 'first' of dataset"
        ):
            delete_evaluation(copy, "first")
        assert load_report(dataset, "first").name == "first"
    finally:
        copy.delete()
    delete_evaluation(dataset, "first")
    assert not (tmp_path / "first").exists()
