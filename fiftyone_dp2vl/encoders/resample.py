"""Pillow's antialiased resampling as linear algebra, one axis at a time.

An antialiased resize is a linear map along each axis, so a photo resized is ``V @ photo @ H.T``.
Written that way it is differentiable, deterministic in both directions on every device (the
backward of ``F.interpolate(antialias=True)`` is not, on CUDA), and cropping, padding and looking
at a part of the photo are only other rows and columns of the same two matrices.

The weights are those of Pillow's ``Image.resize``: a filter whose support grows with the shrink
factor, cut off at the photo's edge and normalised. On a CPU the matrices are multiplied block by
block, skipping the zeros: a 12-megapixel photo costs what its pixels cost and not their product
with the output's side. On an accelerator they are multiplied whole, in one launch.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor

__all__ = ["Axis", "Region", "make_axis", "resample"]

BLOCK = 32
"""Outputs of one block of a banded multiplication: wide enough for BLAS, narrow enough to skip."""


class Region(NamedTuple):
    """What one axis of the output shows of one axis of a photo, in the photo's pixels.

    Attributes:
        start: where the region begins; may lie before the photo, where the fill colour is seen
        extent: length of the region
        resized: outputs that the region is resized to
        offset: first of these that is kept (a crop); may be negative (a border)
        low: first coordinate at which real pixels may be seen
        high: last such coordinate
    """

    start: float
    extent: float
    resized: int
    offset: int
    low: float
    high: float


def _bilinear(x: Tensor) -> Tensor:
    return (1 - x.abs()).clamp(min=0)


def _bicubic(x: Tensor) -> Tensor:
    a = -0.5
    x = x.abs()
    near = ((a + 2) * x - (a + 3)) * x * x + 1
    far = (((x - 5) * x + 8) * x - 4) * a
    return torch.where(x < 1, near, torch.where(x < 2, far, torch.zeros_like(x)))


def _lanczos(x: Tensor) -> Tensor:
    return torch.where(x.abs() < 3, torch.sinc(x) * torch.sinc(x / 3), torch.zeros_like(x))


FILTERS: dict[str, tuple[Callable[[Tensor], Tensor], float]] = {
    "bilinear": (_bilinear, 1.0),
    "bicubic": (_bicubic, 2.0),
    "lanczos": (_lanczos, 3.0),
}
"""Name -> (the filter, its support in pixels)."""


@dataclass(frozen=True)
class _Block:
    """A dense part of a banded matrix: ``rows`` of the result from ``columns`` of the input."""

    rows: slice
    columns: slice
    matrix: Tensor


@dataclass(frozen=True)
class Axis:
    """The matrices of one axis.

    Attributes:
        count: length of the output
        length: length of the input
        blocks: parts of the (count, length) matrix, or of a (B, count, length) one
        transposed: parts of its transpose
        deficit: (count,) or (B, count), the share of each output that the fill colour has; None
            where no output sees any
    """

    count: int
    length: int
    blocks: tuple[_Block, ...]
    transposed: tuple[_Block, ...]
    deficit: Tensor | None


def _taps(
    regions: list[Region], length: int, count: int, interpolation: str
) -> tuple[Tensor, Tensor, Tensor]:
    """Returns each output's first pixel (B, count), its weights (B, count, K) and the deficit."""
    kernel, support = FILTERS[interpolation]
    columns = torch.tensor(regions, dtype=torch.float64).T.unsqueeze(-1)  # 6 of (B, 1)
    start, extent, resized, offset, low, high = columns
    scale = extent / resized
    stretch = scale.clamp(min=1)
    reach = support * stretch
    output = offset + torch.arange(count, dtype=torch.float64)
    center = start + (output + 0.5) * scale
    first = torch.floor(center - reach + 0.5)
    taps = 2 * math.ceil(float(reach.max())) + 1
    pixel = first.unsqueeze(-1) + torch.arange(taps, dtype=torch.float64)

    def inside(lower: Tensor, upper: Tensor) -> Tensor:
        """The share of each pixel between two coordinates: windows may be fractional."""
        return torch.minimum(pixel + 1, upper).sub(torch.maximum(pixel, lower)).clamp(0, 1)

    weights = kernel((pixel + 0.5 - center.unsqueeze(-1)) / stretch.unsqueeze(-1))
    weights = weights * inside(start.unsqueeze(-1), (start + extent).unsqueeze(-1))
    total = weights.sum(dim=-1, keepdim=True)
    weights = weights / torch.where(total == 0, 1.0, total)  # a border sees no pixel at all
    weights = weights * inside(low.unsqueeze(-1), high.unsqueeze(-1))
    weights = weights * ((output >= 0) & (output < resized)).unsqueeze(-1)
    return first.long(), weights, 1 - weights.sum(dim=-1)


