"""Expectation over transformations (EOT): what happens to a photo after it is shared.

The method is that of Athalye et al., "Synthesizing robust adversarial examples" (arXiv
1707.07397). Each transform takes a strength per photo, so that photos in one batch draw their own;
the same functions serve protection and the measurement of robustness.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ..errors import ConfigError
from .jpeg import differentiable_jpeg
from .randomness import photo_normals, photo_uniforms

__all__ = [
    "TransformSampler",
    "TransformSpec",
    "apply_transform",
    "list_transforms",
    "parse_transform",
    "register_transform",
]

TransformFunction = Callable[[Tensor, Tensor, Sequence[Tensor]], Tensor]
"""(images (B, 3, H, W) in [0, 1], strengths (B,), standard normals a photo) -> images."""


@dataclass(frozen=True)
class _Transform:
    function: TransformFunction
    needs_noise: bool
    low: float
    high: float
    meaning: str


_TRANSFORMS: dict[str, _Transform] = {}


def register_transform(
    name: str, *, low: float, high: float, meaning: str, needs_noise: bool = False
) -> Callable[[TransformFunction], TransformFunction]:
    """Returns a decorator that adds a transform under ``name``.

    Args:
        name: lower-case word
        low: least strength allowed
        high: greatest strength allowed
        meaning: what the strength is, with its unit
        needs_noise: whether the function wants standard normals of each photo's shape

    Raises:
        ConfigError: if the name is taken
    """

    def add(function: TransformFunction) -> TransformFunction:
        if name in _TRANSFORMS:
            raise ConfigError(f"a transform named {name!r} exists already: choose another name")
        _TRANSFORMS[name] = _Transform(function, needs_noise, low, high, meaning)
        return function

    return add


def list_transforms() -> dict[str, str]:
    """Returns each transform's name with the meaning and range of its strength."""
    return {
        name: f"{t.meaning}, from {t.low:g} to {t.high:g}"
        for name, t in sorted(_TRANSFORMS.items())
    }


@register_transform("jpeg", low=1, high=100, meaning="JPEG quality")
def _jpeg(images: Tensor, strength: Tensor, noise: Sequence[Tensor]) -> Tensor:
    return differentiable_jpeg(images, strength)


@register_transform("resize", low=0.05, high=1, meaning="share of the side kept, then resized back")
def _resize(images: Tensor, strength: Tensor, noise: Sequence[Tensor]) -> Tensor:
    height, width = images.shape[-2:]
    out = []
    for image, share in zip(images, strength.tolist(), strict=True):
        size = (max(1, round(height * share)), max(1, round(width * share)))
        small = F.interpolate(image[None], size=size, mode="bilinear", antialias=True)
        out.append(F.interpolate(small, size=(height, width), mode="bilinear")[0])
    return torch.stack(out)


@register_transform("blur", low=0, high=8, meaning="Gaussian sigma in grid pixels")
def _blur(images: Tensor, strength: Tensor, noise: Sequence[Tensor]) -> Tensor:
    # one by one: a common kernel would have the width of the strongest photo in the batch
    return torch.cat(
        [_blur_one(image[None], s) for image, s in zip(images, strength.tolist(), strict=True)]
    )


def _blur_one(image: Tensor, sigma: float) -> Tensor:
    channels, height, width = image.shape[1:]
    radius = min(max(1, math.ceil(3 * sigma)), height - 1, width - 1)
    offsets = torch.arange(-radius, radius + 1, dtype=torch.float32, device=image.device)
    kernel = torch.exp(-0.5 * (offsets / max(sigma, 1e-3)) ** 2)
    kernel = (kernel / kernel.sum()).expand(channels, 1, -1)
    padded = F.pad(image, (radius,) * 4, mode="reflect")
    blurred = F.conv2d(padded, kernel[..., None], groups=channels)
    return F.conv2d(blurred, kernel[:, :, None], groups=channels)


@register_transform("noise", low=0, high=64, meaning="Gaussian sigma in 1/255", needs_noise=True)
def _noise(images: Tensor, strength: Tensor, noise: Sequence[Tensor]) -> Tensor:
    grain = torch.stack(list(noise)).to(images.device)
    return (images + grain * strength[:, None, None, None] / 255).clamp(0, 1)


