"""Photos are known by what they hold: imported anew, they are drawn, asked and measured alike."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fiftyone_dp2vl.attack.settings import AttackConfig
from fiftyone_dp2vl.errors import RunError
from fiftyone_dp2vl.store import (
    attack_album,
    evaluate_attack_dataset,
    load_report,
    protect_dataset,
)
from fiftyone_dp2vl.store.attack import plan_attack_dataset

pytestmark = pytest.mark.usefixtures("originals_untouched")


@pytest.fixture
def again(dataset: Any, tmp_path: Path) -> Iterator[Any]:
    """The photos of ``dataset`` in another dataset, in the same order, elsewhere and renamed."""
    import fiftyone as fo

    folder = tmp_path / "elsewhere"
    folder.mkdir()
    paths, people = dataset.values(["filepath", "identity"])
    copies = [shutil.copy(path, folder / f"IMG_{99 - row}.png") for row, path in enumerate(paths)]
    other = fo.Dataset()
    other.add_samples(
        fo.Sample(filepath=str(path), identity=person)
        for path, person in zip(copies, people, strict=True)
    )
    yield other
    other.delete()


@pytest.fixture
def config(tiny_encoder: str) -> AttackConfig:
    """An evaluation in which much is drawn: questions, shares, noise, augmentation."""
    return AttackConfig(
        attackers=(),
        proxies=(f"proxy:prototype@{tiny_encoder}",),
        arms=("quick", "ratio", "clean-synthetic"),
        max_questions=3,
        seeds=2,
    )


def hash_of(path: str | Path) -> str:
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()[:32]


def test_the_album_is_the_same(dataset, again):
    assert not set(dataset.values("id")) & set(again.values("id"))
    for seed in range(3):
        one, two = (
            attack_album(each, identity="identity", query=0.3, seed=seed)
            for each in (dataset, again)
        )
        assert [(p.key, p.role) for p in one.album.photos] == [
            (p.key, p.role) for p in two.album.photos
        ]
        assert one.album.digest == two.album.digest
    assert [photo.key for photo in one.album.photos] == [
        hash_of(path) for path in dataset.values("filepath")
    ]
    assert list(one.samples.values()) == dataset.values("id")
    assert list(two.samples.values()) == again.values("id")


@pytest.mark.parametrize("run", [None, "one"])
def test_what_was_measured_is_found_again(dataset, again, config, quick, tmp_path, run):
    asked = {"identity": "identity", "query": 0.5, "cache": str(tmp_path / "cache"), "run": run}
    if run is not None:
        for each in (dataset, again):
            protect_dataset(each, run, **quick)
    one = evaluate_attack_dataset(dataset, config, evaluation="first", **asked)
    measured = {path: path.stat().st_mtime_ns for path in (tmp_path / "cache").rglob("*.*")}
    assert measured

    assert all(cell.done for cell in plan_attack_dataset(again, config, **asked).cells)
    two = evaluate_attack_dataset(again, config, evaluation="second", **asked)
    assert {p: p.stat().st_mtime_ns for p in (tmp_path / "cache").rglob("*.*")} == measured
    assert two.rows == one.rows
    assert two.album["digest"] == one.album["digest"]

    # each report speaks of its own dataset's samples, and so do the predictions
    place = {sample: row for row, sample in enumerate(again.values("id"))}
    own = dataset.values("id")
    assert [(own[place[a.photo]], a.chosen, a.question) for a in two.answers] == [
        (a.photo, a.chosen, a.question) for a in one.answers
    ]
    assert load_report(again, "second") == two
    for arm in ("clean", "protected")[: 1 if run is None else 2]:
        said = dataset.values(f"dp2vl_attack_first_{arm}.label")
        assert again.values(f"dp2vl_attack_second_{arm}.label") == said
        assert sum(label is not None for label in said) == 3


def test_a_file_that_is_there_several_times(dataset, config, tmp_path):
    import fiftyone as fo

    path, person = dataset.first().filepath, dataset.first().identity
    copy = shutil.copy(path, tmp_path / "copy.png")
    first, *_ = dataset.values("id")
    added = dataset.add_samples(
        [fo.Sample(filepath=str(file), identity=person) for file in (copy, path)]
    )
    dataset.select([first, *added, *dataset.values("id")[1:3]]).tag_samples("query")
    found = attack_album(dataset, identity="identity", query="tag:query")
    key = hash_of(path)
    assert {sample: key for key, sample in found.samples.items() if sample in (first, *added)} == {
        first: key,
        added[0]: f"{key}-2",
        added[1]: f"{key}-3",
    }
    view = dataset.select([*reversed(dataset.values("id"))], ordered=True)
    turned = attack_album(view, identity="identity", query="tag:query")
    assert turned.samples[key] == added[1]

    # without a limit on questions each of them is asked about
    everything = AttackConfig(attackers=(), proxies=config.proxies)
    report = evaluate_attack_dataset(
        dataset, everything, identity="identity", query="tag:query", evaluation="a"
    )
    asked = {answer.photo for answer in report.answers}
    assert asked == set(dataset.match_tags("query").values("id"))
    assert set(dataset.exists("dp2vl_attack_a_clean").values("id")) == asked


def test_a_file_that_cannot_be_read_is_told_when_it_is_attacked(dataset, again, config):
    sample = again.last()
    Path(sample.filepath).unlink()
    found = attack_album(again, identity="identity", query=0.3)
    assert found.samples[sample.id] == sample.id
    with pytest.raises(RunError, match=r"IMG_88\.png cannot be read or written \(no such file"):
        evaluate_attack_dataset(again, config, identity="identity", query=0.3)


def test_where_contents_do_not_matter_no_file_is_read(dataset, monkeypatch):
    def read(path: Path) -> bytes:
        raise AssertionError(f"{path} was read")

    monkeypatch.setattr(Path, "read_bytes", read)
    found = attack_album(dataset, identity="identity", query=0.3, contents=False)
    assert [photo.key for photo in found.album.photos] == dataset.values("id")
    with pytest.raises(AssertionError, match="was read"):
        attack_album(dataset, identity="identity", query=0.3)
