from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from fiftyone_dp2vl.errors import RunError
from fiftyone_dp2vl.runs.names import checked_path, file_names


def test_plain_keys_keep_their_names() -> None:
    keys = ["65f0c0ffee", "trip/day 1/IMG_1.JPG", "été/Ö.png", "v1.2"]
    assert file_names(keys, ".png") == {
        "65f0c0ffee": "65f0c0ffee.png",
        "trip/day 1/IMG_1.JPG": "trip/day 1/IMG_1.png",
        "été/Ö.png": "été/Ö.png",
        "v1.2": "v1.2.png",
    }


def test_same_stem_same_letters_and_folder_named_as_file_do_not_collide() -> None:
    keys = ["a.jpg", "a.png", "A.jpg", "b.png/c.jpg", "b.jpg", "d"]
    names = file_names(keys, ".png")
    assert len({name.casefold() for name in names.values()}) == len(keys)
    assert names["d"] == "d.png"
    assert names["b.jpg"] != "b.png"


@pytest.mark.parametrize(
    "key",
    ["../a", "/etc/passwd", "a/../../b", ".hidden", "con", "a:b", "x" * 400, "a\0b", "", "-rf"],
)
def test_unsafe_keys(tmp_path: Path, key: str) -> None:
    name = file_names([key], ".png")[key]
    path = checked_path(tmp_path, "photos/" + name)
    assert path.is_relative_to(tmp_path)
    path.parent.mkdir(parents=True)
    path.write_bytes(b"x")
    assert not Path(name).name.startswith((".", "-"))


@given(st.lists(st.text(max_size=30), unique=True, max_size=20))
def test_any_keys_give_distinct_contained_names(keys: list[str]) -> None:
    names = file_names(keys, ".png")
    assert len({name.casefold() for name in names.values()}) == len(keys)
    for name in names.values():
        assert ".." not in name.split("/")
        assert not name.startswith("/")
        assert "\\" not in name
        name.encode()


@pytest.mark.parametrize("name", ["../x", "/x", "a/../../x", "", "c:/x", "a\\..\\x", "link/x"])
def test_a_journal_cannot_lead_out(tmp_path: Path, name: str) -> None:
    run = tmp_path / "run"
    run.mkdir()
    os.symlink(tmp_path, run / "link")
    with pytest.raises(RunError, match="tampered"):
        checked_path(run, name)