def apply_transform(
    name: str, images: Tensor, strength: Tensor, noise: Sequence[Tensor] = ()
) -> Tensor:
    """Returns transformed images.

    Args:
        name: see :func:`list_transforms`
        images: float32 RGB (B, 3, H, W) in [0, 1]
        strength: float32 (B,)
        noise: one float32 (3, H, W) of standard normals a photo, for ``"noise"``

    Returns:
        float32 (B, 3, H, W) in [0, 1], differentiable

    Raises:
        ConfigError: if there is no such transform
    """
    if name not in _TRANSFORMS:
        raise ConfigError(f"no transform {name!r}: there are {', '.join(sorted(_TRANSFORMS))}")
    return _TRANSFORMS[name].function(images, strength, noise)


@dataclass(frozen=True)
class TransformSpec:
    """One transform of a configuration.

    Args:
        name: see :func:`list_transforms`
        low: least strength drawn
        high: greatest strength drawn
        probability: share of the steps, photo by photo, that use it
    """

    name: str
    low: float
    high: float
    probability: float


_FORM = re.compile(r"^([a-z_]+):([0-9.]+)-([0-9.]+)(?:@([0-9.]+))?$")


def parse_transform(text: str) -> TransformSpec:
    """Returns the transform that ``name:low-high@probability`` describes.

    Raises:
        ConfigError: if the text has another form, or a number is out of range
    """
    match = _FORM.match(text)
    if not match or match[1] not in _TRANSFORMS:
        names = ", ".join(sorted(_TRANSFORMS))
        raise ConfigError(
            f"transform {text!r}: write name:low-high@probability, for example jpeg:50-95@0.7; "
            f"the names are {names}"
        )
    spec = TransformSpec(match[1], float(match[2]), float(match[3]), float(match[4] or 1))
    allowed = _TRANSFORMS[spec.name]
    if not allowed.low <= spec.low <= spec.high <= allowed.high or not 0 <= spec.probability <= 1:
        raise ConfigError(
            f"transform {text!r}: {spec.name} takes {allowed.meaning} from {allowed.low:g} to "
            f"{allowed.high:g} and a probability up to 1"
        )
    return spec


class TransformSampler:
    """Draws, photo by photo and step by step, which transforms happen and how strongly.

    Args:
        specs: the transforms, applied in this order
        crop_scale: smallest area share of the random crop; 1 never crops
        crop_probability: share of the steps, photo by photo, that crop
        seed: the run's seed
        keys: the photos' keys
        steps: how many steps will be drawn
    """

    def __init__(
        self,
        specs: Sequence[TransformSpec],
        *,
        crop_scale: float,
        crop_probability: float,
        seed: int,
        keys: Sequence[str],
        steps: int,
    ) -> None:
        self.specs = tuple(specs)
        self.crop_scale = crop_scale
        self.crop_probability = crop_probability
        self.seed = seed
        self.keys = tuple(keys)
        shape = (steps, 4 + 2 * len(self.specs))
        self._uniforms = np.stack([photo_uniforms(seed, key, "eot", shape) for key in keys])

    @property
    def random(self) -> bool:
        """Whether two steps can differ."""
        return self._crops or any(spec.probability > 0 for spec in self.specs)

    @property
    def _crops(self) -> bool:
        return self.crop_scale < 1 and self.crop_probability > 0

    def windows(self, step: int, height: int, width: int) -> Tensor | None:
        """Returns this step's crops as (B, 4) of (top, left, height, width), or None for none."""
        if not self._crops:
            return None
        u = self._uniforms[:, step, :4]
        side = np.sqrt(self.crop_scale + (1 - self.crop_scale) * u[:, 0])
        side = np.where(u[:, 3] < self.crop_probability, side, 1.0)
        heights, widths = side * height, side * width
        boxes = (u[:, 1] * (height - heights), u[:, 2] * (width - widths), heights, widths)
        return torch.from_numpy(np.stack(boxes, axis=1)).float()

    def __call__(self, images: Tensor, step: int) -> Tensor:
        """Returns (B, 3, H, W) images after this step's transforms."""
        for index, spec in enumerate(self.specs):
            u = self._uniforms[:, step, 4 + 2 * index : 6 + 2 * index]
            chosen = np.flatnonzero(u[:, 0] < spec.probability)
            if len(chosen) == 0:
                continue
            strength = torch.from_numpy(spec.low + (spec.high - spec.low) * u[chosen, 1])
            noise = [
                photo_normals(self.seed, self.keys[i], f"noise {index} {step}", images.shape[1:])
                for i in chosen
                if _TRANSFORMS[spec.name].needs_noise
            ]
            rows = torch.from_numpy(chosen).to(images.device)
            strength = strength.float().to(images.device)
            changed = apply_transform(spec.name, images[rows], strength, noise)
            images = images.index_copy(0, rows, changed.to(images.dtype))
        return images
