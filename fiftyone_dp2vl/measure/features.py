"""Encoder features of photos as they lie on disk."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from .arrays import Matrix
from .shift import token_cosine

if TYPE_CHECKING:
    from torch import Tensor

    from ..encoders import Encoder

__all__ = ["PhotoFeatures", "embed_files", "paired_token_cosines", "read_rgb"]

Pixels = NDArray[np.uint8]
Change = Callable[[Pixels, str], Pixels]
"""(pixels uint8 (H, W, 3), the photo's key) -> pixels uint8 of the same shape."""


@dataclass(frozen=True)
class PhotoFeatures:
    """Features of N photos in one encoder.

    Attributes:
        pooled: float64 (N, P), the pooled embedding
        mean_token: float64 (N, D), the mean patch token
    """

    pooled: Matrix
    mean_token: Matrix

    def space(self, name: str) -> Matrix:
        """Returns ``"pooled"`` or ``"mean token"`` features."""
        return {"pooled": self.pooled, "mean token": self.mean_token}[name]


def read_rgb(path: Path) -> Pixels:
    """Returns a photo as a model's data loader sees it: uint8 (H, W, 3), upright, in sRGB."""
    from ..media import read_photo

    pixels = read_photo(path).pixels
    return np.repeat(pixels[..., None], 3, axis=2) if pixels.ndim == 2 else pixels


def _batches(
    paths: Sequence[Path], encoder: Encoder, change: Change | None, size: int
) -> Iterator[list[Tensor]]:
    import torch

    for start in range(0, len(paths), size):
        batch = []
        for path in paths[start : start + size]:
            pixels = read_rgb(path)
            if change is not None:
                pixels = change(pixels, path.name)
            image = torch.from_numpy(np.ascontiguousarray(pixels)).to(encoder.device)
            batch.append(image.permute(2, 0, 1).float() / 255)
        yield batch


def embed_files(
    paths: Sequence[Path],
    encoder: Encoder,
    *,
    change: Change | None = None,
    batch_size: int = 16,
) -> PhotoFeatures:
    """Returns the features of photo files.

    Args:
        paths: N photos of any sizes
        encoder: the encoder
        change: what an attacker does to each photo's pixels first, or None
        batch_size: photos in memory at a time
    """
    import torch

    pooled, tokens = [], []
    with torch.no_grad():
        for batch in _batches(paths, encoder, change, batch_size):
            features = encoder(batch)
            pooled.append(features.pooled.double().cpu().numpy())
            tokens.append(features.mean_token().double().cpu().numpy())
    return PhotoFeatures(np.concatenate(pooled), np.concatenate(tokens))


def paired_token_cosines(
    before: Sequence[Path], after: Sequence[Path], encoder: Encoder, *, batch_size: int = 16
) -> Matrix:
    """Returns float64 (N,): each photo's mean cosine over its patch tokens, before and after.

    Args:
        before: N photos
        after: their twins, of the same sizes, in the same order
        encoder: the encoder
        batch_size: photos in memory at a time
    """
    import torch

    cosines = []
    with torch.no_grad():
        both = (_batches(paths, encoder, None, batch_size) for paths in (before, after))
        for first, second in zip(*both, strict=True):
            a, b = encoder(first), encoder(second)
            cosines.append(token_cosine(a.tokens, b.tokens, a.mask))
    return np.concatenate(cosines)
