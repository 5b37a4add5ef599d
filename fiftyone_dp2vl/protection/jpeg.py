"""JPEG as a differentiable function, for expectation over transformations.

The baseline encoder's steps (ITU-T T.81: colour transform, chroma subsampling, 8 x 8 DCT,
quantisation with the tables of its Annex K scaled as the Independent JPEG Group does) with the
rounding of coefficients replaced by ``round(x) + (x - round(x))**3``, which has a useful gradient
(Shin and Song, "JPEG-resistant adversarial images", 2017).
"""

from __future__ import annotations

import functools
import math

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = ["differentiable_jpeg"]

_LUMA = (
    (16, 11, 10, 16, 24, 40, 51, 61),
    (12, 12, 14, 19, 26, 58, 60, 55),
    (14, 13, 16, 24, 40, 57, 69, 56),
    (14, 17, 22, 29, 51, 87, 80, 62),
    (18, 22, 37, 56, 68, 109, 103, 77),
    (24, 35, 55, 64, 81, 104, 113, 92),
    (49, 64, 78, 87, 103, 121, 120, 101),
    (72, 92, 95, 98, 112, 100, 103, 99),
)
_CHROMA = (
    (17, 18, 24, 47, 99, 99, 99, 99),
    (18, 21, 26, 66, 99, 99, 99, 99),
    (24, 26, 56, 99, 99, 99, 99, 99),
    (47, 66, 99, 99, 99, 99, 99, 99),
) + ((99,) * 8,) * 4


@functools.cache
def _dct() -> Tensor:
    """The orthonormal 8-point DCT-II as a float32 (8, 8) matrix."""
    rows = []
    for frequency in range(8):
        scale = math.sqrt((1 if frequency == 0 else 2) / 8)
        rows.append([scale * math.cos((2 * x + 1) * frequency * math.pi / 16) for x in range(8)])
    return torch.tensor(rows)


def _tables(quality: Tensor, base: tuple[tuple[int, ...], ...]) -> Tensor:
    """Quantisation tables (B, 1, 1, 1, 8, 8) for qualities (B,)."""
    quality = quality.clamp(1, 100)
    scale = torch.where(quality < 50, 5000 / quality, 200 - 2 * quality)
    table = torch.tensor(base, dtype=torch.float32, device=quality.device)
    scaled = ((table * scale[:, None, None] + 50) / 100).floor().clamp(1, 255)
    return scaled[:, None, None, None]


def _round(x: Tensor) -> Tensor:
    nearest = x.round().detach()
    return nearest + (x - nearest) ** 3


def _code(plane: Tensor, table: Tensor) -> Tensor:
    """Codes and decodes planes (B, C, h, w) in [0, 255]; sides are multiples of 8."""
    batch, channels, height, width = plane.shape
    dct = _dct().to(plane.device)
    blocks = plane.reshape(batch, channels, height // 8, 8, width // 8, 8).permute(0, 1, 2, 4, 3, 5)
    coefficients = dct @ (blocks - 128) @ dct.T
    coefficients = _round(coefficients / table) * table
    blocks = dct.T @ coefficients @ dct + 128
    return blocks.permute(0, 1, 2, 4, 3, 5).reshape(batch, channels, height, width)


def _double(plane: Tensor, dim: int) -> Tensor:
    """Doubles (B, C, h, w) along ``dim`` by the triangle filter that decoders use for chroma.

    Written out because the framework's own linear resize has no deterministic gradient on CUDA.
    """
    count = plane.shape[dim]
    before = torch.cat((plane.narrow(dim, 0, 1), plane.narrow(dim, 0, count - 1)), dim)
    after = torch.cat((plane.narrow(dim, 1, count - 1), plane.narrow(dim, count - 1, 1)), dim)
    pairs = torch.stack((0.75 * plane + 0.25 * before, 0.75 * plane + 0.25 * after), dim)
    return pairs.flatten(dim - 1, dim)


def differentiable_jpeg(images: Tensor, quality: Tensor) -> Tensor:
    """Returns images as JPEG at a quality would leave them.

    Args:
        images: float32 RGB (B, 3, H, W) in [0, 1]
        quality: float32 (B,) in [1, 100]

    Returns:
        float32 (B, 3, H, W) in [0, 1]
    """
    height, width = images.shape[-2:]
    padding = (0, -width % 16, 0, -height % 16)
    # replicate padding wants the border to be smaller than nothing it copies, so any size works
    rgb = F.pad(images, padding, mode="replicate") * 255
    red, green, blue = rgb[:, 0], rgb[:, 1], rgb[:, 2]
    luma = 0.299 * red + 0.587 * green + 0.114 * blue
    chroma = torch.stack(
        (128 + (blue - luma) * (0.5 / 0.886), 128 + (red - luma) * (0.5 / 0.701)), dim=1
    )
    luma = _code(luma.unsqueeze(1), _tables(quality, _LUMA))[:, 0]
    chroma = _code(F.avg_pool2d(chroma, 2), _tables(quality, _CHROMA))
    chroma = _double(_double(chroma, -1), -2) - 128
    blue_difference, red_difference = chroma[:, 0], chroma[:, 1]
    rgb = torch.stack(
        (
            luma + 1.402 * red_difference,
            luma - 0.344136 * blue_difference - 0.714136 * red_difference,
            luma + 1.772 * blue_difference,
        ),
        dim=1,
    )
    return (rgb[:, :, :height, :width] / 255).clamp(0, 1)
