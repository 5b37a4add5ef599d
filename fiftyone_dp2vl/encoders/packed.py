"""Patches of photos of different sizes, side by side, as native-resolution towers take them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

__all__ = ["Packed", "pad_tokens", "patchify"]


class Packed(NamedTuple):
    """What a native-resolution encoder takes in place of (B, 3, h, w).

    Attributes:
        patches: float32 (N, P), all photos' patches in a row; or (B, T, P), filled with zeros
        grid: int64, each photo's patches: (B, 3) of time, height, width, or (B, 2)
        mask: bool (B, T), True where a patch is real; None where ``patches`` is (N, P)
    """

    patches: Tensor
    grid: Tensor
    mask: Tensor | None = None


def patchify(image: Tensor, patch: int, merge: int, frames: int) -> Tensor:
    """Returns one photo's patches in the order in which Qwen2-VL's processor writes them.

    Patches that a merger joins lie next to each other; a photo is a film of ``frames`` equal
    pictures.

    Args:
        image: (3, h, w), h and w multiples of ``patch * merge``
        patch: side of a patch in pixels
        merge: side of a merged patch in patches
        frames: pictures in a patch

    Returns:
        (h / patch * w / patch, 3 * frames * patch * patch)
    """
    height, width = image.shape[-2:]
    step = patch * merge
    parts = image.reshape(3, height // step, merge, patch, width // step, merge, patch)
    parts = parts.permute(1, 4, 2, 5, 0, 3, 6)  # block row, column, row and column in it, RGB, y, x
    parts = parts.unsqueeze(5).expand(-1, -1, -1, -1, -1, frames, -1, -1)
    return parts.reshape(height // patch * (width // patch), -1)


def pad_tokens(tokens: Sequence[Tensor]) -> tuple[Tensor, Tensor | None]:
    """Returns (B, T, D) and its mask (B, T) from tokens (T_i, D); no mask if all lengths agree."""
    lengths = [len(photo) for photo in tokens]
    padded = pad_sequence(list(tokens), batch_first=True)
    if len(set(lengths)) == 1:
        return padded, None
    position = torch.arange(max(lengths), device=padded.device)
    return padded, position < torch.tensor(lengths, device=padded.device).unsqueeze(1)
