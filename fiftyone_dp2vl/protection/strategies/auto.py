"""What a run is told decides: people in each other's place, or what sets a photo apart erased."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from ...config import ProtectionConfig
from .base import Draws, Indices, Place, Space, Strategy, Weights, register_strategy
from .erase import Erase
from .people import Swap


@register_strategy
class Auto(Strategy):
    """Named people in each other's place (``swap``), if ten or more; all others as ``erase``.

    Each is the better one where it applies (docs/protection.md). Among few people ``swap`` leaves a
    person's own name the one that is not given, which an inverted probe reads: in trials on
    development people nearly always among four, mostly among six, hardly more than by chance
    among ten. Ours.
    """

    name = "auto"
    uses_names = True
    uses_reference = True
    named: ClassVar[Swap] = Swap()
    nameless: ClassVar[Erase] = Erase()
    least_people: ClassVar[int] = 10

    def assign(self, groups: Indices, draws: Draws, rng: np.random.Generator) -> Indices:
        aims = self.nameless.assign(groups, draws, rng)
        if groups.max(initial=-1) + 1 >= self.least_people:
            known = groups >= 0
            aims[known] = self.nameless.pictures + self.named.assign(
                groups[known], draws[known], rng
            )
        return aims

    def place(self, space: Space, rng: np.random.Generator) -> Place:
        erased = self.nameless.place(space, rng)
        known = space.aim >= self.nameless.pictures
        if not known.any():
            return erased
        rows = torch.from_numpy(np.flatnonzero(known))
        named = Space(space.features[rows], space.groups[known], space.bank, space.aim[known])
        swapped = self.named.place(named, rng)
        return Place(
            erased.centre,
            torch.cat((erased.own, swapped.own)),
            torch.cat((erased.aims, swapped.aims)),
            torch.stack((erased.scale, swapped.scale)),
        )

    def loss(
        self, z: Tensor, z0: Tensor, place: Place, own: Tensor, aim: Tensor, weights: Weights
    ) -> Tensor:
        if place.scale.ndim == 0:
            return self.nameless.loss(z, z0, place, own, aim, weights)
        count = self.nameless.pictures
        erased = replace(place, own=place.own[:1], aims=place.aims[:count], scale=place.scale[0])
        swapped = replace(place, own=place.own[1:], aims=place.aims[count:], scale=place.scale[1])
        return torch.where(
            aim < count,
            self.nameless.loss(z, z0, erased, own, aim.clamp(max=count - 1), weights),
            self.named.loss(z, z0, swapped, own.clamp(min=0), (aim - count).clamp(min=0), weights),
        )


def settled(config: ProtectionConfig, groups: Iterable[str | None]) -> ProtectionConfig:
    """Returns a configuration that names what ``auto`` does to the named photos of a run.

    For an attacker who runs our tool: it must be the one that the photos were protected with, in
    runs that name other people or nobody.

    Args:
        config: any; all but the strategy ``auto`` is left as it is
        groups: the person in each photo of the run, None where that is not known
    """
    if config.strategy != Auto.name:
        return config
    enough = len({group for group in groups if group}) >= Auto.least_people
    return replace(config, strategy=(Auto.named if enough else Auto.nameless).name)
