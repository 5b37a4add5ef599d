"""Runs that are taken up again: cancelled, changed, disturbed, or held by another process."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from stopping import stop_after

from fiftyone_dp2vl.config import OutputConfig, ProtectionConfig, SelectionConfig
from fiftyone_dp2vl.encoders import Encoder
from fiftyone_dp2vl.errors import Cancelled, ConfigError, RunError
from fiftyone_dp2vl.runs import PhotoItem, RunResult
from fiftyone_dp2vl.runs.lock import locked

Runner = Callable[..., RunResult]
Tree = Callable[[Path], dict[str, bytes]]


@pytest.mark.parametrize("asked", [0, 5, 13, 22, 35, 50])
def test_cancelled_and_taken_up_again(
    tmp_path: Path, items: list[PhotoItem], run: Runner, tree: Tree, asked: int
) -> None:
    with pytest.raises(Cancelled, match="the same command goes on"):
        run(items, "broken", cancel=stop_after(asked))
    run(items, "broken")
    run(items, "whole")
    assert tree(tmp_path / "broken") == tree(tmp_path / "whole")


def test_finished_run_does_nothing(items: list[PhotoItem], run: Runner, tree: Tree) -> None:
    first = run(items)
    before = tree(first.directory)
    times = {p: p.stat().st_mtime_ns for p in first.directory.rglob("photos/*")}
    second = run(items)
    assert second.records == first.records
    assert second.engine_seconds == 0
    assert tree(first.directory) == before
    assert times == {p: p.stat().st_mtime_ns for p in first.directory.rglob("photos/*")}


def test_another_run_is_refused_with_the_difference(
    items: list[PhotoItem], run: Runner, config: ProtectionConfig, encoder: Encoder
) -> None:
    run(items)
    other = type(encoder)(seed=1)
    for changes, words in (
        (
            {"config": replace(config, epsilon=4, seed=2)},
            "epsilon: 8.0 became 4.0; seed: 0 became 2",
        ),
        ({"selection": SelectionConfig(ratio=0.5)}, "ratio: 1.0 became 0.5"),
        ({"output": OutputConfig(format="webp")}, "format: 'png' became 'webp'"),
        ({"shard": (0, 2)}, "shard: "),
        ({"encoders": [other]}, "weights of toy: "),
    ):
        with pytest.raises(RunError, match=r"same settings to resume") as caught:
            run(items, **changes)
        assert words in str(caught.value)


def test_photos_that_came_later_are_refused(
    tmp_path: Path, items: list[PhotoItem], run: Runner
) -> None:
    run(items[:9])
    with pytest.raises(RunError, match=r"photos were added \(1: photo09\)"):
        run(items)
    with pytest.raises(RunError, match="another group"):
        run([replace(items[0], group="somebody else"), *items[1:9]])


def test_two_at_once(tmp_path: Path, items: list[PhotoItem], run: Runner) -> None:
    script = (
        "import sys, time; from pathlib import Path; from fiftyone_dp2vl.runs.lock import locked\n"
        "with locked(Path(sys.argv[1])): print('held', flush=True); time.sleep(60)"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path / "run")],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(RunError, match="another run is at work"):
            run(items)
    finally:
        holder.kill()
        holder.wait()
    assert len(run(items).with_status("protected")) == 10
    with locked(tmp_path / "run"), pytest.raises(RunError, match="another run is at work"):
        run(items)


def _repaint(path: Path) -> None:
    with Image.open(path) as image:
        pixels = 255 - np.asarray(image)
    Image.fromarray(pixels).save(path)


def _cancelled_half_way(items: list[PhotoItem], run: Runner) -> set[str]:
    """Returns the keys that are finished."""
    with pytest.raises(Cancelled):
        run(items, cancel=stop_after(40))
    root = Path(items[0].path).parents[1] / "run"
    return {path.stem for path in (root / "photos").iterdir()}


def test_changed_and_deleted_originals_are_noticed(items: list[PhotoItem], run: Runner) -> None:
    finished = _cancelled_half_way(items, run)
    done = [item for item in items if item.key in finished and item.key not in ("photo04",)]
    waiting = [item for item in items if item.key not in finished]
    assert len(done) >= 2
    assert len(waiting) >= 2
    backup = Path(items[0].path).parents[1] / "backup"
    shutil.copytree(Path(items[0].path).parent, backup)
    _repaint(Path(done[0].path))
    Path(done[1].path).unlink()
    _repaint(Path(waiting[0].path))
    Path(waiting[1].path).unlink()
    result = run(items)
    found = {record.key: record for record in result.records}
    assert found[done[0].key].code == found[waiting[0].key].code == "changed"
    assert not (result.directory / f"photos/{done[0].key}.png").exists()
    assert found[done[1].key].status == "protected"
    assert "its protected file was kept" in result.warnings[0]
    assert found[waiting[1].key].code == "missing"
    assert len(result.with_status("protected")) == 7
    # as they were: the run is whole again
    for item in (*done[:2], *waiting[:2]):
        shutil.copy(backup / Path(item.path).name, item.path)
    assert len(run(items).with_status("protected")) == 10


def test_an_original_that_could_not_be_read_for_a_while(
    items: list[PhotoItem], run: Runner
) -> None:
    finished = _cancelled_half_way(items, run)
    waiting = [Path(item.path) for item in items if item.key not in finished][:3]
    held = [(path.read_bytes(), path.stat().st_mtime_ns) for path in waiting]
    waiting[0].write_bytes(held[0][0][:500])
    waiting[1].write_bytes(b"")
    waiting[2].unlink()
    waiting[2].mkdir()
    found = {record.key: record.code for record in run(items).with_status("failed")}
    assert found == dict(
        zip((path.stem for path in waiting), ("truncated", "empty", "not-a-file"), strict=True)
    )
    waiting[2].rmdir()
    for path, (data, time) in zip(waiting, held, strict=True):
        path.write_bytes(data)
        os.utime(path, ns=(time, time))
    assert len(run(items).with_status("protected")) == 10


def test_touched_original_and_gone_item(items: list[PhotoItem], run: Runner) -> None:
    first = run(items)
    os.utime(items[0].path, ns=(1, 1))
    again = run(items[:-1])
    assert again.records == first.records[:-1]
    assert "no longer among the photos" in again.warnings[0]


def test_protected_file_that_is_gone_is_made_again(
    items: list[PhotoItem], run: Runner, tree: Tree
) -> None:
    first = run(items)
    before = tree(first.directory)
    first.records[3].path.unlink()
    first.records[5].path.write_bytes(b"cut")
    second = run(items)
    assert second.records == first.records
    after = tree(first.directory)
    assert {n: d for n, d in after.items() if n != "journal.jsonl"} == {
        n: d for n, d in before.items() if n != "journal.jsonl"
    }


def test_tampered_journal_and_targets(items: list[PhotoItem], run: Runner) -> None:
    result = run(items)
    journal = result.directory / "journal.jsonl"
    text = journal.read_text()
    journal.write_text(text.replace("photos/photo01.png", "../originals/photo01.png"))
    with pytest.raises(RunError, match="tampered"):
        run(items)
    assert all(Path(item.path).exists() for item in items)
    journal.write_text(text)
    targets = result.directory / "targets.safetensors"
    data = targets.read_bytes()
    middle = len(data) // 2  # among the numbers, not among the names
    targets.write_bytes(data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :])
    with pytest.raises(RunError, match="not the file that this run was begun with"):
        run(items)
    targets.write_bytes(data[:100])
    with pytest.raises(RunError, match="cannot be read"):
        run(items)
    targets.write_bytes(data)
    (result.directory / "run.json").write_text("{")
    with pytest.raises(RunError, match=r"run\.json cannot be read"):
        run(items)


def test_other_library_version_is_a_warning(items: list[PhotoItem], run: Runner) -> None:
    result = run(items)
    path = result.directory / "run.json"
    data = json.loads(path.read_text())
    data["versions"]["torch"], data["device"] = "0.1", "cuda"
    path.write_text(json.dumps(data))
    warnings = run(items).warnings
    assert "torch 0.1 became" in warnings[0]
    assert "the device cuda became cpu" in warnings[1]


def test_folder_that_cannot_be_written(
    tmp_path: Path, items: list[PhotoItem], run: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run").chmod(0o500)
    if os.access(tmp_path / "run", os.W_OK):  # root writes anywhere

        def denied(self: Path, *arguments: object, **keywords: object) -> None:
            raise PermissionError(13, "Permission denied", str(self))

        monkeypatch.setattr(Path, "mkdir", denied)
    with pytest.raises(RunError, match=r"cannot be written to \(permission denied\)"):
        run(items)


def test_disk_that_fills_up_stops_the_run_and_nothing_is_lost(
    tmp_path: Path,
    items: list[PhotoItem],
    run: Runner,
    tree: Tree,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from fiftyone_dp2vl.media import writing

    honest, left = writing.write_atomically, 6

    def full(path: Path, data: bytes, *, replace: bool) -> None:
        nonlocal left
        left -= 1
        if left < 0:
            raise OSError(28, "No space left on device")
        honest(path, data, replace=replace)

    monkeypatch.setattr(writing, "write_atomically", full)
    with pytest.raises(RunError, match="no space left on device"):
        run(items)
    monkeypatch.setattr(writing, "write_atomically", honest)
    run(items)
    run(items, "whole")
    assert tree(tmp_path / "run") == tree(tmp_path / "whole")


def test_settings_may_change_until_the_first_pass_is_finished(
    tmp_path: Path, items: list[PhotoItem], run: Runner, tree: Tree, config: ProtectionConfig
) -> None:
    with pytest.raises(Cancelled):
        run(items, "broken", cancel=stop_after(13))
    other = replace(config, strategy="centroid")
    run(items[:8], "broken", config=other)
    run(items[:8], "whole", config=other)
    assert tree(tmp_path / "broken") == tree(tmp_path / "whole")


def test_a_run_goes_on_where_one_persons_photos_are_left(
    items: list[PhotoItem], run: Runner
) -> None:
    finished = _cancelled_half_way(items, run)
    left = [item for item in items if item.group == "person0"]
    assert {item.key for item in left} - finished
    for item in items:
        if item not in left:
            Path(item.path).unlink()
    assert len(run(items).records) == 10
    found = {record.key: record.status for record in run(left).records}
    assert found == dict.fromkeys((item.key for item in left), "protected")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"strategy": "pray"}, "no strategy 'pray'"),
        ({"transforms": ("swirl:1-2",)}, "transform 'swirl:1-2'"),
    ],
)
def test_settings_that_cannot_be_leave_nothing_behind(
    tmp_path: Path,
    items: list[PhotoItem],
    run: Runner,
    config: ProtectionConfig,
    changes: dict[str, object],
    words: str,
) -> None:
    with pytest.raises(ConfigError, match=words):
        run(items, config=replace(config, **changes))
    assert not (tmp_path / "run").exists()


def test_one_person_leaves_nothing_behind(
    tmp_path: Path, items: list[PhotoItem], run: Runner, config: ProtectionConfig
) -> None:
    alone = [replace(item, group="anna") for item in items]
    with pytest.raises(ConfigError, match="choose 'erase'"):
        run(alone)
    with pytest.raises(ConfigError, match="choose 'erase'"):
        run([replace(items[0], group=None)])
    assert not (tmp_path / "run").exists()
    result = run(alone[:1], config=replace(config, strategy="erase"))
    (record,) = result.records
    assert record.status == "protected"
    assert record.linf


def test_another_number_of_threads_is_told(
    items: list[PhotoItem], run: Runner, tmp_path: Path
) -> None:
    first = run(items)
    assert first.manifest.threads == torch.get_num_threads()
    path = first.directory / "run.json"
    path.write_text(path.read_text().replace('"threads": ', '"threads": 1'))
    (warning,) = run(items).warnings
    assert warning.startswith(f"the number of threads 1{first.manifest.threads} became")
    assert "not to the very bytes" in warning


class TestMasks:
    """A mask is part of what a photo was when the run began."""

    @pytest.fixture
    def masked(self, items: list[PhotoItem]) -> list[PhotoItem]:
        return [replace(item, mask=self._left) for item in items]

    def _left(self, height: int, width: int) -> np.ndarray:
        mask = np.zeros((height, width), dtype=bool)
        mask[:, : width // 2] = True
        return mask

    def _right(self, height: int, width: int) -> np.ndarray:
        return ~self._left(height, width)

    def test_another_mask_is_noticed_and_its_own_taken_up_again(
        self, masked: list[PhotoItem], run: Runner, tree: Tree, tmp_path: Path
    ) -> None:
        finished = _cancelled_half_way(masked, run)
        assert finished
        other = [replace(masked[0], mask=self._right), replace(masked[1], mask=None), *masked[2:]]
        result = run(other)
        assert [r.code for r in result.records[:2]] == ["changed", "changed"]
        assert "the mask of photo00.png was changed" in result.records[0].error
        assert all(record.status == "protected" for record in result.records[2:])
        assert not list((result.directory / "photos").glob("photo0[01].png"))
        again = run(masked)
        assert all(record.status == "protected" for record in again.records)
        for item, record in zip(masked, again.records, strict=True):
            gap = np.abs(
                np.asarray(Image.open(item.path), int) - np.asarray(Image.open(record.path))
            )
            assert not gap[:, gap.shape[1] // 2 :].any()
            assert gap.any()
        whole = run(masked, "whole")
        assert [r.sha256 for r in whole.records] == [r.sha256 for r in again.records]
