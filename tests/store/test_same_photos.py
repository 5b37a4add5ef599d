"""The same photos, settings and seed give the same bytes, whoever asks for them and where."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fiftyone_dp2vl.cli import main
from fiftyone_dp2vl.media import hash_photo
from fiftyone_dp2vl.store import protect_dataset

pytestmark = pytest.mark.usefixtures("originals_untouched")


@pytest.fixture
def album(dataset: Any, tmp_path: Path) -> Path:
    """The dataset's photos in other folders, one a person, under other names."""
    root = tmp_path / "album"
    for number, sample in enumerate(dataset.sort_by("filepath", reverse=True)):
        (root / sample.identity).mkdir(parents=True, exist_ok=True)
        shutil.copyfile(sample.filepath, root / sample.identity / f"{number}.png")
    return root


@pytest.fixture
def imported(dataset: Any, album: Path):
    """The same photos imported anew: other ids, other paths, another order."""
    import fiftyone as fo

    other = fo.Dataset()
    other.add_samples(
        fo.Sample(filepath=str(path), identity=path.parent.name)
        for path in sorted(album.rglob("*.png"))
    )
    assert not set(other.values("id")) & set(dataset.values("id"))
    yield other
    other.delete()


def _made(dataset: Any, run: str = "one") -> dict[str, str | None]:
    """From an original's content to its protected file's."""
    originals, files = dataset.values(["filepath", f"dp2vl_{run}_path"])
    return {
        hash_photo(before): None if after is None else hash_photo(after)
        for before, after in zip(originals, files, strict=True)
    }


@pytest.mark.parametrize("group_field", ["identity", None], ids=["named", "nameless"])
@pytest.mark.parametrize("strategy", ["auto", "swap"])
def test_photos_that_are_imported_anew(dataset, imported, quick, tmp_path, strategy, group_field):
    settings = {**quick, "strategy": strategy, "group_field": group_field, "ratio": 0.5}
    for number, each in enumerate((dataset, imported)):
        protect_dataset(each, "one", output_dir=str(tmp_path / f"out{number}"), **settings)
    first, second = _made(dataset), _made(imported)
    assert first == second
    assert len(set(first.values()) - {None}) == 6
    assert {Path(p).stem for p in imported.values("dp2vl_one_path") if p} <= set(
        imported.values("id")
    )
    for name in ("linf", "psnr", "status"):
        told = [
            {hash_photo(sample.filepath): sample[f"dp2vl_one_{name}"] for sample in each}
            for each in (dataset, imported)
        ]
        assert told[0] == told[1]


def test_a_share_of_the_photos_is_the_same_in_each_person(dataset, imported, quick, tmp_path):
    settings = {**quick, "group_field": "identity", "ratio": 0.25, "stratify": True}
    for number, each in enumerate((dataset, imported)):
        protect_dataset(each, "one", output_dir=str(tmp_path / f"out{number}"), **settings)
    assert _made(dataset) == _made(imported)
    status, people = imported.values(["dp2vl_one_status", "identity"])
    chosen = np.array(status) == "protected"
    assert sorted(np.array(people)[chosen]) == sorted(set(people))


def test_a_folder_from_the_shell_and_a_dataset(dataset, album, tiny_encoder, tmp_path):
    settings = {"encoders": [tiny_encoder], "steps": 3, "group_field": "identity"}
    protect_dataset(dataset, "one", output_dir=str(tmp_path / "one"), **settings)
    out = tmp_path / "shell"
    common = ["--encoder", tiny_encoder, "--steps", "3", "--group-by-folder"]
    assert main(["protect", str(album), "--out", str(out), *common]) == 0
    by_shell = {
        hash_photo(path): hash_photo(out / "photos" / path.relative_to(album))
        for path in album.rglob("*.png")
    }
    assert by_shell == _made(dataset)
