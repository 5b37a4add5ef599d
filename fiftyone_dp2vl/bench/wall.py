"""How much of a run's time is not the engine's: reading, writing, checking files.

The engine works on a grid of bounded size, so its time goes by photos and steps; what is done to
files goes by pixels. Their ratio is therefore one of the photos' size.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from ..config import OutputConfig, ProtectionConfig, SelectionConfig
from ..encoders import Encoder
from ..measure.cards import Row
from ..measure.intervals import Interval, seed_interval
from .task import SIDE, make_photos

__all__ = ["CAMERA", "wall_over_engine"]

CAMERA = (4000, 3000)
"""Width and height of a camera's photo: 12 megapixels."""


def wall_over_engine(
    encoder: Encoder,
    config: ProtectionConfig,
    *,
    photos: int,
    rounds: int,
    size: tuple[int, int] = (SIDE, SIDE),
) -> list[Row]:
    """Times whole runs, from photo files to checked files, at the configured steps.

    Args:
        encoder: the surrogate
        config: its ``encoders`` name ``encoder``
        photos: files of a run; more than ``config.lanes``, since files are written while the
            engine works on the next ones
        rounds: runs after one for burning in
        size: width and height of the files
    """
    from PIL import Image

    from ..runs import PhotoItem, protect_photos

    ratios, speeds, outside = [], [], []
    with tempfile.TemporaryDirectory(prefix="dp2vl-bench-") as temporary:
        folder = Path(temporary)
        (folder / "in").mkdir()
        items = []
        for index, photo in enumerate(make_photos(photos)):
            path = folder / "in" / f"{index:04d}.jpg"
            image = Image.fromarray(photo.numpy())
            image.resize(size, Image.Resampling.BICUBIC).save(path, quality=92)
            items.append(PhotoItem(path.name, path, f"person {index % max(2, photos // 4)}"))
        for turn in range(rounds + 1):
            run = protect_photos(
                items,
                folder / f"out-{turn}",
                config,
                SelectionConfig(),
                OutputConfig(),
                encoders=[encoder],
            )
            if turn > 0:
                ratios.append(run.wall_seconds / run.engine_seconds)
                outside.append(1 - run.engine_seconds / run.wall_seconds)
                speeds.append(photos / run.wall_seconds)
    where = {"run": f"{photos} files of {size[0]} x {size[1]} pixels, {config.steps} steps"}

    def spread(values: list[float]) -> Interval | None:
        return seed_interval(values) if rounds > 1 else None

    return [
        Row(
            figure="wall_over_engine",
            value=sum(ratios) / rounds,
            unit="ratio",
            interval=spread(ratios),
            n=rounds,
            conditions=where,
        ),
        Row(
            figure="wall_share_outside_engine",
            value=sum(outside) / rounds,
            unit="share",
            interval=spread(outside),
            n=rounds,
            conditions=where,
        ),
        Row(
            figure="photos_per_second",
            value=sum(speeds) / rounds,
            unit="photos/s",
            n=rounds * photos,
            conditions=where,
        ),
    ]
