"""Other people, or nobody, in a person's place: strategies that need to know who is on a photo."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from ...errors import ConfigError
from .base import (
    Directed,
    Draws,
    Indices,
    Place,
    Pointed,
    Space,
    Strategy,
    Weights,
    register_strategy,
    unit,
)


class _Misleading(Strategy):
    """What the misleading strategies share: person centres, and who is mistaken for whom."""

    uses_groups = True
    spread_within_person: ClassVar[bool] = True

    def assign(self, groups: Indices, draws: Draws, rng: np.random.Generator) -> Indices:
        people = int(groups.max()) + 1 if len(groups) else 0
        if people < 2:
            raise ConfigError(
                f"strategy {self.name!r} moves people toward each other and found only one: "
                "choose 'erase', which needs nobody else"
            )
        order = rng.permutation(people)
        rank = np.empty(people, dtype=np.int64)
        rank[order] = np.arange(people)
        aims = np.empty(len(groups), dtype=np.int64)
        for person in range(people):
            rows = np.flatnonzero(groups == person)
            # distinct offsets give each of a person's photos another person to look like, and
            # each person as many visitors as photos: no consistent wrong name arises
            offsets = 1 + (np.arange(len(rows)) % (people - 1))
            if not self.spread_within_person:
                offsets[:] = 1
            aims[rows] = order[(rank[person] + offsets) % people]
        return aims


@register_strategy
class MisleadOne(_Misleading, Directed):
    """Away from the own person's centre, toward one other person's: the same for all their photos.

    L = repel · mean_t cos(z_t - m, m_i - m) - attract · mean_t cos(z_t - m, m_j - m). Ours. Plants
    one consistent wrong name, which can be inverted: for comparison, not for use.
    """

    name = "mislead_one"
    spread_within_person = False

    def place(self, space: Space, rng: np.random.Generator) -> Place:
        centres = space.centres
        return Place(space.mean, centres, centres - space.mean, space.spread)

    def away(self, z0: Tensor, place: Place, own: Tensor) -> Tensor:
        return (place.own[own] - place.centre)[:, None]


@register_strategy
class Mislead(MisleadOne):
    """Away from the own person's centre, each photo toward a different other person's.

    As ``mislead_one``, but a person's photos are spread over as many people as possible.
    """

    name = "mislead"
    spread_within_person = True


@register_strategy
class Resemble(Mislead):
    """Toward another person's centre, a different one for each photo, away from nothing.

    L = -attract · mean_t cos(z_t - m, m_j - m). ``mislead`` without its repulsion, which makes the
    right name the least likely one and so tells it to whoever asks for that; ours.
    """

    name = "resemble"

    def loss(
        self, z: Tensor, z0: Tensor, place: Place, own: Tensor, aim: Tensor, weights: Weights
    ) -> Tensor:
        return super().loss(z, z0, place, own, aim, Weights(0.0, weights.attract))


@register_strategy
class MisleadShift(Mislead):
    """As ``mislead``, with a shift common to all photos added to the aims.

    The aim is the sum of the unit vectors of m_j - m and r - m (r: the reference bank's mean).
    """

    name = "mislead_shift"
    uses_reference = True

    def place(self, space: Space, rng: np.random.Generator) -> Place:
        place = super().place(space, rng)
        shift = unit(space.bank.mean(dim=0) - space.mean)
        return Place(place.centre, place.own, unit(place.aims) + shift, place.scale)


@register_strategy
class SwapOne(_Misleading, Pointed):
    """The identity part exchanged for one other person's, the rest of the photo left as it is.

    p = z0 - m_i + m_j. Ours. The smallest move that changes who is seen; for comparison with
    ``swap``, since it plants one consistent wrong name.
    """

    name = "swap_one"
    spread_within_person = False

    def place(self, space: Space, rng: np.random.Generator) -> Place:
        centres = space.centres
        return Place(space.mean, centres, centres, space.spread)

    def point(self, z0: Tensor, place: Place, own: Tensor, aim: Tensor) -> Tensor:
        return z0 - place.own[own] + place.aims[aim]


@register_strategy
class Swap(SwapOne):
    """The identity part exchanged for another person's, a different one for each photo.

    p = z0 - m_i + m_j(photo), spread over as many people as possible. Ours.
    """

    name = "swap"
    spread_within_person = True


@register_strategy
class Nobody(_Misleading, Pointed):
    """The identity part exchanged for one that belongs to nobody, a different one for each photo.

    p = z0 - m_i + q, with q = m + Σ_j w_j (m_j - m), w random signed weights scaled to the typical
    length of m_j - m: as far from the centre as people are, but where none of them lies. Ours.
    """

    name = "nobody"
    regions: ClassVar[int] = 64

    def assign(self, groups: Indices, draws: Draws, rng: np.random.Generator) -> Indices:
        super().assign(groups, draws, rng)
        return rng.permutation(len(groups)).astype(np.int64) % self.regions

    def place(self, space: Space, rng: np.random.Generator) -> Place:
        centres = space.centres
        identity = centres - space.mean
        weights = torch.from_numpy(rng.standard_normal((self.regions, len(identity)))).float()
        directions = unit(weights @ identity)
        length = identity.norm(dim=1).mean()
        return Place(space.mean, centres, space.mean + length * directions, space.spread)

    def point(self, z0: Tensor, place: Place, own: Tensor, aim: Tensor) -> Tensor:
        return z0 - place.own[own] + place.aims[aim]
