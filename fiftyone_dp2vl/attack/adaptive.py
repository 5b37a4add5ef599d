"""Attackers who know of the protection: A2, A4 to A8 and A10 of the ladder, and synthetic sets.

A1 is the group of post-processing; A3 (purification by a generative model), A9 (face recognition)
and A11 (captions alone) need what this package does not hold, and reports say so.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from ..measure.cells import code_digest
from ..measure.features import read_rgb
from ..measure.report import Arm
from .album import AlbumPhoto
from .augment import augmented
from .changes import Pixels
from .contents import sha
from .options import ArmOption
from .workbench import Material, Workbench

if TYPE_CHECKING:
    from .denoiser import Denoiser
    from .detector import Detector

__all__ = ["ADAPTIVE"]

_PROTECTED = frozenset({"protected"})
_TOOL = frozenset({"protected", "tool"})
_OTHERS = frozenset({"protected", "tool", "others"})

LONGER = 3
"""Times the recipe's epochs: where the clean photos are learned by heart long before its end,
protected ones are not."""


def _recipe(
    *, clean: bool = False, longer: int = 1, **changes: Any
) -> Callable[[Workbench], Material]:
    """Trains in another way: on the photos as they are shared, or on the clean ones."""

    def make(bench: Workbench) -> Material:
        photos = bench.shared if clean else bench.protected_photos
        return Material(photos, changes=changes, longer=longer)

    return make


def _leak(bench: Workbench) -> Material:
    """Some of each person's share photos are known clean as well."""
    leaked = []
    for person in bench.album.people:
        own = [photo for photo in bench.shared if photo.person == person]
        ratio = min(1.0, bench.config.leaked / len(own))
        chosen = bench.subset(ratio, photos=own)
        leaked += [replace(p, key=f"{p.key}~clean") for p in own if p.key in chosen]
    return Material((*bench.protected_photos, *leaked))


def _synthetic(bench: Workbench, photos: Sequence[AlbumPhoto]) -> Material:
    """Each photo is replaced by variations of it."""
    from PIL import Image

    made: list[AlbumPhoto] = []
    seed = bench.repetition
    code = code_digest("attack/augment")
    for turn in range(bench.config.synthetic):

        def vary(pixels: Pixels, key: str, turn: int = turn) -> Pixels:
            return np.asarray(augmented(Image.fromarray(pixels), key, turn, seed))

        named = [replace(photo, key=f"{photo.key}~{turn}") for photo in photos]
        made += bench.changed(named, vary, name="synthetic", turn=turn, seed=seed, augment=code)
    return Material(tuple(made))


def _clean_synthetic(bench: Workbench) -> Material:
    return _synthetic(bench, bench.shared)


def _protected_synthetic(bench: Workbench) -> Material:
    return _synthetic(bench, bench.protected_photos)


def _pair_pixels(bench: Workbench) -> list[tuple[Pixels, Pixels]]:
    return [(read_rgb(pair.photo.path), read_rgb(pair.protected)) for pair in bench.pairs]


def _denoiser(bench: Workbench) -> Material:
    from .denoiser import train_denoiser

    steps, epsilon, grid = bench.config.denoiser_steps, bench.epsilon, bench.grid_pixels

    def show(step: int) -> None:
        bench.check()
        bench.report(step / steps, "trains a denoiser on other people's photos")

    @cache
    def trained() -> Denoiser:
        return train_denoiser(
            _pair_pixels(bench),
            epsilon=epsilon,
            grid_pixels=grid,
            steps=steps,
            seed=bench.repetition,
            on_step=show,
        )

    def denoise(pixels: Pixels, key: str) -> Pixels:
        # trained at the first photo that is not there yet, and so not at all in a resumed run
        return trained()(pixels, key)

    pairs = [[sha(pair.photo.path), sha(pair.protected)] for pair in bench.pairs]
    spec = {"steps": steps, "epsilon": epsilon, "grid": grid, "pairs": pairs}
    code = code_digest("attack/denoiser")
    return Material(
        bench.changed(
            bench.protected_photos,
            denoise,
            name="denoised",
            seed=bench.repetition,
            denoiser=code,
            **spec,
        )
    )


def _map(bench: Workbench) -> Material:
    return Material(bench.protected_photos, pairs=bench.pairs)


def _detector(bench: Workbench) -> Material:
    """Half of each person's photos are protected; the attacker trains on what looks clean."""
    from .detector import train_detector

    detector = train_detector(_pair_pixels(bench), grid_pixels=bench.grid_pixels)
    chosen = bench.subset(0.5)
    kept: list[AlbumPhoto] = []
    right: list[float] = []
    for person in bench.album.people:
        own = [photo for photo in bench.shared if photo.person == person]
        mixed = bench.with_files(own, {k: f for k, f in bench.protected.items() if k in chosen})
        suspicion = [detector(read_rgb(photo.path)) for photo in mixed]
        clean = [p for p, doubt in zip(mixed, suspicion, strict=True) if doubt < 0.5]
        kept += clean or [mixed[int(np.argmin(suspicion))]]
        right += [_right(bench, detector, photo) for photo in own]
    people = [
        photo.person for p in bench.album.people for photo in bench.shared if photo.person == p
    ]
    return Material(tuple(kept), facts={"detector_accuracy": (right, people)})


