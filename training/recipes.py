"""How each shipped encoder is trained, as data."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class PhotoSet:
    """Training photos: `people` of `split`, `photos_per_person` each, `side` pixels square."""

    split: str
    seed: int
    people: int
    photos_per_person: int
    side: int
    share_alone: float = 0.2


@dataclass(frozen=True)
class Architecture:
    """An encoder. Sizes as in the usual configuration fields.

    Attributes:
        family: ``clip`` for a dual encoder in CLIP's format, ``siglip`` for a vision tower in
            SigLIP's format: no class token, pooled by attention.
        image: side of the input in pixels.
        patch: side of a patch in pixels.
        width: of the tokens.
        depth: number of blocks.
        heads: of attention.
        mlp: width inside a block's perceptron.
        activation: inside a block's perceptron.
        projection: width of the joint space; unused by ``siglip``.
        text_width: as `width`, of the text tower; unused by ``siglip``.
        text_depth: as `depth`.
        text_heads: as `heads`.
    """

    family: str
    image: int
    patch: int
    width: int
    depth: int
    heads: int
    mlp: int
    activation: str
    projection: int
    text_width: int = 96
    text_depth: int = 2
    text_heads: int = 3


@dataclass(frozen=True)
class Recipe:
    """One training run.

    Attributes:
        photos: what is learned from.
        architecture: what learns; None continues from `start`.
        start: folder of the encoder to continue from, or None.
        seed: of weights, batches and augmentation.
        batch: photos a step.
        steps: optimiser steps at most.
        minutes: wall-clock limit; the learning rate falls to zero by whichever ends first.
        rate: peak learning rate.
        target: folder that the encoder is written to.
    """

    photos: PhotoSet
    architecture: Architecture | None
    start: Path | None
    seed: int
    batch: int
    steps: int
    minutes: float
    rate: float
    target: Path


_EMBEDDED = Path("fiftyone_dp2vl/models/embedded")

RECIPES: dict[str, Recipe] = {
    "embedded": Recipe(
        photos=PhotoSet("train", 1, people=2400, photos_per_person=12, side=128),
        architecture=Architecture("clip", 112, 16, 192, 6, 3, 768, "gelu", 128),
        start=None,
        seed=1,
        batch=192,
        steps=2000,
        minutes=100,
        rate=1.2e-3,
        target=_EMBEDDED,
    ),
    "heldout": Recipe(
        photos=PhotoSet("train_heldout", 2, people=1400, photos_per_person=10, side=140),
        architecture=Architecture("siglip", 120, 20, 160, 5, 5, 640, "gelu_pytorch_tanh", 0),
        start=None,
        seed=2,
        batch=160,
        steps=4600,
        minutes=100,
        rate=1.2e-3,
        target=Path("tests/data/heldout"),
    ),
    "finetuned": Recipe(
        photos=PhotoSet("train", 3, people=250, photos_per_person=10, side=128),
        architecture=None,
        start=_EMBEDDED,
        seed=3,
        batch=128,
        steps=250,
        minutes=15,
        rate=1e-4,
        target=Path("tests/data/finetuned"),
    ),
}
