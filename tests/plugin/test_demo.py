"""``dp2vl demo`` from nothing, and once more."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("dicebear")
pytest.importorskip("resvg_py")


def demo(tmp_path: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "FIFTYONE_DATABASE_NAME": f"dp2vl_demo_{os.getpid()}"}
    del env["FIFTYONE_PLUGINS_DIR"]
    return subprocess.run(
        [sys.executable, "-m", "fiftyone_dp2vl", "demo", "--directory", ".demo", *arguments],
        cwd=tmp_path,
        env=env,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=900,
    )


def test_demo_ends_with_figures_and_the_command_that_opens_the_app(tmp_path):
    first = demo(tmp_path, "--people", "2", "--steps", "2", "--epochs", "1")
    assert first.returncode == 0, first.stdout + first.stderr
    for text in ("random noise, 8/255", "protected, 8/255", "L-inf", "names the person", "a guess"):
        assert text in first.stdout
    last = first.stdout.strip().splitlines()[-1]
    assert last.endswith(f"demo --directory {tmp_path / '.demo'} --open")
    assert len(list((tmp_path / ".demo" / "protected" / "photos").iterdir())) == 14
    assert (tmp_path / ".demo" / "plugins" / "@dp2vl" / "fiftyone_dp2vl").is_symlink()

    assert (tmp_path / ".demo" / "attack" / "report" / "report.html").is_file()

    again = demo(tmp_path, "--people", "2", "--steps", "2", "--epochs", "1")
    assert "is complete already" in again.stdout
    figures = [line for line in first.stdout.splitlines() if "%" in line]
    assert figures == [line for line in again.stdout.splitlines() if "%" in line]
