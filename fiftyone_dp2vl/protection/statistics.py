"""What a run's photos look like to its surrogates before anything is moved."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ..encoders.base import Encoder

__all__ = ["SPACES", "Statistics", "collect_statistics", "reference_bank"]

SPACES = ("tokens", "pooled")
"""The two representations that are moved: mean patch token, pooled embedding."""


@dataclass(frozen=True)
class Statistics:
    """Clean features of every photo of a run.

    Attributes:
        keys: the photos' keys, in order
        features: ``(encoder, space)`` -> float32 (N, D), on the CPU
        bank: ``(encoder, space)`` -> float32 (M, D), features of the reference bank; M is 0
            where no strategy reads it
    """

    keys: tuple[str, ...]
    features: dict[tuple[str, str], Tensor]
    bank: dict[tuple[str, str], Tensor]


def reference_bank(count: int = 64, side: int = 256, seed: int = 0) -> list[Tensor]:
    """Returns procedural pictures that show nobody: coloured 1/f noise over smooth gradients.

    Strategies that need a place "where no photo lies" take it from the features of these. They
    need no download and are the same everywhere.

    Args:
        count: number of pictures
        side: of each, in pixels
        seed: of the pictures

    Returns:
        ``count`` float32 tensors (3, side, side) in [0, 1]
    """
    rng = np.random.Generator(np.random.Philox(seed))
    fy = np.fft.fftfreq(side)[:, None]
    fx = np.fft.rfftfreq(side)[None, :]
    radius = np.maximum(np.hypot(fy, fx), 1 / side)
    pictures = []
    for _ in range(count):
        slope = rng.uniform(0.8, 2.0)
        spectrum = rng.standard_normal((3, side, side // 2 + 1, 2)) @ np.array([1, 1j])
        texture = np.fft.irfft2(spectrum / radius**slope, s=(side, side))
        texture /= texture.std(axis=(1, 2), keepdims=True)
        corners = rng.random((3, 2, 2))
        ramp = np.linspace(0, 1, side)
        across = corners[:, :, :1] * (1 - ramp) + corners[:, :, 1:] * ramp
        base = across[:, :1] * (1 - ramp[:, None]) + across[:, 1:] * ramp[:, None]
        picture = np.clip(base + rng.uniform(0.03, 0.2) * texture, 0, 1)
        pictures.append(torch.from_numpy(picture).float())
    return pictures


def collect_statistics(
    batches: Iterable[tuple[Sequence[str], Sequence[Tensor]]],
    encoders: Sequence[Encoder],
    *,
    names: Sequence[str] | None = None,
    reference: bool = True,
) -> Statistics:
    """Returns the clean features of a run's photos, in one pass.

    Args:
        batches: (keys, images), images being float32 (3, h, w) or (1, h, w) in [0, 1], for
            example from :func:`fiftyone_dp2vl.protection.to_grid`
        encoders: the surrogates
        names: their names in the result, by default the names they were loaded by
        reference: whether to encode the reference bank, which takes about a second and which
            only strategies with ``uses_reference`` read

    Returns:
        the features on the CPU, with those of :func:`reference_bank`
    """
    names = list(names or [encoder.name for encoder in encoders])
    keys: list[str] = []
    parts: dict[tuple[str, str], list[Tensor]] = {(n, s): [] for n in names for s in SPACES}
    for batch_keys, images in batches:
        keys.extend(batch_keys)
        for name, encoder in zip(names, encoders, strict=True):
            for space, feature in zip(SPACES, _features(encoder, images), strict=True):
                parts[name, space].append(feature)
    pictures = reference_bank() if reference else []
    bank: dict[tuple[str, str], list[Tensor]] = {(n, s): [] for n in names for s in SPACES}
    for start in range(0, len(pictures), 8):
        for name, encoder in zip(names, encoders, strict=True):
            found = _features(encoder, pictures[start : start + 8])
            for space, feature in zip(SPACES, found, strict=True):
                bank[name, space].append(feature)
    return Statistics(
        tuple(keys),
        {where: torch.cat(found) for where, found in parts.items() if found},
        {
            where: torch.cat(found) if found else torch.zeros(0, parts[where][0].shape[1])
            for where, found in bank.items()
            if found or parts[where]
        },
    )


@torch.no_grad()
def _features(encoder: Encoder, images: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    rgb = [image.to(encoder.device).expand(3, -1, -1) for image in images]
    features = encoder(rgb)
    return features.mean_token().float().cpu(), features.pooled.float().cpu()
