"""What happens to photos that is not protection: controls, and what an attacker does first."""

from __future__ import annotations

import io
import zlib

import numpy as np
from numpy.typing import NDArray

from ..measure.features import Change

__all__ = ["POSTPROCESSING", "jpeg", "postprocess", "random_signs"]

Pixels = NDArray[np.uint8]


def random_signs(epsilon: float, grid_pixels: int, seed: int) -> Change:
    """Returns the control that adds ±epsilon at random, on the grid that protection uses.

    The same budget, the same grid and the same way back to full resolution: only the directions
    are not chosen. Every pixel of the grid takes the whole budget, so its RMSE is at least that
    of any protection.

    Args:
        epsilon: in 1/255
        grid_pixels: largest size of the grid, in pixels
        seed: of the signs, together with the photo's key
    """
    import torch

    from ..protection import apply_perturbation, grid_size

    def change(pixels: Pixels, key: str) -> Pixels:
        size = grid_size(pixels.shape[0], pixels.shape[1], grid_pixels)
        rng = np.random.default_rng([seed, zlib.crc32(key.encode())])
        signs = rng.choice(np.array([-1, 1], dtype=np.float32), size=(3, *size))
        return apply_perturbation(pixels, torch.from_numpy(signs) * epsilon / 255, epsilon)

    return change


def jpeg(quality: int) -> Change:
    """Returns a real JPEG round trip, as Pillow's encoder does it.

    Args:
        quality: in [1, 100]
    """
    from PIL import Image

    def change(pixels: Pixels, key: str) -> Pixels:
        file = io.BytesIO()
        Image.fromarray(pixels).save(file, format="JPEG", quality=quality)
        with Image.open(file) as image:
            return np.array(image.convert("RGB"))

    return change


def _transform(name: str, strength: float) -> Change:
    """Returns one of the protection's own EOT transforms, rounded to 8 bits."""
    import torch

    from ..protection import apply_transform

    def change(pixels: Pixels, key: str) -> Pixels:
        image = torch.from_numpy(np.ascontiguousarray(pixels)).permute(2, 0, 1).float() / 255
        rng = np.random.default_rng(zlib.crc32(key.encode()))
        noise = torch.from_numpy(rng.standard_normal(image.shape, dtype=np.float32))
        out = apply_transform(name, image[None], torch.tensor([strength]), [noise])[0]
        levels = (out.clamp(0, 1) * 255).round().to(torch.uint8)
        return levels.permute(1, 2, 0).numpy()

    return change


POSTPROCESSING: dict[str, tuple[str, float]] = {
    "none": ("none", 0.0),
    "JPEG 95": ("file", 95),
    "JPEG 75": ("file", 75),
    "JPEG 50": ("file", 50),
    "half size and back": ("resize", 0.5),
    "blur, sigma 1 px": ("blur", 1.0),
    "noise, sigma 4/255": ("noise", 4.0),
}
"""Name in a table -> kind and strength. JPEG is a real file's round trip, because the
approximation that the protection can train with must not also be its judge; the others are the
protection's transforms."""


def postprocess(name: str) -> Change | None:
    """Returns a change by its name in :data:`POSTPROCESSING`; None for "none"."""
    kind, strength = POSTPROCESSING[name]
    if kind == "none":
        return None
    return jpeg(int(strength)) if kind == "file" else _transform(kind, strength)
