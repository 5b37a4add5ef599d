"""Pooled embeddings of a view's photos, as a field."""

from __future__ import annotations

import dataclasses
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from ..config import require_count
from ..errors import Cancelled, ConfigError, PhotoError
from ..runs import Progress
from .names import clean_field
from .photos import require_photos
from .schema import changing

if TYPE_CHECKING:
    import torch

    from ..encoders import Encoder

__all__ = ["Embedded", "compute_embeddings"]

_BATCH_PIXELS = 32_000_000  # photos in memory at once, as float32: under half a GiB
_READERS = 2


@dataclasses.dataclass(frozen=True)
class Embedded:
    """What :func:`compute_embeddings` did.

    Args:
        field: where the embeddings are
        encoder: whose they are
        computed: photos embedded now
        kept: photos that had an embedding already
        failed: sample id -> why its photo has none
    """

    field: str
    encoder: str
    computed: int
    kept: int
    failed: dict[str, str] = dataclasses.field(default_factory=dict)


def compute_embeddings(
    view: Any,
    encoder: str | Encoder,
    *,
    field: str | None = None,
    filepath_field: str = "filepath",
    batch_size: int = 32,
    overwrite: bool = False,
    device: str | None = None,
    local_files_only: bool = False,
    progress: Callable[[Progress], None] | None = None,
    cancel: Callable[[], bool] | None = None,
) -> Embedded:
    """Stores the pooled embedding of every photo of a view.

    Photos that have one already are skipped, so an interrupted call is resumed by repeating it.

    Args:
        view: a FiftyOne dataset or view of photos
        encoder: a name of :func:`fiftyone_dp2vl.encoders.list_encoders`, or an encoder
        field: where to store them; default ``dp2vl_<encoder>_clean``
        filepath_field: the field with the files; samples without a file are left out
        batch_size: photos in one forward pass, at most
        overwrite: whether to compute anew what is there
        device: for an encoder given by name; default the GPU where there is one
        local_files_only: for one given by name, whether to load this machine's files only
        progress: called after every batch
        cancel: asked before every batch

    Raises:
        ConfigError: if the view has no photos, the field holds something else, or a batch none
        ModelNotFoundError: if the encoder's weights are missing
        Cancelled: if ``cancel`` said so; what was computed is kept
    """
    require_photos(view, filepath_field)
    require_count("batch_size", batch_size)
    if isinstance(encoder, str):
        from ..encoders import default_device, load_encoder

        encoder = load_encoder(
            encoder, device=device or default_device(), local_files_only=local_files_only
        )
    dataset = view._root_dataset
    field = field or clean_field(encoder.name)
    _claim_field(dataset, field, encoder, overwrite)

    ids, paths, stored = view.values(["id", filepath_field, field])
    present = [row for row, path in enumerate(paths) if path]
    todo = [row for row in present if overwrite or stored[row] is None]
    failed: dict[str, str] = {}
    computed, started = 0, time.monotonic()
    for batch in _batches([paths[row] for row in todo], batch_size):
        if cancel is not None and cancel():
            raise Cancelled("cancelled: the embeddings so far are kept, and a new call goes on")
        good: dict[str, torch.Tensor] = {}
        for row, photo in batch:
            if isinstance(photo, PhotoError):
                failed[ids[todo[row]]] = str(photo)
            else:
                good[ids[todo[row]]] = photo
        if good:
            vectors = _embed(list(good.values()), encoder)
            dataset.set_values(field, dict(zip(good, vectors, strict=True)), key_field="id")
        computed += len(good)
        if progress is not None:
            done = computed + len(failed)
            eta = (time.monotonic() - started) / done * (len(todo) - done)
            progress(Progress(done, len(todo), "embed", f"embedded {done} of {len(todo)}", eta))
    return Embedded(field, encoder.name, computed, len(present) - len(todo), failed)


def _claim_field(dataset: Any, name: str, encoder: Encoder, overwrite: bool) -> None:
    """Makes the field, or checks that it holds this very encoder's embeddings."""
    import fiftyone as fo

    mine = {"encoder": encoder.name, "weights_sha256": encoder.info.weights_sha256}
    with changing(dataset):
        if not dataset.has_sample_field(name):
            dataset.add_sample_field(name, fo.VectorField, info=mine)
            return
    found = dataset.get_field(name)
    if not isinstance(found, fo.VectorField):
        raise ConfigError(
            f"field {name!r} holds {type(found).__name__} values: choose another field"
        )
    if (found.info or {}).get("weights_sha256") == mine["weights_sha256"]:
        return
    if not overwrite:
        raise ConfigError(
            f"field {name!r} holds embeddings of other weights than {encoder.name!r} has now: "
            "choose another field, or overwrite"
        )
    dataset.clear_sample_field(name)
    found.info = mine
    found.save()


def _batches(
    paths: Sequence[str], batch_size: int
) -> Iterator[list[tuple[int, torch.Tensor | PhotoError]]]:
    """Yields batches of (row, photo or refusal); reading runs a few photos ahead."""
    batch: list[tuple[int, torch.Tensor | PhotoError]] = []
    pixels = 0
    with ThreadPoolExecutor(_READERS) as pool:
        ahead: deque[Future[torch.Tensor | PhotoError]] = deque()
        rest = iter(paths)
        for row in range(len(paths)):
            while len(ahead) < 2 * _READERS and (path := next(rest, None)) is not None:
                ahead.append(pool.submit(_read, path))
            photo = ahead.popleft().result()
            size = 0 if isinstance(photo, PhotoError) else photo.shape[-1] * photo.shape[-2]
            if batch and (len(batch) == batch_size or pixels + size > _BATCH_PIXELS):
                yield batch
                batch, pixels = [], 0
            batch.append((row, photo))
            pixels += size
    if batch:
        yield batch


def _read(path: str) -> torch.Tensor | PhotoError:
    """Returns uint8 (3, H, W)."""
    import torch

    from ..media import read_photo

    try:
        pixels = read_photo(path).pixels
    except PhotoError as error:
        return error
    plane = torch.from_numpy(pixels)
    return plane.expand(3, *plane.shape) if plane.ndim == 2 else plane.permute(2, 0, 1)


def _embed(photos: Sequence[torch.Tensor], encoder: Encoder) -> Any:
    """Returns float32 (B, P) as a NumPy array."""
    import torch

    with torch.inference_mode():
        images = [photo.to(encoder.device).float() / 255 for photo in photos]
        return encoder(images).pooled.float().cpu().numpy()
