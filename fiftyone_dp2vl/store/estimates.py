"""What a run would cost, cheaply enough to be told while a form is filled in."""

from __future__ import annotations

import math
import shutil
import threading
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor, TimeoutError as NotYet
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..config import OutputConfig, ProtectionConfig
from ..errors import PhotoError
from ..media import probe_photo
from .chosen import count_chosen
from .records import list_runs
from .settings import Settings

if TYPE_CHECKING:
    from ..runs.pace import Pace

__all__ = ["PROBED", "RunEstimate", "Sample", "about", "estimate_run", "sample_of", "size_of"]

PROBED = 16
"""Photos whose size stands for that of all."""

_PATIENCE_SECONDS = 4.0
_FIXED_STEPS = 3  # a run surveys and verifies besides: about three steps' worth

_lock = threading.Lock()
_timer = ThreadPoolExecutor(1, thread_name_prefix="dp2vl-estimate")
_paces: dict[tuple[Any, ...], Future[Pace]] = {}
_samples: dict[tuple[Any, ...], Sample] = {}


@dataclass(frozen=True)
class Sample:
    """A few photos that stand for a view's.

    Args:
        pixels: of a photo, on average
        paths: of the photos, those of about that size first
    """

    pixels: float
    paths: tuple[str, ...] = ()

    @property
    def octave(self) -> int:
        """Photos of one octave are timed once: small ones cost little a step, and much a pixel."""
        return round(math.log2(max(1.0, self.pixels)))


@dataclass(frozen=True, kw_only=True)
class RunEstimate:
    """What a run would cost.

    Args:
        photos: in the view
        protected: that would be protected
        bytes: of disk, about
        free_bytes: on the disk that would hold them
        seconds: about, or None where it cannot be told yet
    """

    photos: int
    protected: int
    bytes: int
    free_bytes: int
    seconds: float | None

    @property
    def fits(self) -> bool:
        """Whether the disk has the room."""
        return self.bytes <= self.free_bytes

    def sentence(self) -> str:
        """Returns the estimate in one line."""
        time = "time is told once it runs" if self.seconds is None else about(self.seconds)
        size = f"{size_of(self.bytes)} of {size_of(self.free_bytes)} free disk"
        return f"{self.protected} of {self.photos} photos: {time}, about {size}"


def estimate_run(
    view: Any,
    settings: Settings,
    *,
    directory: Path,
    filepath_field: str = "filepath",
    group_field: str | None = None,
) -> RunEstimate:
    """Returns what a run would cost.

    The pace is that of an earlier run with the same encoders that was not interrupted, or for the
    embedded encoder that of a few steps of the engine, timed once a process for photos of about
    this size. Other encoders are not loaded for it: they may take minutes to load, or have to be
    fetched.

    Args:
        view: a FiftyOne dataset or view of photos
        settings: the run's
        directory: where its files would go
        filepath_field: the field with the original files
        group_field: the field that says who is on a photo, which ``stratify`` draws within
    """
    from ..runs.space import bytes_needed

    photos = len(view)
    protected = count_chosen(view, settings.selection, group_field)
    sample = sample_of(view, filepath_field)
    return RunEstimate(
        photos=photos,
        protected=protected,
        bytes=bytes_needed(round(sample.pixels * protected), settings.output),
        free_bytes=_free(directory),
        seconds=_seconds(view, settings, protected, sample) if protected else 0.0,
    )


def _seconds(view: Any, settings: Settings, photos: int, sample: Sample) -> float | None:
    """Returns the wall time, or None while it is not known."""
    config = settings.protection
    steps = config.steps + _FIXED_STEPS
    for record in reversed(list_runs(view)):
        done = record.counts.get("protected", 0)
        like = record.protection.encoders == config.encoders
        # what a call that went on took is not the time of all the run's photos
        whole = record.state == "complete" and not record.resumed
        if whole and like and done and record.seconds:
            earlier = record.protection.steps + _FIXED_STEPS
            return record.seconds / done / earlier * steps * photos
    if config.encoders != ("embedded",):
        return None
    # what does not change a step's time is left out of the key: sliders stay fast
    timed = replace(config, steps=ProtectionConfig.steps, epsilon=ProtectionConfig.epsilon, seed=0)
    key = (timed.fingerprint(), settings.output.fingerprint(), sample.octave)
    with _lock:
        if key not in _paces or (_paces[key].done() and _paces[key].exception() is not None):
            _paces[key] = _timer.submit(_timed, sample.paths, timed, settings.output)
        future = _paces[key]
    try:
        pace = future.result(timeout=_PATIENCE_SECONDS)
    except (NotYet, Exception):
        return None
    return pace.seconds(photos, sample.pixels, config)


def _timed(paths: Sequence[str], config: ProtectionConfig, output: OutputConfig) -> Pace:
    """Times a few steps of the engine and a file."""
    from ..encoders import default_device, load_encoder
    from ..runs import PhotoItem
    from ..runs.pace import measure_pace

    items = [PhotoItem(key=str(row), path=path) for row, path in enumerate(paths)]
    models = [load_encoder(name, device=default_device()) for name in config.encoders]
    return measure_pace(items, config, output, models)


def sample_of(view: Any, filepath_field: str) -> Sample:
    """Returns a few photos spread over a view, probed once a process.

    Args:
        view: a FiftyOne dataset or view of photos
        filepath_field: the field with the files
    """
    # a dataset may be made anew under its old name, or grow
    dataset, count = view._root_dataset, len(view)
    key = (str(dataset._doc.id), str(view._serialize()), filepath_field, count)
    if key not in _samples:
        step = max(1, count // PROBED)
        paths = view.values(filepath_field)[::step][:PROBED]
        sizes = {path: size for path in paths if path and (size := _probed(path))}
        mean = sum(sizes.values()) / len(sizes) if sizes else 0.0
        # of two as far from the mean, the larger: rather too long than too short
        likest = sorted(sizes, key=lambda path: (abs(sizes[path] - mean), -sizes[path]))
        _samples[key] = Sample(mean, tuple(likest))
    return _samples[key]


def _probed(path: str) -> int:
    """Returns a photo's pixels, 0 for one that will be refused."""
    try:
        width, height = probe_photo(path)
    except PhotoError:
        return 0
    return width * height


def _free(directory: Path) -> int:
    parent = next(path for path in (directory, *directory.parents) if path.exists())
    return shutil.disk_usage(parent).free


def about(seconds: float) -> str:
    """Returns a time as a form tells it."""
    if seconds < 90:
        return f"about {max(1, round(seconds))} s"
    if seconds < 90 * 60:
        return f"about {round(seconds / 60)} min"
    return f"about {seconds / 3600:.1f} h"


def size_of(count: int) -> str:
    """Returns a number of bytes as a form tells it."""
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{max(1, round(count / 1e6))} MB"
