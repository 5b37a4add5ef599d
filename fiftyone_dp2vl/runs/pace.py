"""How fast this machine protects photos like these: a few steps and one file, timed."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from ..config import OutputConfig, ProtectionConfig
from ..encoders import Encoder
from ..errors import PhotoError, RunError
from ..machine import cores
from ..media import SUFFIXES, Photo, read_photo
from ..protection import (
    collect_statistics,
    fit_targets,
    get_strategy,
    grid_pixels_for,
    protect,
    to_grid,
)
from .ahead import PixelBudget, default_workers
from .finishing import Finisher, Perturbation
from .gpu_memory import gpu_memory
from .items import PhotoItem
from .originals import read_original
from .shapes import check_shape

__all__ = ["Pace", "measure_pace"]

_STEPS = 3
_CROP = 1024
"""Side of the part of a large photo that is finished for a trial: the time goes by pixels."""


@dataclass(frozen=True, kw_only=True)
class Pace:
    """What the parts of a run cost.

    The engine's part goes by photos and steps, since grids are of bounded size; what is done to
    files goes by pixels.

    Args:
        step: seconds of the engine for one step of one photo of a full batch
        reading: seconds a pixel, to read a photo and bring it to its grid
        finishing: seconds a pixel, from a perturbation to a file that was read back and measured
        cores: that the engine and the threads for files share; 0 where the engine has a device of
            its own
        bank: seconds for the reference bank, which is looked at once a run where the strategy
            reads it
    """

    step: float
    reading: float
    finishing: float
    cores: int
    bank: float = 0.0

    def seconds(self, photos: int, pixels: float, config: ProtectionConfig) -> float:
        """Returns the wall time of a run, about.

        Every photo is read for the survey first. Then the engine works on one batch while the one
        before is written and the one after is read; the first batch's engine and the last one's
        writing have nothing to hide behind.

        Args:
            photos: that will be protected
            pixels: of a photo, on average
            config: how they are moved
        """
        reading, finishing = self.reading * pixels, self.finishing * pixels / default_workers()
        # a forward pass for the survey and two for the verification come on top of the steps
        engine = self.step * (config.steps + 2)
        slowed = (reading + self.finishing * pixels) / self.cores if self.cores else 0.0
        alone = min(photos, config.lanes)
        return (
            self.bank
            + photos * (reading / default_workers() + self.step)
            + alone * (engine + finishing)
            + (photos - alone) * max(engine + slowed, finishing)
        )


@gpu_memory()
def measure_pace(
    items: Sequence[PhotoItem],
    config: ProtectionConfig,
    output: OutputConfig,
    models: Sequence[Encoder],
) -> Pace:
    """Times the reading of a few photos, a few steps on them, and the finishing of one.

    What is written is written to the system's temporary folder, and removed.

    Args:
        items: photos to try with, of which the first ones that can be read are taken
        config: how they are moved
        output: how they are written
        models: the surrogates

    Raises:
        RunError: if none of the photos can be protected, or the GPU's memory is too small
    """
    grid_pixels = grid_pixels_for(config, models)
    start = time.perf_counter()
    images: list[torch.Tensor] = []
    sample: Photo | None = None
    pixels = read = 0
    for item in items:
        try:
            photo = read_photo(item.path)
            check_shape(item, photo, grid_pixels, models)
        except PhotoError:
            continue
        image = to_grid(photo.pixels, grid_pixels)
        read, pixels = read + 1, pixels + photo.width * photo.height
        sample = sample or photo
        if not images or image.shape == images[0].shape:
            images.append(image)
        if len(images) == config.lanes or read == 2 * config.lanes:
            break
    if sample is None:
        raise RunError("none of the photos can be protected: look at one of them in a viewer")
    reading = (time.perf_counter() - start) / pixels
    step, bank, found = _step(images, config, models)
    return Pace(
        step=step,
        bank=bank,
        reading=reading,
        finishing=_finishing(sample, found, config, output, models),
        cores=cores() if models[0].device.type == "cpu" else 0,
    )


def _step(
    images: list[torch.Tensor], config: ProtectionConfig, models: Sequence[Encoder]
) -> tuple[float, float, Perturbation]:
    """Times one batch of one shape, without the first step, which warms up; and the bank."""
    # strategies that need people find two in any two photos
    fill = max(config.lanes, 2) - len(images)
    images = images + images[:1] * fill
    names = [str(number) for number in range(len(images))]
    short = replace(config, steps=_STEPS + 1)
    reference = get_strategy(config.strategy).uses_reference
    start = time.perf_counter()
    seen = collect_statistics([(names, images)], models, names=config.encoders, reference=reference)
    bank = time.perf_counter() - start if reference else 0.0
    ticks: list[float] = []
    found = protect(
        images[: config.lanes],
        short,
        encoders=models,
        targets=fit_targets(seen, short, names),
        keys=names[: config.lanes],
        on_step=lambda step, steps: ticks.append(time.perf_counter()),
    )
    seconds = (ticks[-1] - ticks[0]) / (len(ticks) - 1) / config.lanes
    return seconds, bank, Perturbation(found[0].delta, found[0].loss, found[0].start_loss)


def _finishing(
    photo: Photo,
    found: Perturbation,
    config: ProtectionConfig,
    output: OutputConfig,
    models: Sequence[Encoder],
) -> float:
    """Times the second of two goes on a part of a photo, in seconds a pixel."""
    top, left = (max(0, side - _CROP) // 2 for side in photo.pixels.shape[:2])
    part = np.ascontiguousarray(photo.pixels[top : top + _CROP, left : left + _CROP])
    with tempfile.TemporaryDirectory(prefix="dp2vl-pace-") as folder:
        item = PhotoItem("part", Path(folder, "part.png"))
        Image.fromarray(part).save(item.path, compress_level=1)
        original, _ = read_original(item)
        budget = PixelBudget(part.shape[0] * part.shape[1])
        finisher = Finisher(config, output, models, budget)
        seconds = 0.0
        for _ in range(2):
            start = time.perf_counter()
            path = Path(folder, f"protected{SUFFIXES[output.format]}")
            finisher.finish(item, original, found, path)
            seconds = time.perf_counter() - start
    return seconds / (original.width * original.height)