def _dense(first: Tensor, weights: Tensor, columns: slice) -> Tensor:
    """Returns the float32 matrix of ``columns`` whose rows are given by their taps."""
    index = torch.arange(columns.start, columns.stop, device=first.device) - first.unsqueeze(-1)
    taps = weights.shape[-1]
    values = torch.gather(weights, -1, index.clamp(0, taps - 1))
    return values.masked_fill_((index < 0) | (index >= taps), 0.0).float()


def _banded(first: Tensor, weights: Tensor, length: int) -> Iterator[_Block]:
    starts, taps = first.tolist(), weights.shape[-1]
    for row in range(0, len(starts), BLOCK):
        stop = min(row + BLOCK, len(starts))
        low = min(max(min(starts[row:stop]), 0), length - 1)
        high = min(max(max(starts[row:stop]) + taps, low + 1), length)
        columns = slice(low, high)
        matrix = _dense(first[row:stop], weights[row:stop], columns)
        yield _Block(slice(row, stop), columns, matrix)


def _transpose(blocks: tuple[_Block, ...], count: int, length: int) -> Iterator[_Block]:
    """Cuts the transposed matrix into blocks that share no row, so that nothing is summed twice."""
    step = max(BLOCK, math.ceil(BLOCK * length / max(count, 1)))
    for row in range(0, length, step):
        stop = min(row + step, length)
        near = [b for b in blocks if b.columns.start < stop and b.columns.stop > row]
        if not near:
            yield _Block(slice(row, stop), slice(0, 1), blocks[0].matrix.new_zeros(stop - row, 1))
            continue
        rows = slice(near[0].rows.start, near[-1].rows.stop)
        matrix = near[0].matrix.new_zeros(stop - row, rows.stop - rows.start)
        for block in near:
            low, high = max(row, block.columns.start), min(stop, block.columns.stop)
            matrix[
                low - row : high - row, block.rows.start - rows.start : block.rows.stop - rows.start
            ] = block.matrix[:, low - block.columns.start : high - block.columns.start].T
        yield _Block(slice(row, stop), rows, matrix)


def make_axis(
    regions: list[Region],
    length: int,
    count: int,
    interpolation: str,
    device: torch.device,
) -> Axis:
    """Returns the matrices that show ``regions`` of an axis.

    Args:
        regions: one, shared by the batch, or one for each photo of it
        length: pixels of the photo along the axis
        count: outputs along the axis
        interpolation: a name of :data:`FILTERS`
        device: where the matrices are multiplied
    """
    first, weights, deficit = _taps(regions, length, count, interpolation)
    missing = deficit.float().to(device) if bool((deficit > 1e-9).any()) else None
    whole = slice(0, count), slice(0, length)
    if len(regions) > 1:
        matrix = _dense(first.to(device), weights.float().to(device), whole[1])
        turned = (_Block(whole[1], whole[0], matrix.mT),)
        return Axis(count, length, (_Block(*whole, matrix),), turned, missing)
    if missing is not None:
        missing = missing[0]
    if device.type == "cpu":
        blocks = tuple(_banded(first[0], weights[0], length))
        return Axis(count, length, blocks, tuple(_transpose(blocks, count, length)), missing)
    matrix = _dense(first[0].to(device), weights[0].float().to(device), whole[1])
    turned = (_Block(whole[1], whole[0], matrix.mT),)
    return Axis(count, length, (_Block(*whole, matrix),), turned, missing)


