"""What sets a photo apart from pictures that show nobody is erased; nobody is named."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from .base import Draws, Indices, Place, Space, Strategy, Weights, register_strategy, unit


@register_strategy
class Erase(Strategy):
    """What sets the photos apart erased, pictures that show nobody put in their place.

    L = (attract · |P(z - b)|² + 10 repel · |Q(z - r)|²) / s², with z the mean token, Q the
    projection onto the plane of m - r and z0 - r, P that onto what is orthogonal to it, b a picture
    of the reference bank drawn for the photo, s² the bank's spread. The second term outweighs the
    first, and going too far costs as much as falling short: what is left is what a probe reads, and
    its reversal what an inverted probe reads. Both directions are held, since what cannot be moved
    of the one would be paid for with the reversal of the other. Needs nobody's name. Ours.
    """

    name = "erase"
    uses_reference = True
    pictures: ClassVar[int] = 64
    firmness: ClassVar[float] = 10.0

    def assign(self, groups: Indices, draws: Draws, rng: np.random.Generator) -> Indices:
        return (draws * self.pictures).astype(np.int64)

    def place(self, space: Space, rng: np.random.Generator) -> Place:
        reference = space.bank.mean(dim=0)
        around = space.bank - reference
        aims = around[torch.arange(self.pictures) % len(around)]
        scale = around.square().sum(dim=1).mean().clamp(min=1e-12)
        return Place(reference, (space.mean - reference)[None], aims, scale)

    def loss(
        self, z: Tensor, z0: Tensor, place: Place, own: Tensor, aim: Tensor, weights: Weights
    ) -> Tensor:
        moved = z.mean(dim=1) - place.centre
        plane = self._plane(z0.mean(dim=1) - place.centre, place.own[0])
        left = torch.einsum("bkd,bd->bk", plane, moved)
        apart = moved - place.aims[aim]
        across = apart - torch.einsum("bkd,bk->bd", plane, torch.einsum("bkd,bd->bk", plane, apart))
        erased = self.firmness * left.square().sum(dim=1)
        total: Tensor = weights.attract * across.square().sum(dim=1) + weights.repel * erased
        return total / place.scale

    def _plane(self, clean: Tensor, common: Tensor) -> Tensor:
        """Orthonormal (B, 2, D); the second is zero where a photo is its run's mean."""
        first = unit(common).expand_as(clean)
        rest = clean - (clean * first).sum(dim=1, keepdim=True) * first
        # of a photo alone nothing but rounding is left, which has no direction worth holding
        least = 1e-3 * clean.norm(dim=1, keepdim=True)
        length = rest.norm(dim=1, keepdim=True)
        second = torch.where(length > least, rest / length.clamp(min=1e-12), torch.zeros_like(rest))
        return torch.stack((first, second), dim=1)
