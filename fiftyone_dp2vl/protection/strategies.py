"""Readings of "antithetical": where a photo's representation is pushed.

The abstract of DP²-VL (arXiv 2603.23925) pushes representations "toward an antithetical region"
and does not define it. These are our readings, named, with formula and source; which one is the
default was chosen by measurement (see docs/protection.md), not by their distance moved.

Notation: z a photo's patch token or pooled embedding as it moves, z0 the same before; c a centre;
m_i the mean of person i's photos; m the mean of all; r the mean of a reference bank.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ..errors import ConfigError

__all__ = ["Place", "Space", "Strategy", "get_strategy", "list_strategies", "register_strategy"]

Indices = npt.NDArray[np.int64]
Draws = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Space:
    """The clean photos of a run in one encoder's one representation.

    Attributes:
        features: float32 (N, D), one row a photo
        groups: int64 (N,), the person (or cluster) of each photo
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
        scale: float32 scalar, squared length of a unit of distance
    """

    centre: Tensor
    own: Tensor
    aims: Tensor
    scale: Tensor


@dataclass(frozen=True)
class Weights:
    """How much "away" and "toward" count."""

    repel: float
    attract: float


class Strategy(ABC):
    """One reading of "antithetical".

    ``uses_groups``: it needs to know who is on a photo. ``uses_reference``: it reads the
    reference bank. ``dataset_level``: all photos have one aim, a common place or direction.

    A strategy assigns an aim to each photo once for all encoders, computes the aims in each
    encoder's space, and says what is minimised.
    """

    name: ClassVar[str]
    uses_groups: ClassVar[bool] = False
    uses_reference: ClassVar[bool] = False
    dataset_level: ClassVar[bool] = False

    def assign(self, groups: Indices, draws: Draws, rng: np.random.Generator) -> Indices:
        """Returns each photo's aim, int64 (N,).

        Args:
            groups: int64 (N,), the person in each photo
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


def _cosine(a: Tensor, b: Tensor) -> Tensor:
    return torch.nn.functional.cosine_similarity(a, b, dim=-1, eps=1e-6)


def _unit(x: Tensor) -> Tensor:
    return torch.nn.functional.normalize(x, dim=-1, eps=1e-6)


class _Directed(Strategy):
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
        total = weights.repel * _cosine(moved, self.away(z0, place, own)).mean(dim=1)
        if len(place.aims):
            total = total - weights.attract * _cosine(moved, place.aims[aim, None]).mean(dim=1)
        return total


class _Pointed(Strategy):
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


def _nowhere(space: Space, centre: Tensor, aims: Tensor | None = None) -> Place:
    width = space.features.shape[1]
    empty = torch.zeros(0, width)
    return Place(centre, empty, empty if aims is None else aims, space.spread)


@register_strategy
class Repel(_Directed):
    """Away from the photo's own clean tokens, toward nothing.

    L = repel · mean_t cos(z_t, z0_t). The untargeted token loss of VEAttack (arXiv 2505.17440).
    """

    name = "repel"

    def place(self, space: Space, rng: np.random.Generator) -> Place:
        return _nowhere(space, torch.zeros(space.features.shape[1]))


@register_strategy
class Negation(_Pointed):
    """To the photo's own negation, mirrored at the dataset's centre.

    p = 2 m - z0. Keeps the photos' geometry; ours.
    """

    name = "negation"

    def place(self, space: Space, rng: np.random.Generator) -> Place:
        return _nowhere(space, space.mean)

    def point(self, z0: Tensor, place: Place, own: Tensor, aim: Tensor) -> Tensor:
        return 2 * place.centre - z0


@register_strategy
class Centroid(_Directed):
    """Toward the dataset's centroid reflected at a reference centre: one common region.

    L = repel · mean_t cos(z_t - r, z0_t - r) - attract · mean_t cos(z_t - r, r - m). The most
    literal reading of the abstract's "dataset-level shift"; the formula is ours.
    """

    name = "centroid"
    uses_reference = True
    dataset_level = True

    def place(self, space: Space, rng: np.random.Generator) -> Place:
        reference = space.bank.mean(dim=0)
        return _nowhere(space, reference, (reference - space.mean)[None])


