"""``dp2vl benchmark``: synthetic people in a folder and as a FiftyOne dataset."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from fiftyone_dp2vl.benchmark import load_benchmark
from fiftyone_dp2vl.cli import main

pytest.importorskip("dicebear")
pytest.importorskip("resvg_py")

SMALL = ("--people", "1", "--seed", "3", "--split", "dev", "--photos", "1", "--queries", "2")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    import fiftyone as fo

    folder = tmp_path_factory.mktemp("benchmark") / "some people"
    assert main(["benchmark", str(folder), *SMALL, "--dataset", "drawn people"]) == 0
    yield folder
    fo.delete_dataset("drawn people")


def test_files_and_a_dataset_with_its_fields(made: Path) -> None:
    import fiftyone as fo

    benchmark = load_benchmark(made)
    assert len(benchmark.photos) == 7 + 2
    dataset = fo.load_dataset("drawn people")
    assert dataset.persistent
    assert set(dataset.values("filepath")) == {str(benchmark.path(p)) for p in benchmark.photos}
    assert dataset.count_values("role") == {"share": 7, "query": 2}
    assert dataset.count_sample_tags() == {"share": 7, "query": 2}
    assert len(set(dataset.values("identity"))) == 1
    shared = dataset.match_tags("share")
    assert len(set(shared.values("scenario"))) == 7
    for field in ("affiliation", "fact", "descriptions", "split"):
        assert all(shared.values(field)), field
    assert dataset.match_tags("query").values("fact") == [None, None]


def test_a_dataset_is_replaced_only_when_asked(
    made: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    again = ["benchmark", str(made), *SMALL, "--dataset", "drawn people"]
    assert main(again) == 1
    assert "a dataset named 'drawn people' exists" in capsys.readouterr().err
    assert main([*again, "--overwrite"]) == 0
    told = capsys.readouterr().out
    assert told.startswith(f"9 photos of 1 people in {made}\n")
    assert "FiftyOne dataset 'drawn people': fiftyone app launch 'drawn people'\n" in told


def test_files_alone(made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import fiftyone as fo

    before = fo.list_datasets()
    assert main(["benchmark", str(tmp_path / "alone"), *SMALL, "--no-dataset"]) == 0
    assert len(load_benchmark(tmp_path / "alone").photos) == 9
    assert fo.list_datasets() == before
    assert "dataset" not in capsys.readouterr().out


def test_another_benchmarks_folder_is_refused(
    made: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = [*SMALL[:2], "--seed", "4", *SMALL[4:], "--no-dataset"]
    assert main(["benchmark", str(made), *other]) == 1
    error = capsys.readouterr().err
    assert error.startswith("dp2vl: ")
    assert error.count("\n") == 1
