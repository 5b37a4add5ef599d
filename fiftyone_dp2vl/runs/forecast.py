"""What a run will cost, told before it starts."""

from __future__ import annotations

import os
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from ..config import OutputConfig, ProtectionConfig, SelectionConfig
from ..encoders import Encoder, load_encoder
from ..errors import PhotoError
from ..media import probe_photo
from .items import PhotoItem
from .pace import measure_pace
from .selection import select
from .space import bytes_needed, free_bytes, readable

__all__ = ["Estimate", "estimate"]

_PROBED = 64


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
    """Returns what a run will cost, by reading some headers and timing a few steps and one file.

    Args:
        items: as for :func:`fiftyone_dp2vl.runs.protect_photos`, and so are the others
        directory: the run's folder
        config: how photos are moved
        selection: which photos
        output: how they are written
        device: of the surrogates
        encoders: the surrogates, to use in place of loading them

    Raises:
        RunError: if none of the photos that were looked at can be protected, or the GPU's memory is
            too small
    """
    # the run draws by the photos' content; as many others cost as much, without reading them all
    keys = select([item.key for item in items], [item.group for item in items], selection)
    chosen = {item.key: item for item in items}
    probed = [chosen[key] for key in keys[:: max(1, len(keys) // _PROBED)]]
    sizes = _sizes(probed)
    pixels = statistics.mean(sizes) if sizes else 0.0
    seconds = 0.0
    if keys:
        models = list(encoders or [load_encoder(n, device=device) for n in config.encoders])
        pace = measure_pace(probed, config, output, models)
        seconds = pace.seconds(len(keys), pixels, config)
    return Estimate(
        photos=len(keys),
        seconds=seconds,
        bytes=bytes_needed(round(pixels * len(keys)), output),
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
