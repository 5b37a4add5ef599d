"""Keeps the first layer of an encoder in float32 under autocast."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

__all__ = ["keep_float32"]


def _in_float32(kind: type[nn.Module]) -> type[nn.Module]:
    def forward(self: Any, x: Tensor, *args: Any, **kwargs: Any) -> Any:
        with torch.autocast(x.device.type, enabled=False):
            return kind.forward(self, x.float(), *args, **kwargs)

    return type(kind.__name__, (kind,), {"forward": forward})


def keep_float32(module: nn.Module) -> None:
    """Makes a module ignore autocast.

    In bfloat16 one level of 8 bits is only two steps, so a perturbation would be lost where the
    photo is read. The module's class is replaced by a subclass: names of weights, attributes and
    ``isinstance`` stay as they are.
    """
    module.__class__ = _in_float32(type(module))
