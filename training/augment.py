"""Random crops, flips and colours, with boxes that follow."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

Norm = tuple[tuple[float, ...], tuple[float, ...]]


def augment(pixels: Tensor, side: int, strength: float, norm: Norm) -> tuple[Tensor, Tensor]:
    """Crops, flips and recolours photos.

    Args:
        pixels: (B, S, S, 3) uint8.
        side: side of the result.
        strength: 1 for the usual amount, 0 for none.
        norm: mean and standard deviation to normalise with.

    Returns:
        (B, 3, side, side) normalised float32, and the windows (B, 5): left, top, width,
        height of what was cut out, as shares, and -1 where it was mirrored, else 1.
    """
    count = len(pixels)
    device = pixels.device
    scale = 1 - 0.22 * strength * torch.rand(count, 1, device=device)
    size = (scale * (1 + 0.08 * strength * (torch.rand(count, 2, device=device) - 0.5) * 2)).clamp(
        max=1.0
    )
    origin = (1 - size) * torch.rand(count, 2, device=device)
    mirror = torch.where(torch.rand(count, 1, device=device) < 0.5 * min(1.0, strength), -1.0, 1.0)
    theta = torch.zeros(count, 2, 3, device=device)
    theta[:, 0, 0] = size[:, 0] * mirror[:, 0]
    theta[:, 1, 1] = size[:, 1]
    theta[:, :, 2] = 2 * origin + size - 1
    photos = pixels.permute(0, 3, 1, 2).float() / 255
    grid = functional.affine_grid(theta, [count, 3, side, side], align_corners=False)
    photos = functional.grid_sample(photos, grid, padding_mode="border", align_corners=False)
    gain = 1 + 0.12 * strength * torch.randn(count, 1, 1, 1, device=device)
    tint = 1 + 0.04 * strength * torch.randn(count, 3, 1, 1, device=device)
    grain = torch.randn_like(photos) * (0.02 * strength * torch.rand(count, 1, 1, 1, device=device))
    photos = (photos * gain * tint + grain).clamp(0, 1)
    return normalise(photos, norm), torch.cat([origin, size, mirror], dim=1)


def normalise(photos: Tensor, norm: Norm) -> Tensor:
    """Normalises (B, 3, H, W) in [0, 1] by mean and standard deviation."""
    mean, std = (torch.tensor(v, device=photos.device).view(1, 3, 1, 1) for v in norm)
    return (photos - mean) / std


def carry_boxes(boxes: Tensor, windows: Tensor) -> Tensor:
    """Carries boxes (B, 4) of the whole photo into the windows that were cut out."""
    origin, size, mirror = windows[:, :2], windows[:, 2:4], windows[:, 4:]
    low = (boxes[:, :2] - origin) / size
    high = (boxes[:, 2:] - origin) / size
    left = torch.where(mirror[:, 0] < 0, 1 - high[:, 0], low[:, 0])
    right = torch.where(mirror[:, 0] < 0, 1 - low[:, 0], high[:, 0])
    return torch.stack([left, low[:, 1], right, high[:, 1]], dim=1)


def inside(boxes: Tensor, side: int) -> Tensor:
    """Says which patch centres lie in the boxes (B, 4): (B, side * side) bool, row by row."""
    centre = (torch.arange(side, device=boxes.device) + 0.5) / side
    across = (centre > boxes[:, :1]) & (centre < boxes[:, 2:3])
    down = (centre > boxes[:, 1:2]) & (centre < boxes[:, 3:])
    return (down[:, :, None] & across[:, None, :]).flatten(1)
