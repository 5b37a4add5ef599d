"""Train-time augmentation: a photo looks a little different at every pass."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = ["augmented"]


def augmented(picture: Image, key: str, turn: int, seed: int) -> Image:
    """Returns a randomly cropped, flipped, recoloured and noised copy of the same size.

    Args:
        picture: RGB
        key: the photo's name; two photos are changed differently
        turn: number of the pass
        seed: same key, turn and seed, same pixels
    """
    from PIL import Image as Images

    named = int.from_bytes(hashlib.blake2b(key.encode(), digest_size=8).digest(), "big")
    rng = np.random.default_rng([seed, turn, named])
    width, height = picture.size
    share = float(np.sqrt(rng.uniform(0.6, 1.0)))
    wide, tall = max(1, round(width * share)), max(1, round(height * share))
    left, top = int(rng.integers(width - wide + 1)), int(rng.integers(height - tall + 1))
    # A crop goes back to full size: the number of image tokens may depend on it.
    cut = picture.resize(
        (width, height), Images.Resampling.BICUBIC, box=(left, top, left + wide, top + tall)
    )
    if rng.random() < 0.5:
        cut = cut.transpose(Images.Transpose.FLIP_LEFT_RIGHT)
    pixels = np.asarray(cut, dtype=np.float32) / 255
    gain = rng.normal(1.0, 0.1) * rng.normal(1.0, 0.04, 3)
    noise = rng.normal(0.0, rng.uniform(0.0, 0.02), pixels.shape)
    changed = (pixels * gain.astype(np.float32) + noise).clip(0, 1)
    return Images.fromarray(np.rint(changed * 255).astype(np.uint8))
