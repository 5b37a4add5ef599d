"""``dp2vl protect --dataset``: a FiftyOne dataset protected from the shell."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from stopping import stop_after

from fiftyone_dp2vl.cli import main
from fiftyone_dp2vl.errors import Cancelled
from fiftyone_dp2vl.store import list_runs, load_run, protect_dataset

pytestmark = pytest.mark.usefixtures("originals_untouched")


@pytest.fixture
def protect(dataset: Any, tiny_encoder: str, tmp_path: Path):
    def call(*arguments: str, out: str | None = "out") -> int:
        common = ["--dataset", dataset.name, "--encoder", tiny_encoder, "--steps", "3"]
        where = [] if out is None else ["--out", str(tmp_path / out)]
        status = main(["protect", *common, *where, *arguments])
        dataset.reload()
        return status

    return call


def test_a_dataset_is_protected(protect, dataset, tmp_path, capsys):
    assert protect("--run", "one", "--group-field", "identity", "--ratio", "0.5") == 0
    record = load_run(dataset, "one")
    assert record.state == "complete"
    assert record.group_field == "identity"
    assert record.counts == {"protected": 6, "clean": 6, "failed": 0}
    assert record.protection.steps == 3
    assert "dp2vl_one_path" in dataset.app_config.media_fields
    captured = capsys.readouterr()
    assert captured.out.startswith("6 of 12 photos: ")
    largest = dataset.bounds("dp2vl_one_linf")[1]
    assert f"L-inf, largest  {largest:g} grey levels\n" in captured.out
    worst = min(v for v in dataset.values("dp2vl_one_psnr") if v is not None)
    assert f"worst {worst:.1f} dB" in captured.out
    assert f"one, on dataset {dataset.name}" in captured.out
    assert "6 of 6" in captured.err


def test_a_saved_view_and_tags_are_taken(protect, dataset):
    dataset.save_view("of ada", dataset.match({"identity": "ada"}))
    dataset.limit(2).tag_samples("mine")
    assert protect("--view", "of ada", "--run", "one") == 0
    assert dataset.exists("dp2vl_one_status").values("identity") == ["ada"] * 4
    assert protect("--tag", "mine", "--run", "two", out="two") == 0
    assert load_run(dataset, "two").photos == 2


def test_names_that_nobody_gave_are_told_before_it_starts(protect, capsys):
    assert protect(out="first") == 0
    told = capsys.readouterr().out
    assert told.startswith("note: nobody is named")
    assert "with their names: name the people with --group-field" in told
    assert protect("--strategy", "swap") == 0
    told = capsys.readouterr().out
    assert told.startswith("note: without names photos are grouped by likeness")
    assert "strategy 'erase', which needs no names, or name the people with" in told


def test_one_person_is_told_what_to_choose_and_the_advice_works(protect, dataset, capsys):
    dataset.save_view("of ada", dataset.match({"identity": "ada"}))
    of_ada = ("--view", "of ada", "--group-field", "identity")
    assert protect(*of_ada, "--strategy", "swap") == 1
    captured = capsys.readouterr()
    assert "choose 'erase'" in captured.err
    assert captured.out == ""
    assert list_runs(dataset) == []
    assert protect(*of_ada, "--strategy", "erase") == 0
    assert load_run(dataset, "run1").counts["protected"] == 4


def test_the_same_command_goes_on(protect, dataset, quick, tmp_path, capsys):
    settings = {**quick, "lanes": 8}
    with pytest.raises(Cancelled):
        protect_dataset(
            dataset,
            output_dir=str(tmp_path / "out"),
            cancel=stop_after(31),
            **settings,
        )
    assert protect(out=None) == 0
    assert "going on with run 'run1'" in capsys.readouterr().out
    (record,) = list_runs(dataset)
    assert (record.run, record.state) == ("run1", "complete")
    assert record.directory == str(tmp_path / "out")
    assert protect(out="second") == 0
    assert [record.run for record in list_runs(dataset)] == ["run1", "run2"]


def test_a_photo_that_fails_is_said(protect, dataset, tmp_path, capsys):
    import fiftyone as fo

    broken = tmp_path / "more" / "broken.png"
    broken.parent.mkdir()
    broken.write_text("no photo")
    dataset.add_samples([fo.Sample(filepath=str(broken), identity="ada")])
    assert protect("--run", "one") == 1
    assert f"failed: {broken}: broken.png is not an image" in capsys.readouterr().out


def test_where_there_is_nothing_to_choose_from(protect, dataset, capsys, monkeypatch):
    import fiftyone as fo

    monkeypatch.setattr(fo, "list_datasets", list)
    assert protect("--dataset", "photos") == 1
    said = "no dataset 'photos': there are none yet: import photos first\n"
    assert capsys.readouterr().err == f"dp2vl: {said}"
    assert protect("--view", "nothing") == 1
    error = capsys.readouterr().err
    assert error == f"dp2vl: no saved view 'nothing': {dataset.name!r} has none\n"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--dataset", "nobody's"], 'no dataset "nobody\'s"'),
        (["--view", "nothing"], "no saved view 'nothing'"),
        (["--group-field", "nothing"], "no field 'nothing'"),
        (["--mask-field", "identity"], "is of type StringField"),
        (["--group-by-folder"], "give --group-field FIELD"),
        (["--run", "two words"], "cannot name a field"),
        (["--device", "gpu"], "device 'gpu' is not usable here"),
        (["--out", "/dev/null/out"], "files cannot be written to /dev/null/out"),
        (["--stratify"], "stratify needs groups"),
    ],
)
def test_polite_refusals(protect, dataset, capsys, arguments, words):
    assert protect(*arguments) == 1
    error = capsys.readouterr().err
    assert words in error
    assert error.startswith("dp2vl: ")
    assert error.count("\n") == 1
    assert list_runs(dataset) == []
