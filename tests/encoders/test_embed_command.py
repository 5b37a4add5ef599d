from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from fiftyone_dp2vl.cli import main
from fiftyone_dp2vl.encoders import PreprocessSpec, register_encoder, wrap_module

SPEC = PreprocessSpec(size=(16, 16), mode="pad", mean=(0.5,) * 3, std=(0.5,) * 3)
pytestmark = pytest.mark.usefixtures("own_registry")


def register() -> None:
    register_encoder(
        "mine", lambda request: wrap_module(nn.Conv2d(3, 4, 8, stride=8), SPEC, name="mine")
    )


def test_encoders_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["embed"]) == 0
    assert "llava:" in capsys.readouterr().out


def test_an_encoder_is_described(capsys: pytest.CaptureFixture[str]) -> None:
    register()
    assert main(["embed", "mine"]) == 0
    facts: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert (facts["dim"], facts["preprocessing"]["mode"]) == (4, "pad")


def test_a_folder_is_embedded(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    register()
    rng = np.random.default_rng(0)
    for name, shape in (("a.png", (20, 30, 3)), ("b.png", (20, 30))):
        Image.fromarray(rng.integers(0, 255, shape, dtype=np.uint8)).save(tmp_path / name)
    (tmp_path / "c.jpg").write_bytes(b"no photo")
    (tmp_path / "d\udce9.jpg").write_bytes(b"no photo, and a name that is not UTF-8")
    output = tmp_path / "out.npz"
    assert main(["embed", "mine", str(tmp_path), "--output", str(output), "--device", "cpu"]) == 1
    with np.load(output) as written:
        assert written["names"].tolist() == ["a.png", "b.png"]
        assert written["embeddings"].shape == (2, 4)
        assert np.isfinite(written["embeddings"]).all()
    told = capsys.readouterr().out
    assert "c.jpg" in told
    assert "d\\udce9.jpg" in told
    assert torch.is_grad_enabled()