@contextmanager
def _full_precision(device: torch.device) -> Iterator[None]:
    """Keeps autocast and TF32 out: one level of 8 bits is only two steps of bfloat16."""
    before = torch.get_float32_matmul_precision()
    with torch.autocast(device.type, enabled=False):
        if before != "highest":
            torch.set_float32_matmul_precision("highest")
        try:
            yield
        finally:
            if before != "highest":
                torch.set_float32_matmul_precision(before)


def _multiply(x: Tensor, blocks: tuple[_Block, ...], count: int, horizontal: bool) -> Tensor:
    """Returns (B, 3, H, W) multiplied along its last axis, or else along the one before."""
    if blocks[0].matrix.ndim == 3:  # one matrix a photo
        matrix = blocks[0].matrix.unsqueeze(1)
        with _full_precision(x.device):
            return x @ matrix.mT if horizontal else matrix @ x
    # Views of two or three dimensions: BLAS reads a strided matrix in place, but not a strided
    # stack of stacks.
    x = x.contiguous()
    shape = [*x.shape]
    shape[-1 if horizontal else -2] = count
    out = x.new_empty(shape)
    with _full_precision(x.device):
        if horizontal:
            flat, result = x.view(-1, x.shape[-1]), out.view(-1, count)
            for block in blocks:
                result[:, block.rows] = flat[:, block.columns] @ block.matrix.T
        else:
            flat, result = x.flatten(0, 1), out.flatten(0, 1)
            for block in blocks:
                result[:, block.rows] = block.matrix @ flat[:, block.columns]
    return out


class _Pass(torch.autograd.Function):
    """One axis: multiply, add the fill colour, clip; the clip is invisible to the gradient."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, axis: Axis, horizontal: bool, fill: Tensor | None, rounding: bool
    ) -> Tensor:
        ctx.axis, ctx.horizontal = axis, horizontal
        out = _multiply(x, axis.blocks, axis.count, horizontal)
        if axis.deficit is not None and fill is not None:
            share = axis.deficit.unsqueeze(-2 if horizontal else -1)
            share = share.unsqueeze(-3)  # (1 | B, 1, 1 | count, count | 1): over the channels
            out += share * fill.view(-1, 1, 1)
        out.clamp_(0, 1)
        if rounding:
            out.mul_(255).add_(0.5).floor_().div_(255)
        return out

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None, None, None]:
        (grad,) = grads
        axis = ctx.axis
        return (
            _multiply(grad, axis.transposed, axis.length, ctx.horizontal),
            None,
            None,
            None,
            None,
        )


def resample(
    images: Tensor,
    vertical: Axis,
    horizontal: Axis,
    fill: Tensor | None = None,
    rounding: bool = False,
) -> Tensor:
    """Returns photos resampled along both axes, clipped to [0, 1].

    The width goes first, as in Pillow, and both passes clip: a bicubic filter overshoots at
    edges and Pillow's 8-bit intermediate cannot hold that. The gradient passes through the clip
    as if it were not there, so that white and black pixels still learn.

    Args:
        images: float32 (B, 3, H, W) in [0, 1]
        vertical: the matrices of the height
        horizontal: the matrices of the width
        fill: float32 (3,), the colour beyond the photo; None is black
        rounding: whether to round to 8 bits after each pass, as Pillow does

    Returns:
        float32 (B, 3, vertical.count, horizontal.count) in [0, 1]
    """
    out = _Pass.apply(images, horizontal, True, fill, rounding)
    return _Pass.apply(out, vertical, False, fill, rounding)  # type: ignore[no-any-return]
