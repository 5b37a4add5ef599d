"""Whether a surrogate still sees a released picture away from its original."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from ..runs import Cosines

if TYPE_CHECKING:
    from ..encoders import Encoder, Features

__all__ = ["cosines", "shift_left"]

Pixels = NDArray[np.uint8]

_JUDGED_FROM = 1e-4
"""A recorded shift (1 - cosine) below this is lost in the arithmetic of single precision."""


@torch.no_grad()
def cosines(clean: Pixels, released: Sequence[Pixels], encoder: Encoder) -> list[Cosines]:
    """Returns how near pictures are to a clean one: patch tokens, and the pooled embedding.

    Args:
        clean: uint8 (H, W, 3)
        released: uint8 (H, W, 3) each, of any size; token by token only where the encoder makes as
            many tokens of them
        encoder: the surrogate
    """
    before = _features(clean, encoder)
    return [_pair(before, _features(picture, encoder)) for picture in released]


def shift_left(now: Cosines, then: Cosines) -> float | None:
    """Returns the share of a recorded shift that is left: 1 is all of it, 0 none.

    The smaller share of the patch tokens' and the pooled embedding's; a shift too small to be
    measured is not judged, and None means that neither can be.
    """
    shares = [
        (1 - after) / (1 - before)
        for after, before in zip(now, then, strict=True)
        if 1 - before >= _JUDGED_FROM
    ]
    return min(shares) if shares else None


def _features(pixels: Pixels, encoder: Encoder) -> Features:
    image = torch.from_numpy(np.ascontiguousarray(pixels)).to(encoder.device)
    return encoder.encode(encoder.preprocess([image.permute(2, 0, 1).float().div_(255)]))


def _pair(before: Features, after: Features) -> Cosines:
    pooled = F.cosine_similarity(before.pooled[0].float(), after.pooled[0].float(), dim=-1)
    a, b = before.tokens[0].float(), after.tokens[0].float()
    if before.mask is not None and after.mask is not None:
        a, b = a[before.mask[0]], b[after.mask[0]]
    if a.shape != b.shape:  # an encoder with tokens by area, and a resized picture
        a, b = a.mean(dim=0, keepdim=True), b.mean(dim=0, keepdim=True)
    return Cosines(float(F.cosine_similarity(a, b, dim=-1).mean()), float(pooled))
