"""What an encoder is can be asked while other threads use it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import torch
from torch import nn

from fiftyone_dp2vl.encoders import Encoder, PreprocessSpec, wrap_module

SPEC = PreprocessSpec(size=(32, 32), mode="squash", mean=(0.5,) * 3, std=(0.5,) * 3)


class Layers(nn.Module):
    """Calls back on every pass, the one without values included."""

    def __init__(self, during: list) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(3, 3) for _ in range(4))
        self.register_buffer("shift", torch.ones(3))
        self.during = during

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for callback in self.during:
            callback(x)
        x = x.mean(dim=(2, 3))
        for layer in self.layers:
            x = layer(x)
        return x + self.shift


def test_an_encoder_can_be_used_while_it_is_described() -> None:
    photo, found, hooks = torch.rand(3, 40, 40), [], []

    def elsewhere(x: torch.Tensor) -> None:
        if not x.is_meta:
            return
        hooks.append(len(nn.modules.module._global_forward_pre_hooks))
        with ThreadPoolExecutor(1) as pool:
            found.append(pool.submit(lambda: encoder([photo]).pooled).result())

    encoder = wrap_module(Layers([elsewhere]), SPEC, name="mine")
    before = encoder([photo]).pooled
    assert encoder.info.flops == 4 * 2 * 3 * 3
    torch.testing.assert_close(found, [before])
    assert hooks == [0]


def test_two_threads_may_ask_at_once() -> None:
    def info(encoder: Encoder) -> float:
        return encoder.info.flops

    for _ in range(5):
        encoder = wrap_module(Layers([]), SPEC, name="mine")
        with ThreadPoolExecutor(4) as pool:
            assert set(pool.map(info, [encoder] * 8)) == {4 * 2 * 3 * 3}
        assert not any(weight.is_meta for weight in (*encoder.parameters(), *encoder.buffers()))


def test_a_module_that_needs_values_is_described() -> None:
    def needs_values(x: torch.Tensor) -> None:
        assert not x.is_meta

    assert wrap_module(Layers([needs_values]), SPEC, name="mine").info.flops == 4 * 2 * 3 * 3
