"""What a run will cost, told before it starts."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from ..config import OutputConfig, ProtectionConfig, SelectionConfig
from ..encoders import Encoder, load_encoder
from ..errors import PhotoError, RunError
from ..media import probe_photo, read_photo
from ..protection import collect_statistics, fit_targets, grid_pixels_for, protect, to_grid
from .items import PhotoItem
from .selection import select
from .space import bytes_needed, free_bytes, readable

__all__ = ["Estimate", "estimate"]

_PROBED = 64
_STEPS = 3


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """What a run will cost.

    Args:
        photos: that will be protected
        seconds: of wall time, about
        bytes: of disk, about
        free_bytes: on the disk that would hold them
    """

    photos: int
    seconds: float
    bytes: int
    free_bytes: int

    @property
    def fits(self) -> bool:
        """Whether the disk has the room."""
        return self.bytes <= self.free_bytes

    def __str__(self) -> str:
        minutes = max(1, round(self.seconds / 60))
        return (
            f"{self.photos} photos, about {minutes} min, "
            f"about {readable(self.bytes)} of the {readable(self.free_bytes)} that are free"
        )


def estimate(
    items: Sequence[PhotoItem],
    directory: str | os.PathLike[str],
    config: ProtectionConfig,
    selection: SelectionConfig,
    output: OutputConfig,
    *,
    device: str | torch.device | None = None,
    encoders: Sequence[Encoder] | None = None,
) -> Estimate:
    """Returns what a run will cost, by reading some headers and timing a few steps of the engine.

    Args:
        items: as for :func:`fiftyone_dp2vl.runs.protect_photos`, and so are the others
        directory: the run's folder
        config: how photos are moved
        selection: which photos
        output: how they are written
        device: of the surrogates
        encoders: the surrogates, to use in place of loading them

    Raises:
        RunError: if none of the photos that were looked at can be read
    """
    keys = select([item.key for item in items], [item.group for item in items], selection)
    chosen = {item.key: item for item in items}
    probed = [chosen[key] for key in keys[:: max(1, len(keys) // _PROBED)]]
    sizes = _sizes(probed)
    pixels = round(statistics.mean(sizes) * len(keys)) if sizes else 0
    seconds = 0.0
    if keys:
        models = list(encoders or [load_encoder(n, device=device) for n in config.encoders])
        seconds = _seconds_a_photo(probed, config, models) * len(keys)
    return Estimate(
        photos=len(keys),
        seconds=seconds,
        bytes=bytes_needed(pixels, output),
        free_bytes=free_bytes(Path(directory).absolute()),
    )


def _sizes(items: Sequence[PhotoItem]) -> list[int]:
    sizes = []
    for item in items:
        try:
            width, height = probe_photo(item.path)
            sizes.append(width * height)
        except PhotoError:
            continue
    return sizes


def _seconds_a_photo(
    items: Sequence[PhotoItem], config: ProtectionConfig, models: Sequence[Encoder]
) -> float:
    """Times one group of photos of one shape: the first step, which warms up, is left out."""
    grid_pixels = grid_pixels_for(config, models)
    start = time.perf_counter()
    images: list[torch.Tensor] = []
    read = 0
    for item in items:
        try:
            image = to_grid(read_photo(item.path).pixels, grid_pixels)
        except PhotoError:
            continue
        read += 1
        if not images or image.shape == images[0].shape:
            images.append(image)
        if len(images) == config.lanes or read == 2 * config.lanes:
            break
    if not images:
        raise RunError("none of the photos can be read: look at one of them in a viewer")
    reading = (time.perf_counter() - start) / read
    while len(images) < config.lanes:
        images.append(images[0])
    names = [str(number) for number in range(len(images))]
    short = replace(config, steps=_STEPS + 1)
    # the bank is encoded in any case and so never enters the time that is measured here
    found = collect_statistics([(names, images)], models, names=config.encoders)
    targets = fit_targets(found, short, names)
    ticks: list[float] = []
    protect(
        images,
        short,
        encoders=models,
        targets=targets,
        keys=names,
        on_step=lambda step, steps: ticks.append(time.perf_counter()),
    )
    step = (ticks[-1] - ticks[0]) / (len(ticks) - 1) / len(images)
    # reading, a forward pass for the survey and two for the verification come on top
    return step * (config.steps + 3) + reading
