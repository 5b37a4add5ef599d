"""The same photos are protected alike, whatever they are called and wherever they lie."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings, strategies as st

from fiftyone_dp2vl.config import SelectionConfig
from fiftyone_dp2vl.errors import Cancelled, ConfigError, PhotoError
from fiftyone_dp2vl.media import hash_photo, read_photo
from fiftyone_dp2vl.runs import PhotoItem, Progress, RunResult, select
from fiftyone_dp2vl.runs.beforehand import possible_groups
from fiftyone_dp2vl.runs.draws import told_apart

Run = Callable[..., RunResult]


def _moved(items: Sequence[PhotoItem], folder: Path) -> list[PhotoItem]:
    """The photos under names that sort in the opposite order, in another folder."""
    folder.mkdir()
    found = []
    for number, item in enumerate(reversed(items)):
        path = folder / f"scan {number:03d}.png"
        shutil.copyfile(item.path, path)
        found.append(PhotoItem(f"key{number:03d}", path, item.group))
    return found


def _made(result: RunResult, items: Sequence[PhotoItem]) -> dict[str, bytes | None]:
    """From an original's content to its protected file's."""
    return {
        hash_photo(item.path): None if record.path is None else record.path.read_bytes()
        for item, record in zip(items, result.records, strict=True)
    }


@pytest.mark.parametrize("named", [True, False], ids=["named", "nameless"])
@pytest.mark.parametrize("strategy", ["swap", "auto", "nobody"])
def test_renamed_and_moved_photos_give_the_same_bytes(
    items: list[PhotoItem], run: Run, tmp_path: Path, config, strategy: str, named: bool
) -> None:
    if not named:
        items = [replace(item, group=None) for item in items]
    moved = _moved(items, tmp_path / "elsewhere")
    settings = {
        "config": replace(config, strategy=strategy),
        "selection": SelectionConfig(ratio=0.5),
    }
    first, second = run(items, "first", **settings), run(moved, "second", **settings)
    assert len(first.with_status("protected")) == 5
    assert _made(first, items) == _made(second, moved)


def test_names_of_ones_own_take_the_contents_place(items: list[PhotoItem], run: Run) -> None:
    drawn = [replace(item, draw=item.key) for item in items]
    first, second = run(items, "first"), run(drawn, "second")
    assert _made(first, items) != _made(second, drawn)
    other = [replace(item, key=f"{item.key}~", draw=item.key) for item in items]
    assert _made(run(other, "third"), other) == _made(second, drawn)
    seen: list[Progress] = []
    run(drawn, "fourth", progress=seen.append)
    assert {p.phase for p in seen} == {"survey", "protect"}  # nothing has to be read for it


def test_a_run_goes_on_with_what_it_was_begun_with(
    items: list[PhotoItem], run: Run, tmp_path: Path
) -> None:
    whole = run(items, "whole")

    def stop() -> bool:
        return (tmp_path / "broken/photos").is_dir() and any((tmp_path / "broken/photos").iterdir())

    with pytest.raises(Cancelled):
        run(items, "broken", cancel=stop, batch_size=2)
    seen: list[Progress] = []
    broken = run(items, "broken", batch_size=2, progress=seen.append)
    assert "read" not in {p.phase for p in seen}
    assert _made(broken, items) == _made(whole, items)


def test_a_run_of_before_there_were_draws_goes_by_its_keys(
    items: list[PhotoItem], run: Run
) -> None:
    by_keys = [replace(item, draw=item.key) for item in items]
    result = run(by_keys)
    listed = result.directory / "items.json"
    data = json.loads(listed.read_text())
    assert data.pop("draws") == {item.key: item.key for item in items}
    listed.write_text(json.dumps(data))
    before = result.records[3].path.read_bytes()
    result.records[3].path.unlink()
    run(items)
    assert result.records[3].path.read_bytes() == before


def test_copies_are_protected_alike_within_a_group_and_apart_between_groups(
    items: list[PhotoItem], run: Run
) -> None:
    base = items[0]
    copies = [
        PhotoItem("same", base.path, base.group),
        PhotoItem("other", base.path, items[1].group),
        PhotoItem("nobody", base.path, None),
    ]
    given = [*items, *copies]
    result = run(given)
    assert not result.with_status("failed")
    made = {record.key: record.path.read_bytes() for record in result.records if record.path}
    assert made[base.key] == made["same"]
    assert len({made[base.key], made["other"], made["nobody"]}) == 3
    swapped = [*copies[::-1], *items[::-1]]
    again = {r.key: r.path.read_bytes() for r in run(swapped, "again").records if r.path}
    assert again == made


def test_draws_name_the_group_only_where_it_matters() -> None:
    groups = {"a": "ada", "b": "bob", "c": "bob", "d": None}
    told = told_apart({"a": "x", "b": "x", "c": "y", "d": "z"}, groups)
    assert told == {"a": "x ada", "b": "x bob", "c": "y", "d": "z"}


def test_a_photo_that_cannot_be_read_comes_last(
    items: list[PhotoItem], run: Run, tmp_path: Path
) -> None:
    gone = [PhotoItem(key, tmp_path / "originals/gone.png", "person0") for key in ("a", "zz")]
    whole = run([*items, *gone], "whole")
    assert [record.code for record in whole.with_status("failed")] == ["missing"] * 2
    assert len(whole.with_status("protected")) == 10
    half = SelectionConfig(ratio=0.5)
    for name, listed in (("a", [gone[0], *items]), ("zz", [*items, gone[1]])):
        chosen = run(listed, name, selection=half).with_status("protected")
        # six of eleven: whatever a photo that is none is called, it takes no other's place
        assert len(chosen) == 6
        alone = run(items, f"{name} alone", selection=SelectionConfig(ratio=0.6))
        assert {r.key for r in chosen} == {r.key for r in alone.with_status("protected")}


def test_of_a_photo_of_two_people_the_same_one_is_drawn(items: list[PhotoItem], run: Run) -> None:
    config = SelectionConfig(ratio=0.5)
    shown = []
    for number, keys in enumerate(("ab", "ba")):
        twins = [
            PhotoItem(key, items[0].path, group)
            for key, group in zip(keys, ("person0", "person1"), strict=True)
        ]
        chosen = run([*items[1:], *twins], f"run{number}", selection=config)
        groups = {twin.key: twin.group for twin in twins}
        shown.append([groups[r.key] for r in chosen.with_status("protected") if r.key in groups])
    assert shown[0] == shown[1]


def test_reading_can_be_cancelled_and_leaves_nothing(
    items: list[PhotoItem], run: Run, tmp_path: Path
) -> None:
    seen: list[Progress] = []
    with pytest.raises(Cancelled):
        run(items, progress=seen.append, cancel=lambda: bool(seen))
    assert {p.phase for p in seen} == {"read"}
    assert not (tmp_path / "run").exists()


def test_a_hash_is_that_of_the_photo_that_is_read(items: list[PhotoItem], tmp_path: Path) -> None:
    assert hash_photo(items[0].path) == read_photo(items[0].path).source.sha256
    with pytest.raises(PhotoError, match="gone") as error:
        hash_photo(tmp_path / "gone.png")
    assert error.value.code == "missing"
    with pytest.raises(PhotoError) as error:
        hash_photo(tmp_path)
    assert error.value.code == "not-a-file"


class TestPossibleGroups:
    @settings(max_examples=200, deadline=None)
    @given(
        people=st.lists(st.sampled_from(["ada", "bob", "cyd", None]), min_size=1, max_size=24),
        ratio=st.floats(0, 1),
        seed=st.integers(0, 5),
        stratify=st.booleans(),
    )
    def test_no_draw_shows_more_people_or_another_number_of_photos(
        self, people: list[str | None], ratio: float, seed: int, stratify: bool
    ) -> None:
        config = SelectionConfig(ratio=ratio, stratify=stratify and any(people), seed=seed)
        keys = [str(number) for number in range(len(people))]
        drawn = [people[int(key)] for key in select(keys, people, config)]
        best = possible_groups(Counter(people), config)
        assert len(best) == len(drawn)
        assert len(set(best) - {None}) >= len(set(drawn) - {None})
        if config.stratify:
            assert Counter(best) == Counter(drawn)

    def test_nobody_known_cannot_be_stratified(self) -> None:
        with pytest.raises(ConfigError, match="stratify needs groups"):
            possible_groups({None: 4}, SelectionConfig(stratify=True))
