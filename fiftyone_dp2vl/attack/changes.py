"""What happens to photos that is not protection: controls, and what an attacker does first."""

from __future__ import annotations

import io
import zlib

import numpy as np
from numpy.typing import NDArray

from ..measure.features import Change

__all__ = [
    "POSTPROCESSING",
    "jpeg",
    "postprocess",
    "random_signs",
    "random_signs_of_rmse",
]

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


def random_signs_of_rmse(rmse: dict[str, float], grid_pixels: int, seed: int) -> Change:
    """Returns the control that adds random signs as strong as each photo's protection is.

    Args:
        rmse: photo's key -> root mean square of its protection's change, in 8-bit levels
        grid_pixels: largest size of the grid, in pixels
        seed: of the signs, together with the photo's key
    """
    import torch

    from ..protection import apply_perturbation, grid_size

    def change(pixels: Pixels, key: str) -> Pixels:
        size = grid_size(pixels.shape[0], pixels.shape[1], grid_pixels)
        rng = np.random.default_rng([seed, zlib.crc32(key.encode())])
        signs = torch.from_numpy(rng.choice(np.array([-1, 1], dtype=np.float32), size=(3, *size)))
        wanted = amplitude = rmse[key]
        out = pixels
        # resizing to full size and rounding weaken the signs by a factor that is not known ahead
        for _ in range(3):
            out = apply_perturbation(pixels, signs * amplitude / 255, 255)
            reached = float(np.sqrt(np.mean((out.astype(float) - pixels) ** 2)))
            if reached == 0:
                break
            amplitude *= wanted / reached
        return out

    return change


def _encoded(format_name: str, **settings: int) -> Change:
    """Returns a round trip through a real file of one of Pillow's formats."""
    from PIL import Image

    def change(pixels: Pixels, key: str) -> Pixels:
        file = io.BytesIO()
        Image.fromarray(pixels).save(file, format=format_name, **settings)
        with Image.open(file) as image:
            return np.array(image.convert("RGB"))

    return change


def jpeg(quality: int) -> Change:
    """Returns a real JPEG round trip, as Pillow's encoder does it.

    Args:
        quality: in [1, 100]
    """
    return _encoded("JPEG", quality=quality)


def _webp(quality: float) -> Change:
    return _encoded("WEBP", quality=int(quality))


def _jpeg(quality: float) -> Change:
    return jpeg(int(quality))


def _crop(share: float) -> Change:
    """Returns a crop that keeps a share of each side, at a place drawn from the photo's key."""

    def change(pixels: Pixels, key: str) -> Pixels:
        height, width = pixels.shape[:2]
        tall, wide = max(1, round(share * height)), max(1, round(share * width))
        rng = np.random.default_rng(zlib.crc32(key.encode()))
        top, left = int(rng.integers(height - tall + 1)), int(rng.integers(width - wide + 1))
        return np.ascontiguousarray(pixels[top : top + tall, left : left + wide])

    return change


def _grayscale(strength: float) -> Change:
    from PIL import Image

    def change(pixels: Pixels, key: str) -> Pixels:
        return np.array(Image.fromarray(pixels).convert("L").convert("RGB"))

    return change


def _rescale(share: float) -> Change:
    """Returns what a screenshot does: shown at another size, and kept at that size."""
    from PIL import Image

    def change(pixels: Pixels, key: str) -> Pixels:
        height, width = pixels.shape[:2]
        size = (max(1, round(share * width)), max(1, round(share * height)))
        return np.array(Image.fromarray(pixels).resize(size, Image.Resampling.BILINEAR))

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
    "JPEG 95": ("jpeg", 95),
    "JPEG 75": ("jpeg", 75),
    "JPEG 50": ("jpeg", 50),
    "WebP 75": ("webp", 75),
    "half size and back": ("resize", 0.5),
    "blur, sigma 1 px": ("blur", 1.0),
    "noise, sigma 4/255": ("noise", 4.0),
    "crop to 80 % of each side": ("crop", 0.8),
    "grayscale": ("grayscale", 0.0),
    "screenshot at 73 %": ("rescale", 0.73),
}
"""Name in a table -> kind and strength. JPEG and WebP are real files' round trips, because the
approximation that the protection can train with must not also be its judge; resize, blur and
noise are the protection's transforms. A crop and a screenshot change the photo's size."""

_KINDS = {
    "jpeg": _jpeg,
    "webp": _webp,
    "crop": _crop,
    "grayscale": _grayscale,
    "rescale": _rescale,
}


def postprocess(name: str) -> Change | None:
    """Returns a change by its name in :data:`POSTPROCESSING`; None for "none"."""
    kind, strength = POSTPROCESSING[name]
    if kind == "none":
        return None
    return _KINDS[kind](strength) if kind in _KINDS else _transform(kind, strength)
