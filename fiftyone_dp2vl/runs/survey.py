"""The first pass: every selected photo is read once, and the run's targets are computed.

Targets depend on all photos of the run, so they come first and are saved. Until they are, nothing
has been protected, and a run that is killed here begins the pass again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

from torch import Tensor

from ..config import ProtectionConfig
from ..encoders import Encoder
from ..media import probe_photo
from ..protection import Targets, collect_statistics, fit_targets, get_strategy, to_grid
from .ahead import PixelBudget, ahead
from .items import PhotoItem
from .originals import Original, read_original

__all__ = ["survey"]


def survey(
    items: Sequence[PhotoItem],
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
        items: the selected photos, sorted by key
        config: how they will be moved
        encoders: the surrogates, in the configuration's order
        grid_pixels: most pixels of a photo's grid
        pool: reads ahead
        budget: of full-size pixels in memory
        tick: called with the number of photos that were read; may raise to cancel
    """
    originals: list[Original] = []
    groups: dict[str, str | None] = {item.key: item.group for item in items}

    def read(item: PhotoItem) -> tuple[Original, Tensor | None]:
        with budget.hold(pixels_of(item)):
            original, photo = read_original(item)
            return original, None if photo is None else to_grid(photo.pixels, grid_pixels)

    def batches() -> Iterator[tuple[list[str], list[Tensor]]]:
        keys: list[str] = []
        images: list[Tensor] = []
        for original, image in ahead(pool, read, items, limit=2 * config.lanes):
            originals.append(original)
            tick(len(originals))
            if image is not None:
                keys.append(original.key)
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
    if not statistics.keys:
        return originals, None
    return originals, fit_targets(statistics, config, [groups[key] for key in statistics.keys])


def pixels_of(item: PhotoItem) -> int:
    """Returns a photo's pixels from its header, 0 for one that will be refused."""
    try:
        width, height = probe_photo(item.path)
    except Exception:  # reading it in full will say what is wrong
        return 0
    return width * height
