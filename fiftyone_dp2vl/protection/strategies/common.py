"""Away from the photo itself, or toward one region common to all photos; nobody is named."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from ..clusters import k_means
from .base import Directed, Place, Pointed, Space, Strategy, cosine, nowhere, register_strategy


@register_strategy
class Repel(Directed):
    """Away from the photo's own clean tokens, toward nothing.

    L = repel · mean_t cos(z_t, z0_t). The untargeted token loss of VEAttack (arXiv 2505.17440).
    """

    name = "repel"

    def place(self, space: Space, rng: np.random.Generator) -> Place:
        return nowhere(space, torch.zeros(space.features.shape[1]))


@register_strategy
class Negation(Pointed):
    """To the photo's own negation, mirrored at the dataset's centre.

    p = 2 m - z0. Keeps the photos' geometry; ours.
    """

    name = "negation"

    def place(self, space: Space, rng: np.random.Generator) -> Place:
        return nowhere(space, space.mean)

    def point(self, z0: Tensor, place: Place, own: Tensor, aim: Tensor) -> Tensor:
        return 2 * place.centre - z0


class _TowardReference(Strategy):
    """What leads from the dataset's centroid to the reference bank's, the same for all photos."""

    uses_reference = True
    dataset_level = True

    def place(self, space: Space, rng: np.random.Generator) -> Place:
        reference = space.bank.mean(dim=0)
        return nowhere(space, reference, (reference - space.mean)[None])


@register_strategy
class Centroid(_TowardReference, Directed):
    """Toward the dataset's centroid reflected at a reference centre: one common region.

    L = repel · mean_t cos(z_t - r, z0_t - r) - attract · mean_t cos(z_t - r, r - m). The most
    literal reading of the abstract's "dataset-level shift"; the formula is ours.
    """

    name = "centroid"


@register_strategy
class Shift(_TowardReference, Pointed):
    """Every photo moved by one and the same displacement, toward the reference bank.

    p = z0 + (r - m). The dataset's shape is kept and only its place changes, which is a
    "dataset-level shift" taken by the letter; the formula is ours.
    """

    name = "shift"

    def point(self, z0: Tensor, place: Place, own: Tensor, aim: Tensor) -> Tensor:
        return z0 + place.aims[aim]


@register_strategy
class Negated(Directed):
    """Toward the negated dataset centroid, without a reference centre: one common region.

    L = repel · mean_t cos(z_t, z0_t) - attract · mean_t cos(z_t, -m); ours.
    """

    name = "negated_centroid"
    dataset_level = True

    def place(self, space: Space, rng: np.random.Generator) -> Place:
        return nowhere(space, torch.zeros(space.features.shape[1]), -space.mean[None])


@register_strategy
class Prototype(Directed):
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
        farthest = cosine(prototypes, space.mean).argmin()
        return nowhere(space, centre, prototypes[farthest][None])
