"""A whole run: survey, protect, verify; killed at any moment, it goes on where it was."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

import torch
from torch import Tensor

from ..config import OutputConfig, ProtectionConfig, SelectionConfig, require_count
from ..encoders import Encoder, default_device, load_encoder
from ..errors import Cancelled, ConfigError, PhotoError, RunError, reason_of
from ..media import SUFFIXES, check_output_folder
from ..protection import grid_pixels_for, grid_size, mask_to_grid, protect, to_grid
from .ahead import PixelBudget, ahead, default_workers
from .beforehand import check_settings, possible_groups
from .draws import draws_of, told_apart
from .finishing import Finished, Finisher, Perturbation, failure, measured
from .folder import RunFolder, has_begun, refuse_foreign
from .gpu_memory import gpu_memory
from .items import PhotoItem, PhotoRecord, Progress, RunResult
from .lock import locked
from .manifest import PHOTOS, ItemList, Manifest, describe_encoder
from .meter import Meter
from .names import file_names
from .originals import read_mask, read_unchanged
from .pending import Pending
from .recheck import recheck
from .selection import refuse_twice, select
from .space import bytes_needed, check_space
from .survey import survey

__all__ = ["protect_photos"]

PIXELS_IN_MEMORY = 48_000_000
"""Pixels of full-size photos in all threads together; a photo takes about 50 bytes a pixel while it
is written, read back and measured."""


@gpu_memory()
def protect_photos(
    items: Sequence[PhotoItem],
    directory: str | os.PathLike[str],
    config: ProtectionConfig,
    selection: SelectionConfig,
    output: OutputConfig,
    *,
    device: str | torch.device | None = None,
    batch_size: int | None = None,
    workers: int | None = None,
    progress: Callable[[Progress], None] | None = None,
    cancel: Callable[[], bool] | None = None,
    encoders: Sequence[Encoder] | None = None,
    local_files_only: bool = False,
    shard: tuple[int, int] = (0, 1),
) -> RunResult:
    """Protects photos into a folder, or goes on with a run that was begun there.

    A photo that cannot be protected is recorded and the run goes on. Started again after it was
    killed, the run ends with the very files that an unbroken one writes, and optimises at most
    one batch twice.

    Args:
        items: the photos; their order does not matter
        directory: the run's folder: new, empty, or that of the same run
        config: how photos are moved
        selection: which photos
        output: how they are written
        device: of the surrogates; None takes the GPU where there is one
        batch_size: photos between two savings, by default ``config.lanes``
        workers: threads that read, and as many that write; by default by the number of cores
        progress: called now and then from this thread
        cancel: asked now and then from this thread whether to stop
        encoders: the surrogates in the configuration's order, to use in place of loading them
        local_files_only: whether surrogates are loaded from this machine's files only
        shard: (index, count): survey all photos, so that the targets are those of the whole run,
            but protect only every ``count``-th

    Returns:
        a record for each item, in order; with ``shard``, without those of the other shards

    Raises:
        ConfigError: if an argument is out of range, or the strategy needs more people
        RunError: if the run cannot start or go on, such as for want of GPU memory
        Cancelled: when ``cancel`` says so; what is finished is kept
    """
    start = time.perf_counter()
    items = list(items)
    if not items:
        raise RunError("there are no photos to protect: choose a view or a folder with photos")
    if not 0 <= shard[0] < shard[1]:
        raise ConfigError(f"shard is {shard}: give (i, n) with i from 0 to n - 1")
    for name, count in (("batch_size", batch_size), ("workers", workers)):
        require_count(name, count)
    directory = Path(os.path.abspath(directory))
    refuse_twice([item.key for item in items])
    check_output_folder(directory, (item.path for item in items))
    refuse_foreign(directory)
    workers = workers or default_workers()
    listed = None
    if not has_begun(directory):  # else photos may have gone, and its people are known already
        check_settings(config, possible_groups(Counter(item.group for item in items), selection))
        listed = _listed(items, selection, workers, progress, cancel)
        check_settings(config, [group for _, group in listed.selected])
    models = list(encoders) if encoders is not None else _load(config, device, local_files_only)
    if len(models) != len(config.encoders):
        raise ConfigError("encoders differ from config.encoders in number: give one for each name")
    asked = Manifest(
        protection=config,
        selection=selection,
        output=output,
        encoders=tuple(
            describe_encoder(name, model.info)
            for name, model in zip(config.encoders, models, strict=True)
        ),
        device=models[0].device.type,
        threads=torch.get_num_threads() if models[0].device.type == "cpu" else None,
        shard=shard,
    )
    with (
        _one_sentence(directory),
        locked(directory),
        RunFolder(directory, asked, items, listed) as folder,
    ):
        run = _Run(folder, items, models, batch_size or config.lanes, workers, progress, cancel)
        run.go()
        return RunResult(
            records=run.records(),
            directory=directory,
            manifest=folder.manifest,
            warnings=tuple(folder.warnings),
            wall_seconds=time.perf_counter() - start,
            engine_seconds=run.engine_seconds,
        )


@contextmanager
def _one_sentence(directory: Path) -> Iterator[None]:
    """Says what a disk refused; reading originals never gets here, it has sentences of its own."""
    try:
        yield
    except OSError as error:
        reason = reason_of(error)
        raise RunError(
            f"{directory} cannot be written ({reason}): mend that and start the same command "
            "again; what is finished is kept"
        ) from error


def _load(
    config: ProtectionConfig, device: str | torch.device | None, local_files_only: bool
) -> list[Encoder]:
    device = device or default_device()
    return [
        load_encoder(name, device=device, local_files_only=local_files_only)
        for name in config.encoders
    ]


def _listed(
    items: Sequence[PhotoItem],
    selection: SelectionConfig,
    workers: int,
    progress: Callable[[Progress], None] | None,
    cancel: Callable[[], bool] | None,
) -> ItemList:
    """Draws the photos of a run that begins."""
    unread = sum(item.draw is None for item in items)
    meter = Meter("read", 0, unread, progress, cancel)
    with ThreadPoolExecutor(workers) as pool:
        found = draws_of(items, pool=pool, tick=meter.at)
    groups = {item.key: item.group for item in items}
    draws, keys = told_apart(found, groups), list(groups)
    chosen = select(keys, list(groups.values()), selection, [draws.get(key) for key in keys])
    return ItemList(
        selected=tuple((key, groups[key]) for key in chosen),
        clean=tuple(sorted(set(keys).difference(chosen))),
        draws={key: draws.get(key, key) for key in chosen},
    )


Ready = tuple[str, Tensor, Tensor | None] | tuple[str, PhotoError]
"""A photo on its grid with its mask, or why there is none."""


class _Run:
    """One call's work in a run's folder."""

    def __init__(
        self,
        folder: RunFolder,
        items: Sequence[PhotoItem],
        models: list[Encoder],
        batch_size: int,
        workers: int,
        progress: Callable[[Progress], None] | None,
        cancel: Callable[[], bool] | None,
    ) -> None:
        self.folder = folder
        self.given = items
        self.items = {item.key: item for item in items}
        self.models = models
        self.batch_size = batch_size
        self.workers = workers
        self.progress, self.cancel = progress, cancel
        self.config = folder.manifest.protection
        self.output = folder.manifest.output
        self.grid_pixels = grid_pixels_for(self.config, models)
        self.budget = PixelBudget(PIXELS_IN_MEMORY)
        self.pending = Pending(folder.directory)
        self.finisher = Finisher(self.config, self.output, models, self.budget)
        suffix = SUFFIXES[self.output.format]
        self.names = file_names([key for key, _ in folder.selected], suffix)
        self.engine_seconds = 0.0
        self.writing: list[Future[Finished]] = []

    def go(self) -> None:
        """Does what is left to do."""
        with ExitStack() as stack:
            self.readers = self._pool(stack)
            self.writers = self._pool(stack)
            if self.folder.surveyed:
                recheck(self.folder, self.items)
            else:
                self._survey()
            self._protect()
        self.pending.clear_all()

    def _pool(self, stack: ExitStack) -> ThreadPoolExecutor:
        pool = ThreadPoolExecutor(self.workers)
        stack.callback(pool.shutdown, cancel_futures=True)
        return pool

    def records(self) -> list[PhotoRecord]:
        """Returns what became of each given item, without the other shards' photos."""
        mine, chosen = set(self._order()), {key for key, _ in self.folder.selected}
        found = []
        for item in self.given:
            if item.key not in chosen:
                found.append(PhotoRecord(key=item.key, status="clean"))
            elif item.key in mine:
                found.append(self.folder.records.get(item.key) or self._refused(item.key))
        return found

    def _refused(self, key: str) -> PhotoRecord:
        original = self.folder.originals[key]
        return PhotoRecord(key=key, status="failed", code=original.code, error=original.error)

    def _survey(self) -> None:
        items = [self.items[key] for key, _ in self.folder.selected]
        meter = Meter("survey", 0, len(items), self.progress, self.cancel)
        try:
            originals, targets = survey(
                items,
                self.folder.draws,
                self.config,
                self.models,
                self.grid_pixels,
                pool=self.readers,
                budget=self.budget,
                tick=meter.at,
            )
        except ConfigError:  # such as too few people among the photos that can be read
            self.folder.abandon()
            raise
        self.folder.begin(originals, targets)

    def _order(self) -> list[str]:
        """Returns this shard's photos in a fixed order, those of one grid shape side by side.

        The engine fills its lanes with photos of one shape.
        """

        def place(key: str) -> tuple[object, ...]:
            original, draw = self.folder.originals[key], self.folder.draws[key]
            if original.code is not None:
                return (0, 0, 0, False, draw, key)
            grid = grid_size(original.height, original.width, self.grid_pixels)
            return (1, *grid, original.gray, draw, key)

        index, count = self.folder.manifest.shard
        return sorted(self.folder.originals, key=place)[index::count]

    def _protect(self) -> None:
        order = [key for key in self._order() if self.folder.originals[key].code is None]
        left = [key for key in order if key not in self.folder.records]
        pixels = sum(self.folder.originals[k].width * self.folder.originals[k].height for k in left)
        check_space(self.folder.directory, bytes_needed(pixels, self.output))
        self.meter = Meter(
            "protect", len(order) - len(left), len(order), self.progress, self.cancel
        )
        self.total = len(order)
        try:
            self._write_pending(order)
            self._optimise(order)
            self._settle()
            self.meter.tell(self._done())
        except Cancelled:
            self._settle()
            raise

    def _done(self) -> int:
        return self.total - self.left

    def _write_pending(self, order: list[str]) -> None:
        """Makes files of what an earlier call optimised and did not come to write."""
        pending = self.pending.load()
        keys = [key for key in order if key in pending and key not in self.folder.records]
        self.left = len([key for key in order if key not in self.folder.records])
        self._write({key: pending[key] for key in keys})
        self._settle()
        self.pending.clear_all()

    def _optimise(self, order: list[str]) -> None:
        # batches are cut from the whole order: after a resume each has the mates it would have had
        batches = [
            [key for key in order[at : at + self.batch_size] if key not in self.folder.records]
            for at in range(0, len(order), self.batch_size)
        ]
        reading = ahead(
            self.readers,
            self._ready,
            [key for batch in batches for key in batch],
            limit=2 * self.batch_size,
        )
        written = -1
        for number, batch in enumerate(batches):
            if not batch:
                continue
            found = self._found([next(reading) for _ in batch])
            self.pending.save(number, found)
            before, self.writing = self.writing, []
            self._write(found)
            self._settle(before)
            if written >= 0:
                self.pending.clear(written)
            written = number
            self.meter.at(self._done(), self._done() + len(self.writing))

    def _ready(self, key: str) -> Ready:
        item, original = self.items[key], self.folder.originals[key]
        with self.budget.hold(original.width * original.height):
            try:
                photo = read_unchanged(item, original)
                mask = read_mask(item, original)
            except PhotoError as error:
                return key, error
            image = to_grid(photo.pixels, self.grid_pixels)
            if mask is None:
                return key, image, None
            size = (image.shape[1], image.shape[2])
            return key, image, mask_to_grid(torch.from_numpy(mask), size)

    def _found(self, ready: list[Ready]) -> dict[str, Perturbation]:
        """Returns the engine's answer for the photos of a batch that could be read."""
        for entry in ready:
            if isinstance(entry[1], PhotoError):
                self._add(failure(entry[0], entry[1]))
        photos = [entry for entry in ready if len(entry) == 3]
        if not photos:
            return {}
        assert self.folder.targets is not None  # there is a readable photo, so there are targets
        done = self._done() + len(self.writing)

        def on_step(step: int, steps: int) -> None:
            self.meter.at(self._done(), done + len(photos) * step / steps)

        start = time.perf_counter()
        protected = protect(
            [image for _, image, _ in photos],
            self.config,
            encoders=self.models,
            targets=self.folder.targets,
            keys=[self.folder.draws[key] for key, _, _ in photos],
            masks=[mask for _, _, mask in photos],
            on_step=on_step,
        )
        self.engine_seconds += time.perf_counter() - start
        return {
            key: Perturbation(result.delta, result.loss, result.start_loss)
            for (key, _, _), result in zip(photos, protected, strict=True)
        }

    def _write(self, found: dict[str, Perturbation]) -> None:
        """Hands a batch to the writers."""
        folder = self.folder.directory / PHOTOS
        self.writing = [
            self.writers.submit(
                self.finisher.finish,
                self.items[key],
                self.folder.originals[key],
                perturbation,
                folder / self.names[key],
            )
            for key, perturbation in found.items()
        ]

    def _settle(self, writing: list[Future[Finished]] | None = None) -> None:
        """Waits for files, measures their cosines and notes them, in order."""
        if writing is None:
            writing, self.writing = self.writing, []
        for future in writing:
            self._add(measured(future.result(), self.config.encoders, self.models))

    def _add(self, record: PhotoRecord) -> None:
        self.folder.add(record)
        self.left -= 1
