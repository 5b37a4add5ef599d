"""How long embedding would take and what it would store, told while a form is filled in."""

from __future__ import annotations

import time
from concurrent.futures import Future, ThreadPoolExecutor, TimeoutError as NotYet
from dataclasses import dataclass
from typing import Any

from ..errors import PhotoError
from .background import only_job
from .estimates import Sample, about, sample_of, size_of

__all__ = ["estimate_embeddings"]

_PATIENCE_SECONDS = 2.0
_TIMED = 8  # photos
_USUAL = 1024  # numbers in a pooled embedding, where the encoder is not loaded yet
_BESIDES = 100  # bytes of a stored vector that are none of its numbers

_timer = ThreadPoolExecutor(1, thread_name_prefix="dp2vl-embedding-estimate")
_asked: dict[tuple[Any, ...], Future[str]] = {}
_paces: dict[tuple[str, int], _Pace] = {}  # only the timer's thread looks at it


@dataclass(frozen=True)
class _Pace:
    """What a photo of one size costs.

    Args:
        seconds: to read and embed it
        numbers: in its embedding
    """

    seconds: float
    numbers: int


def estimate_embeddings(view: Any, encoder: str, *, field: str, overwrite: bool = False) -> str:
    """Returns in one sentence what embedding a view would cost, as far as that can be told soon.

    All of it is found in the background; a form that is looked at again tells what was found. The
    embedded encoder, and any that this process has loaded, is timed on a few photos. Others are
    not loaded for it: that may take minutes, and much memory.

    Args:
        view: a FiftyOne dataset or view of photos
        encoder: the encoder's name
        field: where the embeddings would be stored
        overwrite: whether photos that have one already are embedded anew
    """
    key = (str(view._root_dataset._doc.id), str(view._serialize()), encoder, field, overwrite)
    waiting = "Time is being measured: change anything to see it, or start"
    future = only_job(
        _asked, key, lambda: _timer.submit(_sentence, view, encoder, field, overwrite)
    )
    if future is None:
        return waiting
    try:
        told = future.result(timeout=_PATIENCE_SECONDS)
    except NotYet:
        return waiting
    except Exception:  # whatever is wrong with the view or the photos, the run says it
        told = "Time is told once it runs"
    _asked.pop(key, None)  # told once: what is stored by then is counted anew
    return told


def _sentence(view: Any, encoder: str, field: str, overwrite: bool) -> str:
    photos = todo = len(view)
    if not overwrite and view._root_dataset.has_sample_field(field):
        todo -= view.count(field)
    head = f"{todo} of {photos} photos"
    if not todo:
        return f"{head}: all have an embedding already"
    pace = _pace(encoder, sample_of(view, "filepath"))
    stored = todo * (4 * (pace.numbers if pace else _USUAL) + _BESIDES)
    where = f"about {size_of(stored)} in the database"
    if pace is None:
        return f"{head}: time is told once it runs, {where} at {_USUAL} numbers a photo"
    return f"{head}: {about(todo * pace.seconds)}, {where}"


def _pace(encoder: str, sample: Sample) -> _Pace | None:
    """Returns the pace for photos of this size, timed once a process; None for what takes long."""
    from ..encoders.registry import _loaded, parse_name

    key = (encoder, sample.octave)
    if key not in _paces and sample.paths:
        here = any(name == encoder for name, _ in list(_loaded))
        if here or parse_name(encoder)[0] == "embedded":
            _paces[key] = _timed(encoder, sample.paths[:_TIMED])
    return _paces.get(key)


def _timed(name: str, paths: tuple[str, ...]) -> _Pace:
    """Reads and embeds a few photos, as the run would."""
    from ..encoders import default_device, load_encoder
    from .embeddings import _batches, _embed

    encoder = load_encoder(name, device=default_device())
    seconds = 0.0
    for some in (paths[:1], paths):  # the first photo warms up
        start = time.perf_counter()
        for batch in _batches(some, len(some)):
            good = [photo for _, photo in batch if not isinstance(photo, PhotoError)]
            if good:
                _embed(good, encoder)
        seconds = time.perf_counter() - start
    return _Pace(seconds / len(paths), encoder.info.pooled_dim)
