"""Randomness that belongs to a photo: it depends on the seed, the photo's key and the step only."""

from __future__ import annotations

import hashlib

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

__all__ = ["photo_seed", "photo_normals", "photo_uniforms"]


def photo_seed(seed: int, key: str, purpose: str) -> int:
    """Returns a 63-bit seed for one photo and one purpose."""
    # a key that is a file's name holds surrogates where the name is not UTF-8
    text = f"{seed}\x00{purpose}\x00{key}".encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.sha256(text).digest()[:8], "big") >> 1


def photo_uniforms(
    seed: int, key: str, purpose: str, shape: tuple[int, ...]
) -> npt.NDArray[np.float64]:
    """Returns numbers uniform in [0, 1) of ``shape`` that belong to one photo and purpose."""
    return np.random.Generator(np.random.Philox(photo_seed(seed, key, purpose))).random(shape)


def photo_normals(seed: int, key: str, purpose: str, shape: tuple[int, ...]) -> Tensor:
    """Returns float32 standard normal numbers of ``shape`` that belong to one photo and purpose.

    Drawn on the CPU, so that every device sees the same ones.
    """
    generator = torch.Generator().manual_seed(photo_seed(seed, key, purpose))
    return torch.randn(shape, generator=generator)