@register_strategy
class Shift(_Pointed):
    """Every photo moved by one and the same displacement, toward the reference bank.

    p = z0 + (r - m). The dataset's shape is kept and only its place changes, which is a
    "dataset-level shift" taken by the letter; the formula is ours.
    """

    name = "shift"
    uses_reference = True
    dataset_level = True

    def place(self, space: Space, rng: np.random.Generator) -> Place:
        reference = space.bank.mean(dim=0)
        return _nowhere(space, reference, (reference - space.mean)[None])

    def point(self, z0: Tensor, place: Place, own: Tensor, aim: Tensor) -> Tensor:
        return z0 + place.aims[aim]


@register_strategy
class Negated(_Directed):
    """Toward the negated dataset centroid, without a reference centre: one common region.

    L = repel · mean_t cos(z_t, z0_t) - attract · mean_t cos(z_t, -m); ours.
    """

    name = "negated_centroid"
    dataset_level = True

    def place(self, space: Space, rng: np.random.Generator) -> Place:
        return _nowhere(space, torch.zeros(space.features.shape[1]), -space.mean[None])


@register_strategy
class Prototype(_Directed):
    """Toward the reference bank's prototype that lies farthest from the dataset: one common region.

    k-means prototypes of the bank, the one of lowest cosine with the dataset's mean; the idea of
    PA-Attack (arXiv 2602.19418), which chooses it per photo among prototypes of real photos.
    """

    name = "prototype"
    uses_reference = True
    dataset_level = True
    prototypes: ClassVar[int] = 8

    def place(self, space: Space, rng: np.random.Generator) -> Place:
        centre = torch.zeros(space.features.shape[1])
        prototypes = k_means(space.bank, min(self.prototypes, len(space.bank)), rng)[0]
        farthest = _cosine(prototypes, space.mean).argmin()
        return _nowhere(space, centre, prototypes[farthest][None])


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
class MisleadOne(_Misleading, _Directed):
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
        shift = _unit(space.bank.mean(dim=0) - space.mean)
        return Place(place.centre, place.own, _unit(place.aims) + shift, place.scale)


@register_strategy
class SwapOne(_Misleading, _Pointed):
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
class Nobody(_Misleading, _Pointed):
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
        directions = _unit(weights @ identity)
        length = identity.norm(dim=1).mean()
        return Place(space.mean, centres, space.mean + length * directions, space.spread)

    def point(self, z0: Tensor, place: Place, own: Tensor, aim: Tensor) -> Tensor:
        return z0 - place.own[own] + place.aims[aim]


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
        first = _unit(common).expand_as(clean)
        rest = clean - (clean * first).sum(dim=1, keepdim=True) * first
        # of a photo alone nothing but rounding is left, which has no direction worth holding
        least = 1e-3 * clean.norm(dim=1, keepdim=True)
        length = rest.norm(dim=1, keepdim=True)
        second = torch.where(length > least, rest / length.clamp(min=1e-12), torch.zeros_like(rest))
        return torch.stack((first, second), dim=1)


def k_means(
    points: Tensor, count: int, rng: np.random.Generator, rounds: int = 25
) -> tuple[Tensor, Indices]:
    """Returns Lloyd's k-means with k-means++ seeding.

    Args:
        points: float32 (N, D)
        count: clusters, at most N
        rng: seeds the starting centres
        rounds: iterations

    Returns:
        float32 (count, D) centres and int64 (N,) cluster of each point
    """
    centres = points[int(rng.integers(len(points)))][None]
    while len(centres) < count:
        distance = torch.cdist(points, centres).amin(dim=1).double().square()
        share = (distance / distance.sum().clamp(min=1e-12)).cumsum(0).numpy()
        pick = min(len(points) - 1, int(np.searchsorted(share, rng.random())))
        centres = torch.cat((centres, points[pick][None]))
    nearest = torch.zeros(len(points), dtype=torch.long)
    for _ in range(rounds):
        nearest = torch.cdist(points, centres).argmin(dim=1)
        for index in range(count):
            members = points[nearest == index]
            if len(members):
                centres[index] = members.mean(dim=0)
    return centres, nearest.numpy().astype(np.int64)
