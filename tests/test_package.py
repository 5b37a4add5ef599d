"""The package's front door: complete, lazy, and without FiftyOne where it is not needed."""

from __future__ import annotations

import subprocess
import sys

import pytest

import fiftyone_dp2vl


@pytest.mark.parametrize("name", fiftyone_dp2vl.__all__)
def test_every_public_name_is_there(name):
    assert getattr(fiftyone_dp2vl, name) is not None


def test_unknown_names_are_missing():
    with pytest.raises(AttributeError, match="no attribute 'anonymize'"):
        _ = fiftyone_dp2vl.anonymize


def run(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)


def test_importing_the_package_imports_nothing_heavy():
    heavy = ("torch", "fiftyone", "transformers", "PIL", "numpy")
    found = run(f"import fiftyone_dp2vl, sys; print([m for m in {heavy} if m in sys.modules])")
    assert found.stdout.strip() == "[]", found.stderr


def test_the_core_works_without_fiftyone_and_open_clip():
    found = run(
        "import sys\n"
        "for name in ('fiftyone', 'open_clip', 'torchvision', 'sklearn', 'scipy'):\n"
        "    sys.modules[name] = None\n"
        "import torch\n"
        "from fiftyone_dp2vl import ProtectionConfig, protect, protect_photos\n"
        "images = [torch.rand(3, 64, 80) for _ in range(4)]\n"
        "found = protect(images, ProtectionConfig(steps=2), groups=['a', 'a', 'b', 'b'])\n"
        "print(all((r.delta.abs() * 255).round().max() <= 8 for r in found), len(found))\n"
    )
    assert found.stdout.strip() == "True 4", found.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="limits the size of files")
def test_a_full_disk_ends_the_command_in_one_sentence(tmp_path):
    import resource

    def limited():
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))

    command = [sys.executable, "-m", "fiftyone_dp2vl", "benchmark", tmp_path / "b", "--people", "2"]
    done = subprocess.run(command, preexec_fn=limited, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    (line,) = done.stderr.strip().splitlines()
    assert "cannot be written" in line
    assert "give the same command again" in line
