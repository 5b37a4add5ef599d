from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from fiftyone_dp2vl.encoders import Encoder, PreprocessSpec, wrap_module

SPEC = PreprocessSpec(size=(32, 32), mode="squash", mean=(0.5,) * 3, std=(0.5,) * 3)
MOBILENET = Path(__file__).resolve().parents[3] / "shared/data/mobilenetv3_small"


class Returns(nn.Module):
    def __init__(self, shape: str) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 8, stride=8)
        self.shape = shape

    def forward(self, x: torch.Tensor) -> Any:
        features = self.conv(x)
        tokens = features.flatten(2).mT
        return {
            "map": features,
            "tokens": tokens,
            "vector": tokens.amax(dim=1),
            "pair": (tokens, tokens.amax(dim=1)),
            "dictionary": {"x": tokens},
        }[self.shape]


@pytest.mark.parametrize(
    ("shape", "tokens"), [("map", 16), ("tokens", 16), ("vector", 1), ("pair", 16)]
)
def test_any_module(shape: str, tokens: int, check: Callable[[Encoder], None]) -> None:
    encoder = wrap_module(Returns(shape), SPEC, name="mine")
    check(encoder)
    features = encoder([torch.rand(3, 40, 50)])
    assert features.tokens.shape == (1, tokens, 8)
    assert features.pooled.shape == (1, 8)


def test_another_output_needs_a_function() -> None:
    module = Returns("dictionary")
    with pytest.raises(ValueError, match="else pass tokens="):
        wrap_module(module, SPEC, name="mine")([torch.rand(3, 40, 50)])
    encoder = wrap_module(module, SPEC, name="mine", tokens=lambda m, x: m(x)["x"])
    assert encoder([torch.rand(3, 40, 50)]).tokens.shape == (1, 16, 8)


@pytest.mark.skipif(not MOBILENET.is_dir(), reason="the MobileNet weights are not here")
def test_a_real_convolutional_network(check: Callable[[Encoder], None]) -> None:
    from safetensors.torch import load_file
    from torchvision.models import mobilenet_v3_small

    model = mobilenet_v3_small()
    model.load_state_dict(load_file(MOBILENET / "features.safetensors"), strict=False)
    spec = PreprocessSpec(
        size=(224, 224),
        mode="crop",
        shortest=256,
        mean=(0.485, 0.456, 0.406),
        std=(0.229, 0.224, 0.225),
    )
    encoder = wrap_module(model.features, spec, name="mobilenet", license="BSD-3-Clause")
    check(encoder)
    assert encoder.info.pooled_dim == 576
    assert encoder.info.flops == pytest.approx(112e6, rel=0.1)
