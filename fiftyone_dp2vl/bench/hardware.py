"""What a device could do at most, and what a protection step needs at least."""

from __future__ import annotations

import torch

from ..encoders import Encoder

__all__ = ["PEAKS", "peak_flops", "step_flops"]

PEAKS: tuple[tuple[str, float], ...] = (
    ("H100 PCIe", 756e12),
    ("H100 NVL", 835e12),
    ("H100", 989e12),
    ("H200", 989e12),
    ("GH200", 989e12),
    ("A100", 312e12),
    ("A10G", 70e12),
    ("L40S", 362e12),
    ("L40", 181e12),
    ("L4", 121e12),
    ("RTX 4090", 165e12),
    ("RTX 3090", 71e12),
)
"""Part of a device's name -> dense bf16 FLOP/s by the vendor's data sheet; first match wins."""


def peak_flops(device_name: str) -> float | None:
    """Returns dense bf16 FLOP/s of a device by its name, or None where it is not known."""
    for part, peak in PEAKS:
        if part in device_name:
            return peak
    return None


def step_flops(encoder: Encoder) -> float:
    """Returns the FLOPs of one protection step on one photo, 2 for each multiply-add.

    A step is a forward pass and the gradient with respect to the photo; weights are frozen, so
    a linear layer costs twice its forward pass and attention, both of whose operands move,
    three times. Counted on a forward pass, so that recomputation in a kernel's backward pass is
    not taken for useful work.

    Args:
        encoder: of a fixed input size
    """
    from torch.utils.flop_counter import FlopCounterMode

    height, width = encoder.spec.size or (448, 448)
    photo = torch.zeros(1, 3, height, width, device=encoder.device)
    inputs = encoder.preprocess(photo)  # the photo's own resize is not the tower's work
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        encoder.encode(inputs)
    counts = counter.get_flop_counts()["Global"]
    total = float(sum(counts.values()))
    attention = float(
        sum(n for op, n in counts.items() if "attention" in str(op) or "bmm" in str(op))
    )
    return 2 * (total - attention) + 3 * attention
