"""Patch embedding as one matrix multiplication.

A vision transformer reads patches with a convolution whose stride is its kernel. Written as a
matrix multiplication the same sums cost a tenth of the time where only the photo's gradient is
wanted: convolution kernels are not made for it.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

__all__ = ["read_patches_by_matmul"]


class _PatchConv2d(nn.Conv2d):
    def forward(self, input: Tensor) -> Tensor:
        batch, channels, height, width = input.shape
        down, across = self.kernel_size
        rows, columns = height // down, width // across
        patches = input[:, :, : rows * down, : columns * across]
        patches = patches.reshape(batch, channels, rows, down, columns, across)
        patches = patches.permute(0, 2, 4, 1, 3, 5).reshape(batch, rows * columns, -1)
        embedded = F.linear(patches, self.weight.flatten(1), self.bias)
        return embedded.mT.reshape(batch, -1, rows, columns)


def read_patches_by_matmul(module: nn.Module) -> None:
    """Makes the patch convolutions within a module multiply matrices.

    Only the class of such a convolution is replaced: its weights, their names and its other
    attributes stay. Convolutions that overlap, pad, dilate or group are left alone.
    """
    for part in module.modules():
        if (
            type(part) is nn.Conv2d
            and part.kernel_size == part.stride
            and part.padding in ((0, 0), "valid", 0)
            and part.dilation == (1, 1)
            and part.groups == 1
        ):
            part.__class__ = _PatchConv2d
