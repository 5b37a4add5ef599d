"""Files that are damaged, odd or meant to harm: protected exactly, or refused in one sentence."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from odd_files import make_odd_files
from scale import FILES, SEEDS, tell

from fiftyone_dp2vl.config import OutputConfig, ProtectionConfig, SelectionConfig
from fiftyone_dp2vl.media import REFUSALS, read_photo
from fiftyone_dp2vl.runs import PhotoItem, protect_photos

HERE = Path(__file__).parent


@pytest.mark.skipif(sys.platform != "linux", reason="limits and /proc")
@pytest.mark.parametrize("seed", SEEDS)
def test_mutated_files_are_read_or_refused_in_time_and_memory(seed: int) -> None:
    done = subprocess.run(
        [sys.executable, str(HERE / "readers.py"), str(seed), str(FILES)],
        env={**os.environ, "PYTHONPATH": str(HERE.parents[1])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    told = json.loads(done.stdout.splitlines()[-1])
    assert sum(told["outcomes"].values()) == 4 * FILES
    kinds = {name.split(": ")[0] for name in told["outcomes"] if name.endswith("read")}
    assert kinds == {"jpeg", "png", "webp", "tiff"}, "every format's decoder was reached"
    assert told["slowest"] < 10
    assert told["peak_bytes"] < 2**30
    read = sum(n for name, n in told["outcomes"].items() if name.endswith("read"))
    tell(
        f"mutated files, seed {seed}: {4 * FILES}, {read} read, {4 * FILES - read} refused, "
        f"slowest {told['slowest']:.2f} s, peak {told['peak_bytes'] / 2**20:.0f} MiB"
    )


def test_odd_files_are_protected_exactly_or_refused_in_their_own_words(
    tmp_path: Path, tiny_encoder: str
) -> None:
    due = make_odd_files(tmp_path / "odd")
    before = {p: p.read_bytes() for p in (tmp_path / "odd").iterdir() if p.is_file()}
    items = [
        PhotoItem(name, tmp_path / "odd" / name, group=f"p{number % 3}")
        for number, name in enumerate(due)
    ]
    config = ProtectionConfig(encoders=(tiny_encoder,), steps=2, lanes=4, grid_pixels=4096)
    result = protect_photos(items, tmp_path / "run", config, SelectionConfig(), OutputConfig())
    found = {r.key: r.code or r.status for r in result.records}
    assert found == due
    sentences = set()
    for record in result.records:
        if record.status == "failed":
            assert record.error is not None
            assert record.error.startswith(record.key)
            words = REFUSALS[record.code].split("}", 1)[1].split("{")[0]
            assert words in record.error
            sentences.add(record.code)
            continue
        clean, moved = read_photo(tmp_path / "odd" / record.key), read_photo(record.path)
        assert clean.mode == moved.mode
        change = np.abs(clean.pixels.astype(int) - moved.pixels).max()
        assert change == record.linf <= 8
        assert record.psnr is not None
        assert math.isfinite(record.psnr)
    assert len(sentences) == len(set(due.values()) - {"protected"})
    assert {p: p.read_bytes() for p in before} == before
