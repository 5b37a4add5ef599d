"""Memory is flat in the number of photos."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
from PIL import Image

HERE = Path(__file__).parent
WIDTH, HEIGHT = 800, 600


def test_memory_does_not_grow_with_the_photos(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    small = Image.fromarray(rng.integers(0, 256, (60, 80, 3), dtype=np.uint8))
    (tmp_path / "originals").mkdir()
    photo = tmp_path / "originals/a.jpg"
    small.resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC).save(photo)
    done = subprocess.run(
        [sys.executable, str(HERE / "memory_runs.py"), str(photo), str(tmp_path), "12", "100"],
        env={**os.environ, "PYTHONPATH": f"{HERE}:{HERE.parents[1]}"},
        capture_output=True,
        text=True,
        check=True,
    )
    short, long = (int(line) for line in done.stdout.split())
    # 88 more photos would be 127 MB of pixels if they were held, and as much again as written
    assert long - short < 90_000
