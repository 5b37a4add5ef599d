"""A run from photos to verified files, with the real engine and a toy surrogate."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from fiftyone_dp2vl.config import OutputConfig, ProtectionConfig, SelectionConfig
from fiftyone_dp2vl.encoders import Encoder
from fiftyone_dp2vl.errors import ConfigError, RunError
from fiftyone_dp2vl.media import read_photo
from fiftyone_dp2vl.runs import Manifest, PhotoItem, Progress, RunResult

Runner = Callable[..., RunResult]
Tree = Callable[[Path], dict[str, bytes]]
REAL = Path("/work/shared/data/photos")


def _pixels(result: RunResult) -> dict[str, np.ndarray]:
    return {r.key: read_photo(r.path).pixels for r in result.records if r.path is not None}


def test_every_figure_is_that_of_the_file(items: list[PhotoItem], run: Runner) -> None:
    result = run(items)
    assert [record.key for record in result.records] == [item.key for item in items]
    assert all(record.status == "protected" for record in result.records)
    for item, record in zip(items, result.records, strict=True):
        before, after = read_photo(item.path), read_photo(record.path)
        assert (after.mode, after.width, after.height) == (before.mode, before.width, before.height)
        if before.alpha is not None:
            np.testing.assert_array_equal(after.alpha, before.alpha)
        gap = np.abs(before.pixels.astype(int) - after.pixels)
        assert record.linf == gap.max()
        assert 0 < record.linf <= 8
        assert record.psnr == pytest.approx(10 * math.log10(255**2 / (gap**2).mean()), abs=1e-3)
        assert 0.8 < record.ssim < 1
        assert record.cosines["toy"].pooled < 0.99
        assert record.loss < record.start_loss
        assert record.bytes == record.path.stat().st_size
        assert Path(item.path).parent not in record.path.parents


def test_manifest(items: list[PhotoItem], run: Runner, config: ProtectionConfig) -> None:
    result = run(items, selection=SelectionConfig(ratio=0.5, seed=3))
    manifest = Manifest.load(result.directory)
    assert manifest == result.manifest
    assert manifest.protection == config
    assert manifest.selection == SelectionConfig(ratio=0.5, seed=3)
    data = json.loads((result.directory / "run.json").read_text())
    assert data["fingerprints"]["protection"] == config.fingerprint()
    assert len(data["encoders"][0]["weights_sha256"]) == 64
    assert {"torch", "pillow", "numpy", "fiftyone_dp2vl"} <= set(data["versions"])
    assert len(result.with_status("protected")) == len(result.with_status("clean")) == 5
    assert len(list((result.directory / "photos").iterdir())) == 5
    listed = json.loads((result.directory / "items.json").read_text())
    assert len(listed["selected"]) == len(listed["clean"]) == 5


def test_budget_of_zero_changes_nothing(
    items: list[PhotoItem], run: Runner, config: ProtectionConfig
) -> None:
    result = run(items, config=replace(config, epsilon=0))
    for item, record in zip(items, result.records, strict=True):
        np.testing.assert_array_equal(read_photo(item.path).pixels, read_photo(record.path).pixels)
        assert (record.linf, record.psnr, record.ssim) == (0, math.inf, 1.0)
        assert record.cosines["toy"].token == pytest.approx(1)
    again = run(items, config=replace(config, epsilon=0))
    assert again.records == result.records


@pytest.mark.parametrize("changes", [{"batch_size": 1}, {"batch_size": 16}, {"workers": 1}])
def test_batch_mates_do_not_matter(
    items: list[PhotoItem], run: Runner, changes: dict[str, int]
) -> None:
    first, second = run(items, "first"), run(items, "second", **changes)
    _close(first, second)


def test_order_does_not_matter(items: list[PhotoItem], run: Runner, tree: Tree) -> None:
    first, second = run(items, "first"), run(items[::-1], "second")
    assert tree(first.directory) == tree(second.directory)
    assert first.records == [
        replace(r, path=first.directory / r.path.relative_to(second.directory))
        for r in second.records[::-1]
    ]


def test_two_shards_make_up_the_run(items: list[PhotoItem], run: Runner) -> None:
    whole = run(items, "whole")
    shards = [run(items, f"shard{i}", shard=(i, 2)) for i in (0, 1)]
    keys = [record.key for shard in shards for record in shard.records]
    assert sorted(keys) == [item.key for item in items]
    assert all(len(shard.records) == 5 for shard in shards)
    for shard in shards:
        _close(whole, shard)


def _close(first: RunResult, second: RunResult) -> None:
    assert first.manifest.targets_sha256 == second.manifest.targets_sha256
    before, after = _pixels(first), _pixels(second)
    for key, pixels in after.items():
        assert np.abs(before[key].astype(int) - pixels).max() <= 1


@pytest.mark.parametrize("kind", ["webp", "jpeg"])
def test_other_formats(tmp_path: Path, items: list[PhotoItem], run: Runner, kind: str) -> None:
    result = run(items, output=OutputConfig(format=kind))
    for item, record in zip(items, result.records, strict=True):
        before = read_photo(item.path)
        if kind == "jpeg" and before.alpha is not None:
            assert record.code == "alpha-in-jpeg"
            continue
        assert record.status == "protected"
        assert record.lossy == (kind == "jpeg")
        after = read_photo(record.path).pixels
        if before.pixels.ndim == 2 and after.ndim == 3:
            after = after[..., 0]
        gap = np.abs(before.pixels.astype(int) - after)
        assert record.linf == gap.max()
    assert max(r.linf or 0 for r in result.records) > 8 or kind == "webp"


def test_failures_are_recorded_and_the_run_goes_on(
    tmp_path: Path, items: list[PhotoItem], run: Runner
) -> None:
    folder = tmp_path / "originals"
    (folder / "text.jpg").write_text("no photo")
    data = Path(items[0].path).read_bytes()
    (folder / "cut.png").write_bytes(data[: len(data) // 2])
    broken = [PhotoItem(n, folder / n) for n in ("text.jpg", "cut.png", "gone.png")]
    broken.append(replace(items[1], key="masked", mask=np.ones((5, 5), bool)))
    result = run([*items, *broken])
    codes = [record.code for record in result.records[len(items) :]]
    assert codes == ["not-an-image", "truncated", "missing", "mask-size"]
    assert all(record.status == "protected" for record in result.records[: len(items)])
    assert all(record.error and record.path is None for record in result.records[len(items) :])
    assert run([*items, *broken]).records == result.records


def test_nothing_can_be_read(tmp_path: Path, run: Runner) -> None:
    gone = [PhotoItem(key, tmp_path / f"originals/{key}.png") for key in ("a", "b")]
    result = run(gone)
    assert [record.code for record in result.records] == ["missing", "missing"]
    assert run(gone).records == result.records


def test_ratio_of_zero(items: list[PhotoItem], run: Runner) -> None:
    result = run(items, selection=SelectionConfig(ratio=0))
    assert {record.status for record in result.records} == {"clean"}


@pytest.mark.parametrize("lazy", [True, False])
def test_mask_confines(items: list[PhotoItem], run: Runner, lazy: bool) -> None:
    def left(height: int, width: int) -> np.ndarray:
        mask = np.zeros((height, width), bool)
        mask[:, : width // 2] = True
        return mask

    masked = []
    for item in items:
        photo = read_photo(item.path)
        mask = left if lazy else left(photo.height, photo.width)
        masked.append(replace(item, mask=mask))
    for item, record in zip(items, run(masked).records, strict=True):
        moved = read_photo(item.path).pixels != read_photo(record.path).pixels
        half = moved.shape[1] // 2
        assert moved[:, :half].any()
        assert not moved[:, half:].any()


@pytest.mark.parametrize("kind", ["png", "webp", "jpeg"])
def test_over_budget_is_never_kept(
    items: list[PhotoItem], run: Runner, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    from fiftyone_dp2vl.runs import finishing

    honest = finishing.apply_perturbation

    def one_level_too_far(pixels: np.ndarray, *arguments: Any) -> np.ndarray:
        moved = honest(pixels, *arguments)
        if pixels.shape[:2] == (64, 64):
            value = int(pixels[30, 30].flat[0])
            moved[30, 30] = value + 9 if value < 128 else value - 9
        return moved

    monkeypatch.setattr(finishing, "apply_perturbation", one_level_too_far)
    opaque = [item for item in items if read_photo(item.path).alpha is None]
    result = run(opaque, output=OutputConfig(format=kind))
    failed = result.with_status("failed")
    assert {record.code for record in failed} == {"over-budget"}
    assert len(failed) == sum(read_photo(i.path).pixels.shape[:2] == (64, 64) for i in opaque)
    assert "not kept" in (failed[0].error or "")
    kept = {record.path for record in result.with_status("protected")}
    assert kept == {p for p in (result.directory / "photos").iterdir() if p.is_file()}


def test_a_perturbation_without_bounds_is_not_written(
    items: list[PhotoItem], run: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    from fiftyone_dp2vl.runs import runner

    honest = runner.protect

    def diverged(*arguments: Any, **keywords: Any) -> list[Any]:
        found = honest(*arguments, **keywords)
        return [replace(p, delta=torch.full_like(p.delta, torch.nan)) for p in found]

    monkeypatch.setattr(runner, "protect", diverged)
    assert {record.code for record in run(items).records} == {"diverged"}


def test_progress_and_estimate(
    items: list[PhotoItem], run: Runner, tmp_path: Path, config: ProtectionConfig, encoder: Encoder
) -> None:
    from fiftyone_dp2vl.runs import estimate

    seen: list[Progress] = []
    result = run(items, progress=seen.append)
    order = [p.phase for p in seen]
    assert order == sorted(order, key=["read", "survey", "protect"].index)
    assert seen[-1][:3] == (10, 10, "protect")
    assert all(p.eta_seconds is None or p.eta_seconds >= 0 for p in seen)
    assert result.wall_seconds > result.engine_seconds > 0
    told = estimate(
        items,
        tmp_path / "new",
        config,
        SelectionConfig(ratio=0.5),
        OutputConfig(),
        encoders=[encoder],
    )
    assert told.photos == 5
    assert told.fits
    assert 0 < told.seconds < 60
    written = sum(record.bytes or 0 for record in result.records)
    assert written / 2 / 3 < told.bytes < written / 2 * 3
    assert not (tmp_path / "new").exists()


def test_refusals(tmp_path: Path, items: list[PhotoItem], run: Runner) -> None:
    with pytest.raises(RunError, match="no photos"):
        run([])
    with pytest.raises(ConfigError, match="shard"):
        run(items, shard=(2, 2))
    with pytest.raises(ConfigError, match="number"):
        run(items, encoders=[])
    with pytest.raises(RunError, match="beside the originals"):
        run(items, "originals/out")
    (tmp_path / "full").mkdir()
    (tmp_path / "full/letter.txt").touch()
    with pytest.raises(RunError, match=r"other files \(letter.txt\)"):
        run(items, "full")
    (tmp_path / "file").touch()
    with pytest.raises(RunError, match="is a file"):
        run(items, "file")


def test_full_disk_is_said_before_the_engine_starts(
    items: list[PhotoItem], run: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    from fiftyone_dp2vl.runs import space

    monkeypatch.setattr(space, "free_bytes", lambda directory: 1000)
    with pytest.raises(RunError, match="free: make room"):
        run(items)


@pytest.mark.skipif(not REAL.is_dir(), reason=f"no photos in {REAL}")
def test_real_photos(run: Runner, config: ProtectionConfig) -> None:
    items = [PhotoItem(path.name, path) for path in sorted(REAL.glob("*.jpg"))[:4]]
    result = run(items, config=replace(config, grid_pixels=128 * 128, steps=3))
    for item, record in zip(items, result.records, strict=True):
        before, after = read_photo(item.path), read_photo(record.path)
        assert record.status == "protected"
        assert record.linf <= 8
        assert before.pixels.shape == after.pixels.shape
        assert record.path.name == Path(item.path).stem + ".png"
