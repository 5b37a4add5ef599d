"""In which numbers a model computes, and that chance is seeded."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

import torch

__all__ = ["autocast", "reproducible"]


def autocast(device: torch.device, precision: str, half: bool) -> AbstractContextManager[object]:
    """Returns the context of a forward pass.

    Args:
        device: where the model is
        precision: see :class:`.config.FineTuneConfig`
        half: whether the model's own weights are in bfloat16, which ``"fp32"`` does not change
    """
    if half or precision == "bf16" or (precision == "auto" and _multiplies_bfloat16(device)):
        return torch.autocast(device.type, dtype=torch.bfloat16)
    return nullcontext()


def _multiplies_bfloat16(device: torch.device) -> bool:
    """Whether a device has units for it; elsewhere bfloat16 is emulated and slower."""
    if device.type == "cpu":
        supported = getattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)
        return bool(supported())
    return device.type == "cuda" and torch.cuda.is_bf16_supported()


@contextmanager
def reproducible(device: torch.device, seed: int) -> Iterator[None]:
    """Seeds torch's generators inside, and leaves them as they were outside."""
    devices = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(seed)
        yield