def _right(bench: Workbench, detector: Detector, photo: AlbumPhoto) -> float:
    """The share of right answers on a photo and its protected twin."""
    answers = [detector(read_rgb(photo.path)) < 0.5]
    if photo.key in bench.protected:
        answers.append(detector(read_rgb(bench.protected[photo.key])) >= 0.5)
    return float(np.mean(answers))


def _others(bench: Workbench) -> Material:
    """Other people are learned from their clean and their protected photos alike."""
    before = [replace(pair.photo, role="share") for pair in bench.pairs]
    after = [
        replace(pair.photo, role="share", key=f"{pair.photo.key}~protected", path=pair.protected)
        for pair in bench.pairs
    ]
    return Material((*bench.protected_photos, *before, *after))


def _queries(groups: bool) -> Callable[[Workbench], Material]:
    def make(bench: Workbench) -> Material:
        files = bench.tool(bench.album.of("query"), groups=groups)
        return Material(bench.protected_photos, queries=files)

    return make


def _arm(name: str, needs: str) -> Arm:
    return Arm(name=f"adaptive: {name}", group="adaptive", needs=needs)


ADAPTIVE: tuple[ArmOption, ...] = (
    ArmOption(
        "clean-synthetic",
        Arm(
            name="clean, synthetic set",
            group="control",
            needs="No photo itself, only random crops, flips and recolourings of the clean ones.",
        ),
        _clean_synthetic,
    ),
    ArmOption(
        "clean-tower-lora",
        Arm(
            name="clean, vision tower, LoRA",
            group="control",
            needs="The clean photos, and adapters in the vision encoder too.",
        ),
        _recipe(clean=True, tower="lora"),
        proxies=False,
    ),
    ArmOption(
        "clean-tower-full",
        Arm(
            name="clean, vision tower, unfrozen",
            group="control",
            needs="The clean photos, and the whole vision encoder trained.",
        ),
        _recipe(clean=True, tower="full"),
        proxies=False,
    ),
    ArmOption(
        "longer",
        _arm("longer training", f"{LONGER} times the recipe's epochs."),
        _recipe(longer=LONGER),
        _PROTECTED,
        proxies=False,
    ),
    ArmOption(
        "synthetic",
        _arm(
            "synthetic set",
            "Random crops, flips and recolourings of the protected photos in their place.",
        ),
        _protected_synthetic,
        _PROTECTED,
    ),
    ArmOption(
        "a2",
        _arm("A2 augmentation", "A flag: random crops, flips, colour and noise at every pass."),
        _recipe(augment=True),
        _PROTECTED,
        proxies=False,
    ),
    ArmOption(
        "a4",
        _arm("A4 leaked photos", "A few clean photos of each person beside the protected ones."),
        _leak,
        _PROTECTED,
    ),
    ArmOption(
        "a5",
        _arm("A5 another encoder", "A model whose vision encoder was no surrogate."),
        _recipe(),
        _PROTECTED,
        transfer=True,
    ),
    ArmOption(
        "a6-lora",
        _arm("A6 vision tower, LoRA", "Memory for adapters in the vision encoder too."),
        _recipe(tower="lora"),
        _PROTECTED,
        proxies=False,
    ),
    ArmOption(
        "a6-full",
        _arm("A6 vision tower, unfrozen", "Memory for training the whole vision encoder."),
        _recipe(tower="full"),
        _PROTECTED,
        proxies=False,
    ),
    ArmOption(
        "a7-denoiser",
        _arm(
            "A7 learned denoiser",
            "Our tool, run on other people's photos, and a small network trained to undo it.",
        ),
        _denoiser,
        _OTHERS,
    ),
    ArmOption(
        "a7-map",
        _arm(
            "A7 learned map of features",
            "Our tool, run on other people's photos, and a linear map back in feature space.",
        ),
        _map,
        _OTHERS,
        models=False,
    ),
    ArmOption(
        "a7-others",
        _arm(
            "A7 other people, clean and protected",
            "Our tool, run on other people's photos, and both versions in the training set.",
        ),
        _others,
        _OTHERS,
        proxies=False,
    ),
    ArmOption(
        "a7-detector",
        _arm(
            "A7 detector, 50 % of photos",
            "Half of each person's photos left unprotected, and a detector trained on our tool's "
            "output that finds them.",
        ),
        _detector,
        _OTHERS,
    ),
    ArmOption(
        "a8",
        _arm("A8 query protected too", "Our tool, run on the query photos before asking."),
        _queries(groups=False),
        _TOOL,
    ),
    ArmOption(
        "a8-groups",
        _arm(
            "A8 query protected too, groups known",
            "Our tool with the protection's own seed, and knowing which query photos show the "
            "same person.",
        ),
        _queries(groups=True),
        _TOOL | {"queries of two people"},
    ),
    ArmOption(
        "a10",
        _arm("A10 early stopping", "A way to tell the best epoch; here the best is given away."),
        _recipe(),
        _PROTECTED,
        proxies=False,
        derived="protected",
    ),
)
"""The arms, in the order of the ladder."""
