"""What an encoder is: its size, its cost and its exact weights, measured and not declared."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from .base import Encoder, EncoderInfo
from .packed import Packed
from .weights import sha256

__all__ = ["describe"]

NATIVE_SIDE = 448
"""Side of the square photo for which a native-resolution encoder's cost is given."""


@contextmanager
def _on_meta(module: nn.Module) -> Iterator[None]:
    """Puts a module's weights on the meta device, where shapes are computed and values are not."""
    kept: list[tuple[Any, str, Tensor]] = []
    try:
        for part in module.modules():
            held: Any
            for held in (part._parameters, part._buffers):
                for name, value in held.items():
                    if value is None:
                        continue
                    kept.append((held, name, value))
                    shape = value.detach().to("meta")
                    held[name] = (
                        nn.Parameter(shape, requires_grad=False)
                        if isinstance(value, nn.Parameter)
                        else shape
                    )
        yield
    finally:
        for held, name, value in kept:
            held[name] = value


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
            with _on_meta(encoder), FlopCounterMode(display=False) as counter:
                features = encoder.encode(_to_meta(inputs))
        except Exception:  # any reason not to run without values
            with FlopCounterMode(display=False) as counter:
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
