"""The grid on which a perturbation lives, and how it returns to a photo's full resolution.

The perturbation never needs more detail than the surrogates can see, so it is optimised on a grid
of bounded size; the photo itself is never cropped, squashed or shrunk.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

from ..config import MAX_GRID_PIXELS, ProtectionConfig
from ..encoders.base import Encoder

__all__ = [
    "apply_perturbation",
    "grid_pixels_for",
    "grid_size",
    "levels",
    "mask_to_grid",
    "to_grid",
]

_ROWS = 64
"""Rows of a band: what is worked on stays in the cache."""


def levels(epsilon: float) -> int:
    """Returns the whole 8-bit levels within a budget: files hold no fractions of a level."""
    return math.floor(epsilon + 1e-6)


def grid_pixels_for(config: ProtectionConfig, encoders: Sequence[Encoder]) -> int:
    """Returns the most pixels of a photo's grid in a run.

    Twice the side of the largest input is the finest structure that survives its antialiased
    resize; more pixels would cost time and move nothing.

    Args:
        config: the run's; its ``grid_pixels`` is taken unless it is 0
        encoders: the surrogates
    """
    if config.grid_pixels:
        return config.grid_pixels
    sizes = [encoder.spec.size for encoder in encoders]
    needed = [4 * size[0] * size[1] if size is not None else MAX_GRID_PIXELS for size in sizes]
    return min(MAX_GRID_PIXELS, max(needed))


def grid_size(height: int, width: int, grid_pixels: int) -> tuple[int, int]:
    """Returns the (height, width) of a photo's grid: its own size, or fewer pixels.

    Args:
        height: of the photo, in pixels
        width: of the photo, in pixels
        grid_pixels: most pixels of a grid
    """
    scale = math.sqrt(grid_pixels / (height * width))
    if scale >= 1:
        return height, width
    return max(1, math.floor(height * scale)), max(1, math.floor(width * scale))


def to_grid(pixels: npt.NDArray[np.uint8], grid_pixels: int) -> Tensor:
    """Returns a photo on its grid.

    Args:
        pixels: uint8 (H, W, 3) or, for grayscale, (H, W)
        grid_pixels: most pixels of a grid

    Returns:
        float32 (3, h, w) or (1, h, w) in [0, 1]
    """
    height, width = pixels.shape[:2]
    size = grid_size(height, width, grid_pixels)
    planes = pixels.reshape(height, width, -1).transpose(2, 0, 1)
    image = torch.from_numpy(planes.astype(np.float32)).div_(255)
    if size == (height, width):
        return image
    resized = F.interpolate(
        image.unsqueeze(0), size=size, mode="bilinear", antialias=True, align_corners=False
    )
    return resized[0].clamp_(0, 1)


def mask_to_grid(mask: Tensor, size: tuple[int, int]) -> Tensor:
    """Returns a mask on a photo's grid: True only where every pixel under a cell may change.

    Args:
        mask: bool (H, W), True where pixels may change
        size: (h, w) of the grid, no larger than the mask

    Returns:
        bool (h, w)
    """
    if mask.shape == size:
        return mask.bool()
    return F.adaptive_max_pool2d((~mask.bool())[None].float(), size)[0] == 0


def apply_perturbation(
    pixels: npt.NDArray[np.uint8],
    delta: Tensor,
    epsilon: float,
    mask: npt.NDArray[np.bool_] | None = None,
) -> npt.NDArray[np.uint8]:
    """Returns a photo with a perturbation, at the photo's full resolution.

    Works in bands of rows, so that memory beyond the result stays small at any size; how tall they
    are changes no byte.

    Args:
        pixels: uint8 (H, W, 3) or, for grayscale, (H, W)
        delta: float32 (C, h, w) in units of the [0, 1] range, C = 3, or 1 for grayscale
        epsilon: L-infinity budget in 1/255; no pixel moves further
        mask: bool (H, W), True where pixels may change; None for everywhere

    Returns:
        uint8 of the photo's shape
    """
    height, width = pixels.shape[:2]
    bound = levels(epsilon)
    out = pixels.copy()
    if bound == 0:
        return out
    image = out.reshape(height, width, -1)
    grid = (delta.detach().float().cpu() * 255).unsqueeze(0)
    wide = grid
    if grid.shape[-1] != width:
        wide = F.interpolate(
            grid, size=(grid.shape[-2], width), mode="bilinear", align_corners=False
        )
    for top in range(0, height, _ROWS):
        bottom = min(height, top + _ROWS)
        shift = _rows(wide, top, bottom, height).round_().clamp_(-bound, bound)
        levels_moved = shift[0].permute(1, 2, 0).to(torch.int16).numpy()
        if mask is not None:
            levels_moved = levels_moved * mask[top:bottom, :, None]
        band = image[top:bottom].astype(np.int16) + levels_moved
        image[top:bottom] = np.clip(band, 0, 255).astype(np.uint8)
    return out


def _rows(grid: Tensor, top: int, bottom: int, height: int) -> Tensor:
    """Rows ``top`` to ``bottom`` of ``grid`` (1, C, h, W) resized linearly to ``height`` rows."""
    rows = grid.shape[-2]
    if rows == height:
        return grid[:, :, top:bottom].clone()
    position = (torch.arange(top, bottom, dtype=torch.float64) + 0.5) * rows / height - 0.5
    position = position.clamp(0, rows - 1)
    low = position.floor().long()
    high = (low + 1).clamp(max=rows - 1)
    weight = (position - low).float()[:, None]
    return grid[:, :, low] * (1 - weight) + grid[:, :, high] * weight
