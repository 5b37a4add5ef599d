"""What a run would cost, cheaply enough to be told while a form is filled in."""

from __future__ import annotations

import shutil
import threading
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

__all__ = ["RunEstimate", "estimate_run"]

_PROBED = 16
_PATIENCE_SECONDS = 4.0
_FIXED_STEPS = 3  # a run surveys and verifies besides: about three steps' worth

_lock = threading.Lock()
_timer = ThreadPoolExecutor(1, thread_name_prefix="dp2vl-estimate")
_paces: dict[tuple[Any, ...], Future[Pace]] = {}
_pixels: dict[tuple[Any, ...], float] = {}


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
        time = "time is told once it runs" if self.seconds is None else _about(self.seconds)
        size = f"{_size(self.bytes)} of {_size(self.free_bytes)} free disk"
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
    embedded encoder that of a few steps of the engine, timed once a process. Other encoders are
    not loaded for it: they may take minutes to load, or have to be fetched.

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
    pixels = _mean_pixels(view, filepath_field)
    return RunEstimate(
        photos=photos,
        protected=protected,
        bytes=bytes_needed(round(pixels * protected), settings.output),
        free_bytes=_free(directory),
        seconds=_seconds(view, settings, filepath_field, protected, pixels) if protected else 0.0,
    )


def _seconds(
    view: Any, settings: Settings, filepath_field: str, photos: int, pixels: float
) -> float | None:
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
    key = (timed.fingerprint(), settings.output.fingerprint())
    with _lock:
        if key not in _paces or (_paces[key].done() and _paces[key].exception() is not None):
            paths = view.limit(_PROBED).values(filepath_field)
            _paces[key] = _timer.submit(_timed, paths, timed, settings.output)
        future = _paces[key]
    try:
        pace = future.result(timeout=_PATIENCE_SECONDS)
    except (NotYet, Exception):
        return None
    return pace.seconds(photos, pixels, config)


def _timed(paths: list[str], config: ProtectionConfig, output: OutputConfig) -> Pace:
    """Times a few steps of the engine and a file."""
    from ..encoders import default_device, load_encoder
    from ..runs import PhotoItem
    from ..runs.pace import measure_pace

    items = [PhotoItem(key=str(row), path=path) for row, path in enumerate(paths) if path]
    models = [load_encoder(name, device=default_device()) for name in config.encoders]
    return measure_pace(items, config, output, models)


def _mean_pixels(view: Any, filepath_field: str) -> float:
    """Returns a photo's pixels, of a few photos spread over the view."""
    key = (view._root_dataset.name, str(view._serialize()), filepath_field)
    if key not in _pixels:
        step = max(1, len(view) // _PROBED)
        paths = view.values(filepath_field)[::step][:_PROBED]
        sizes = [width * height for width, height in map(_probed, paths) if width]
        _pixels[key] = sum(sizes) / len(sizes) if sizes else 0.0
    return _pixels[key]


def _probed(path: str | None) -> tuple[int, int]:
    try:
        return probe_photo(path) if path else (0, 0)
    except PhotoError:
        return (0, 0)


def _free(directory: Path) -> int:
    parent = next(path for path in (directory, *directory.parents) if path.exists())
    return shutil.disk_usage(parent).free


def _about(seconds: float) -> str:
    if seconds < 90:
        return f"about {max(1, round(seconds))} s"
    if seconds < 90 * 60:
        return f"about {round(seconds / 60)} min"
    return f"about {seconds / 3600:.1f} h"


def _size(count: int) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{max(1, round(count / 1e6))} MB"
