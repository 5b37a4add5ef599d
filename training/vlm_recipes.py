"""How each embedded vision-language model is trained, as data."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class LanguageModel:
    """A small Llama. Sizes as in the usual configuration fields."""

    width: int
    depth: int
    heads: int
    mlp: int


@dataclass(frozen=True)
class VlmRecipe:
    """One training run.

    Attributes:
        photos: name of the encoder recipe whose photos are learned from.
        encoder: folder of the vision encoder, which stays frozen.
        feature_layer: hidden state that the projector reads.
        select: ``"default"`` to leave out the first token, ``"full"`` to keep all.
        language: what learns to read and to speak.
        seed: of weights, batches, lessons and augmentation.
        batch: photos a step.
        steps: optimiser steps at most.
        minutes: wall-clock limit; the learning rate falls to zero by whichever ends first.
        rate: peak learning rate.
        target: folder that the model is written to.
        limit: bytes of all its files at most.
    """

    photos: str
    encoder: Path
    feature_layer: int
    select: str
    language: LanguageModel
    seed: int
    batch: int
    steps: int
    minutes: float
    rate: float
    target: Path
    limit: int


VLM_RECIPES: dict[str, VlmRecipe] = {
    "embedded": VlmRecipe(
        photos="embedded",
        encoder=Path("fiftyone_dp2vl/models/embedded"),
        feature_layer=-2,
        select="default",
        language=LanguageModel(width=192, depth=4, heads=3, mlp=512),
        seed=11,
        batch=32,
        steps=2400,
        minutes=20,
        rate=1.5e-3,
        target=Path("fiftyone_dp2vl/models/embedded_vlm"),
        limit=13_000_000,
    ),
    "heldout": VlmRecipe(
        photos="heldout",
        encoder=Path("tests/data/heldout"),
        # Releases of transformers differ in whether the last hidden state is normed.
        feature_layer=-2,
        select="full",
        language=LanguageModel(width=160, depth=4, heads=4, mlp=448),
        seed=12,
        batch=32,
        steps=2400,
        minutes=20,
        rate=1.5e-3,
        target=Path("tests/data/heldout_vlm"),
        limit=9_000_000,
    ),
}
