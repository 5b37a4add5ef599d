"""Killed with SIGKILL at seeded points, started again: the same bytes, one batch repeated."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fiftyone_dp2vl.runs import PhotoItem, RunResult, runner

Runner = Callable[..., RunResult]
Tree = Callable[[Path], dict[str, bytes]]
HERE = Path(__file__).parent
BATCH = 4


def _runs(originals: Path, runs: Path, points: list[str]) -> list[list[Any]]:
    done = subprocess.run(
        [sys.executable, str(HERE / "killed_runs.py"), str(originals), str(runs), *points],
        env={**os.environ, "PYTHONPATH": f"{HERE}:{HERE.parents[1]}", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_killed_anywhere(
    tmp_path: Path,
    items: list[PhotoItem],
    run: Runner,
    tree: Tree,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    originals = tmp_path / "originals"
    _runs(originals, tmp_path, ["never:0"])
    unbroken = tree(tmp_path / "never-0")
    assert len([name for name in unbroken if name.startswith("photos/")]) == len(items)
    counts = json.loads((tmp_path / "never-0.counts").read_text())
    every = [f"{event}:{n + 1}" for event, count in counts.items() for n in range(count)]
    points = random.Random(5).sample(sorted(every), 9)
    points += [f"step:{counts['step']}", "fsync:1", f"fsync:{counts['fsync']}"]
    engine = runner.protect
    for point, was_killed, _ in _runs(originals, tmp_path, points):
        name = point.replace(":", "-")
        optimised = (tmp_path / f"{name}.log").read_text().split()

        def counted(*arguments: Any, seen: list[str] = optimised, **keywords: Any) -> Any:
            seen.extend(keywords["keys"])
            return engine(*arguments, **keywords)

        monkeypatch.setattr(runner, "protect", counted)
        assert was_killed, point
        result = run(items, name)
        assert len(result.with_status("protected")) == len(items)
        assert result.warnings == ()
        assert tree(tmp_path / name) == unbroken, point
        assert len(items) <= len(optimised) <= len(items) + BATCH, point
