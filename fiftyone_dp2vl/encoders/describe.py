"""What an encoder is: its size, its cost and its exact weights, measured and not declared."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode
from torch.utils.module_tracker import ModuleTracker

from .base import Encoder, EncoderInfo
from .packed import Packed
from .weights import sha256

__all__ = ["describe"]

NATIVE_SIDE = 448
"""Side of the square photo for which a native-resolution encoder's cost is given."""


def _on_meta(encoder: Encoder) -> Encoder:
    """Returns a copy with its weights on the meta device: shapes are computed, values are not.

    The encoder itself is left alone, since another thread may be using it.
    """
    memo: dict[int, Any] = {
        id(weight): nn.Parameter(weight.detach().to("meta"), requires_grad=False)
        for weight in encoder.parameters()
    }
    memo.update((id(buffer), buffer.to("meta")) for buffer in encoder.buffers())
    return copy.deepcopy(encoder, memo)


class _NoModules(ModuleTracker):
    """Tells no modules apart: the hooks for that would be those of every thread's modules."""

    def __enter__(self) -> _NoModules:
        return self

    def __exit__(self, *error: object) -> None:
        return None


def _counter() -> FlopCounterMode:
    counter = FlopCounterMode(display=False)
    counter.mod_tracker = _NoModules()
    return counter


def describe(encoder: Encoder) -> EncoderInfo:
    """Returns what an encoder is.

    The cost is counted on a pass of one photo that computes shapes only; where a model needs
    values to go on, on a real pass.
    """
    side = encoder.spec.size or (NATIVE_SIDE, NATIVE_SIDE)
    photo = torch.zeros(1, 3, *side)
    inputs = encoder.preprocess(photo.to(encoder.device))
    with torch.no_grad():
        try:
            shapes = _on_meta(encoder)
            with _counter() as counter:
                features = shapes.encode(_to_meta(inputs))
        except Exception:  # any reason not to run without values
            with _counter() as counter:
                features = encoder.encode(inputs)
    return EncoderInfo(
        name=encoder.name,
        family=encoder.family,
        parameters=sum(weight.numel() for weight in encoder.parameters()),
        flops=float(counter.get_total_flops()),
        license=encoder.license,
        weights_sha256=sha256(encoder),
        dim=features.tokens.shape[-1],
        pooled_dim=features.pooled.shape[-1],
    )


def _to_meta(inputs: Any) -> Any:
    if isinstance(inputs, Tensor):
        return inputs.to("meta")
    if isinstance(inputs, Packed):
        # The patches' values are not needed, the few integers beside them are.
        return inputs._replace(patches=inputs.patches.to("meta"))
    return inputs
