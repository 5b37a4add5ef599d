"""What a strategy is, the registry of them, and the two shapes that most have."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ...errors import ConfigError

Indices = npt.NDArray[np.int64]
Draws = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Space:
    """The clean photos of a run in one encoder's one representation.

    Attributes:
        features: float32 (N, D), one row a photo
        groups: int64 (N,), the person (or cluster) of each photo; -1 for nobody known
        bank: float32 (M, D), the reference bank
        aim: int64 (N,), which aim each photo was assigned
    """

    features: Tensor
    groups: Indices
    bank: Tensor
    aim: Indices

    @property
    def mean(self) -> Tensor:
        """float32 (D,), the mean of all photos."""
        return self.features.mean(dim=0)

    @property
    def centres(self) -> Tensor:
        """float32 (G, D), the mean of each group's photos."""
        rows = torch.from_numpy(self.groups)
        sums = torch.zeros(int(rows.max()) + 1, self.features.shape[1])
        sums.index_add_(0, rows, self.features)
        return sums / torch.bincount(rows).clamp(min=1)[:, None]

    @property
    def spread(self) -> Tensor:
        """float32 scalar, mean squared distance of a photo from the mean: a unit of distance."""
        return (self.features - self.mean).square().sum(dim=1).mean().clamp(min=1e-12)


@dataclass(frozen=True)
class Place:
    """Where strategies send the photos, in one encoder's one representation.

    Attributes:
        centre: float32 (D,), what cosines are taken around
        own: float32 (G, D), what each group is pushed away from, or subtracted
        aims: float32 (A, D), what photos are pushed toward
        scale: float32 scalar, squared length of a unit of distance; (2,) where photos are moved
            in two ways
    """

    centre: Tensor
    own: Tensor
    aims: Tensor
    scale: Tensor

    def to(self, device: torch.device) -> Place:
        """Returns the same place on a device."""
        return Place(*(part.to(device) for part in (self.centre, self.own, self.aims, self.scale)))


@dataclass(frozen=True)
class Weights:
    """How much "away" and "toward" count."""

    repel: float
    attract: float


class Strategy(ABC):
    """One reading of "antithetical".

    ``uses_groups``: it needs to know who is on each photo, and is given clusters of photos that
    look alike where nobody says it. ``uses_names``: it goes by the names that there are.
    ``uses_reference``: it reads the reference bank. ``dataset_level``: all photos have one aim, a
    common place or direction.

    A strategy assigns an aim to each photo once for all encoders, computes the aims in each
    encoder's space, and says what is minimised.
    """

    name: ClassVar[str]
    uses_groups: ClassVar[bool] = False
    uses_names: ClassVar[bool] = False
    uses_reference: ClassVar[bool] = False
    dataset_level: ClassVar[bool] = False

    def assign(self, groups: Indices, draws: Draws, rng: np.random.Generator) -> Indices:
        """Returns each photo's aim, int64 (N,).

        Args:
            groups: int64 (N,), the person in each photo, -1 for nobody known
            draws: float64 (N,) in [0, 1), a number that belongs to each photo, whatever others
                are in the run
            rng: for what belongs to the run
        """
        return np.zeros(len(groups), dtype=np.int64)

    @abstractmethod
    def place(self, space: Space, rng: np.random.Generator) -> Place:
        """Returns the aims in one space."""

    @abstractmethod
    def loss(
        self, z: Tensor, z0: Tensor, place: Place, own: Tensor, aim: Tensor, weights: Weights
    ) -> Tensor:
        """Returns what is minimised, per photo.

        Args:
            z: float32 (B, T, D), tokens as they move (T = 1 for the pooled embedding)
            z0: float32 (B, T, D), the same photos' clean tokens
            place: from :meth:`place`
            own: int64 (B,), rows of ``place.own``
            aim: int64 (B,), rows of ``place.aims``
            weights: the configuration's

        Returns:
            float32 (B,)
        """


_STRATEGIES: dict[str, type[Strategy]] = {}


def register_strategy(cls: type[Strategy]) -> type[Strategy]:
    """Adds a strategy under its ``name``; usable as a class decorator.

    Raises:
        ConfigError: if the name is taken
    """
    if cls.name in _STRATEGIES:
        raise ConfigError(f"a strategy named {cls.name!r} exists already: choose another name")
    _STRATEGIES[cls.name] = cls
    return cls


def list_strategies() -> dict[str, str]:
    """Returns each strategy's name with the first line of what it does."""
    return {name: (cls.__doc__ or "").strip().splitlines()[0] for name, cls in _STRATEGIES.items()}


def get_strategy(name: str) -> Strategy:
    """Returns a strategy by name.

    Raises:
        ConfigError: if there is none of that name
    """
    if name not in _STRATEGIES:
        raise ConfigError(f"no strategy {name!r}: choose one of {', '.join(_STRATEGIES)}")
    return _STRATEGIES[name]()


def cosine(a: Tensor, b: Tensor) -> Tensor:
    """Returns the cosines of (..., D) and (..., D), float32 (...)."""
    return torch.nn.functional.cosine_similarity(a, b, dim=-1, eps=1e-6)


def unit(x: Tensor) -> Tensor:
    """Returns vectors (..., D) at length one; a zero stays zero."""
    return torch.nn.functional.normalize(x, dim=-1, eps=1e-6)


class Directed(Strategy):
    """Away from something and toward a direction, both as cosines around a centre.

    L = repel · mean_t cos(z_t - c, away_t - c) - attract · mean_t cos(z_t - c, aim)
    """

    def away(self, z0: Tensor, place: Place, own: Tensor) -> Tensor:
        """What the photo is pushed away from: its own clean tokens, unless overridden."""
        return z0 - place.centre

    def loss(
        self, z: Tensor, z0: Tensor, place: Place, own: Tensor, aim: Tensor, weights: Weights
    ) -> Tensor:
        moved = z - place.centre
        total = weights.repel * cosine(moved, self.away(z0, place, own)).mean(dim=1)
        if len(place.aims):
            total = total - weights.attract * cosine(moved, place.aims[aim, None]).mean(dim=1)
        return total


class Pointed(Strategy):
    """To a point, as a squared distance in units of the clean photos' spread.

    L = attract · |mean_t z_t - p|² / s²; there is no separate repulsion: the point is elsewhere.
    """

    @abstractmethod
    def point(self, z0: Tensor, place: Place, own: Tensor, aim: Tensor) -> Tensor:
        """The point p, float32 (B, D), from the clean mean token z0 (B, D)."""

    def loss(
        self, z: Tensor, z0: Tensor, place: Place, own: Tensor, aim: Tensor, weights: Weights
    ) -> Tensor:
        goal = self.point(z0.mean(dim=1), place, own, aim)
        return weights.attract * (z.mean(dim=1) - goal).square().sum(dim=1) / place.scale


def nowhere(space: Space, centre: Tensor, aims: Tensor | None = None) -> Place:
    """Returns a place that has a centre, and aims if given, but no people."""
    width = space.features.shape[1]
    empty = torch.zeros(0, width)
    return Place(centre, empty, empty if aims is None else aims, space.spread)
