"""The first pass: every selected photo is read once, and the run's targets are computed.

Targets depend on all photos of the run, so they come first and are saved. Until they are, nothing
has been protected, and a run that is killed here begins the pass again.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from ..config import ProtectionConfig
from ..encoders import Encoder
from ..errors import PhotoError
from ..media import probe_photo
from ..protection import Statistics, Targets, collect_statistics, fit_targets, get_strategy, to_grid
from .ahead import PixelBudget, ahead
from .items import PhotoItem
from .originals import Original, read_original, refused
from .shapes import check_shape

__all__ = ["survey"]


def survey(
    items: Sequence[PhotoItem],
    draws: Mapping[str, str],
    config: ProtectionConfig,
    encoders: Sequence[Encoder],
    grid_pixels: int,
    *,
    pool: ThreadPoolExecutor,
    budget: PixelBudget,
    tick: Callable[[int], None],
) -> tuple[list[Original], Targets | None]:
    """Returns what was noted of each photo, and the targets unless no photo can be protected.

    Batches have one size whatever the caller's: a feature must not depend on how many photos were
    encoded beside it, or two shards would disagree about the targets.

    Args:
        items: the selected photos; their order does not matter
        draws: key -> what the photo is drawn by, and what the targets know it by
        config: how they will be moved
        encoders: the surrogates, in the configuration's order
        grid_pixels: most pixels of a photo's grid
        pool: reads ahead
        budget: of full-size pixels in memory
        tick: called with the number of photos that were read; may raise to cancel
    """
    originals: list[Original] = []
    # the order decides who is encoded beside whom
    items = sorted(items, key=lambda item: (draws[item.key], item.key))
    groups = {draws[item.key]: item.group for item in items}

    def read(item: PhotoItem) -> tuple[Original, Tensor | None]:
        with budget.hold(pixels_of(item)):
            original, photo = read_original(item)
            if photo is None:
                return original, None
            try:
                check_shape(item, photo, grid_pixels, encoders)
            except PhotoError as error:
                return refused(item, error), None
            return original, to_grid(photo.pixels, grid_pixels)

    def batches() -> Iterator[tuple[list[str], list[Tensor]]]:
        keys: list[str] = []
        images: list[Tensor] = []
        for original, image in ahead(pool, read, items, limit=2 * config.lanes):
            originals.append(original)
            tick(len(originals))
            if image is not None:
                keys.append(draws[original.key])
                images.append(image)
            if len(keys) == config.lanes:
                yield keys, images
                keys, images = [], []
        if keys:
            yield keys, images

    statistics = collect_statistics(
        batches(),
        encoders,
        names=config.encoders,
        reference=get_strategy(config.strategy).uses_reference,
    )
    odd = _without_features(statistics)
    if odd:
        statistics = _without(statistics, odd)
        by_key = {item.key: item for item in items}
        originals = [_odd(by_key[o.key]) if draws[o.key] in odd else o for o in originals]
    if not statistics.keys:
        return originals, None
    return originals, fit_targets(statistics, config, [groups[key] for key in statistics.keys])


def _without_features(statistics: Statistics) -> set[str]:
    """Returns the keys of photos of which a surrogate makes no numbers."""
    if not statistics.keys:
        return set()
    finite = [feature.isfinite().all(dim=1) for feature in statistics.features.values()]
    fine = torch.stack(finite).all(dim=0).tolist()
    return {key for key, good in zip(statistics.keys, fine, strict=True) if not good}


def _without(statistics: Statistics, odd: Collection[str]) -> Statistics:
    """Returns the others' statistics: one such photo would make every target one of no numbers."""
    rows = [row for row, key in enumerate(statistics.keys) if key not in odd]
    return replace(
        statistics,
        keys=tuple(statistics.keys[row] for row in rows),
        features={where: found[rows] for where, found in statistics.features.items()},
    )


def _odd(item: PhotoItem) -> Original:
    error = PhotoError(
        f"a surrogate makes no finite features of {Path(item.path).name}: choose another surrogate "
        "or leave the photo out",
        code="no-features",
    )
    return refused(item, error)


def pixels_of(item: PhotoItem) -> int:
    """Returns a photo's pixels from its header, 0 for one that will be refused."""
    try:
        width, height = probe_photo(item.path)
    except Exception:  # reading it in full will say what is wrong
        return 0
    return width * height
