"""Looking at a finished run through its surrogates, and through encoders it knew nothing of."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ..errors import RunError
from ..runs import Progress
from .embeddings import compute_embeddings
from .names import RunNames, clean_field
from .photos import all_photos
from .plots import register_plots
from .projection import plot_keys, register_umap
from .records import ProtectionRun, load_run, save_run
from .run_fields import require_run_fields
from .schema import changing
from .separation import Separation, load_separation, measure_separation, save_separation

__all__ = ["analyse_run", "names_with", "store_separation"]

ProgressCallback = Callable[[Progress], None]


def analyse_run(
    dataset: Any,
    run: str,
    encoders: Sequence[str] = (),
    *,
    umap: bool = False,
    device: str | None = None,
    batch_size: int = 32,
    progress: ProgressCallback | None = None,
    cancel: Callable[[], bool] | None = None,
) -> list[Separation]:
    """Measures how far apart a run moved its photos, and keeps the figures with the run.

    A held-out encoder's embeddings of the run's photos, clean and protected, are computed where
    they are missing and become fields of the run; they go when the run is deleted. Two plots of
    each encoder are drawn anew.

    Args:
        dataset: a FiftyOne dataset
        run: the run's name
        encoders: registry names of surrogates or of other encoders; default the run's surrogates
        umap: whether to make UMAP plots too, beside those of principal components
        device: default the GPU where there is one
        batch_size: photos in one forward pass, at most
        progress: called while photos are embedded
        cancel: asked before every batch

    Returns:
        the figures, an encoder each

    Raises:
        RunError: if there is no such run, it is not complete, or lost its fields
        ConfigError: if the run's photos are gone
        ModelNotFoundError: if an encoder's weights are missing
        DP2VLError: if ``umap`` is asked for and is not installed
        Cancelled: if ``cancel`` said so; embeddings are kept, and a new call goes on
    """
    dataset = dataset._root_dataset
    record = load_run(dataset, run)
    if record.state != "complete":
        raise RunError(f"run {run!r} is {record.state}: finish it by starting it again first")
    chosen = list(dict.fromkeys(encoders)) or list(record.protection.encoders)
    names = names_with(dataset, record, chosen)
    require_run_fields(dataset, record, names.path, names.status)
    for encoder in set(chosen) & set(record.protection.encoders):
        both = names.clean_embedding(encoder), names.protected_embedding(encoder)
        require_run_fields(dataset, record, *both)
    # what will belong to the run is noted first, so that deleting the run finds it in any case
    methods = ("pca", "umap") if umap else ("pca",)
    keys = [
        key for encoder in chosen for method in methods for key in plot_keys(names, encoder, method)
    ]
    record = save_run(
        dataset,
        record,
        fields=tuple(dict.fromkeys((*record.fields, *names.fields()))),
        brain_keys=tuple(dict.fromkeys((*record.brain_keys, *keys))),
    )
    photos = all_photos(dataset).exists(names.status)
    for encoder in chosen:
        if encoder not in record.protection.encoders:
            _embed(photos, record, names, encoder, device, batch_size, progress, cancel)
        with changing(dataset):
            register_plots(photos, names, encoder)
        if umap:
            register_umap(photos, names, encoder)
    return store_separation(dataset, record, chosen)


def store_separation(
    dataset: Any, record: ProtectionRun, encoders: Sequence[str] = ()
) -> list[Separation]:
    """Measures a run by the embeddings that the dataset holds, and keeps the figures with it.

    Args:
        dataset: a FiftyOne dataset
        record: the run's
        encoders: whose embeddings; default the run's surrogates
    """
    dataset = dataset._root_dataset
    chosen = list(encoders) or list(record.protection.encoders)
    names = names_with(dataset, record, chosen)
    measured = [
        measure_separation(
            dataset,
            record,
            encoder,
            clean_field=names.clean_embedding(encoder),
            protected_field=names.protected_embedding(encoder),
            query_field=_query_field(dataset, names.clean_embedding(encoder), encoder),
        )
        for encoder in chosen
    ]
    save_separation(dataset, record, measured)
    return measured


def names_with(dataset: Any, record: ProtectionRun, encoders: Sequence[str] = ()) -> RunNames:
    """Returns a run's names with those of encoders that it was looked at through later.

    Args:
        dataset: a FiftyOne dataset
        record: the run's
        encoders: further ones, that may be new to the run
    """
    # the order in which encoders came decides which of two equal short names gets a number
    seen = load_separation(dataset, record)
    return RunNames(
        record.run, list(dict.fromkeys((*record.protection.encoders, *seen, *encoders)))
    )


def _embed(
    photos: Any,
    record: ProtectionRun,
    names: RunNames,
    encoder: str,
    device: str | None,
    batch_size: int,
    progress: ProgressCallback | None,
    cancel: Callable[[], bool] | None,
) -> None:
    from ..encoders import default_device, load_encoder

    model = load_encoder(encoder, device=device or default_device())
    for field, source in (
        (names.clean_embedding(encoder), record.filepath_field),
        (names.protected_embedding(encoder), names.path),
    ):
        compute_embeddings(
            photos,
            model,
            field=field,
            filepath_field=source,
            batch_size=batch_size,
            progress=progress,
            cancel=cancel,
        )


def _query_field(dataset: Any, clean: str, encoder: str) -> str | None:
    """Returns the field with this very encoder's embeddings of photos outside the run, or None."""
    name = clean_field(encoder)
    if not dataset.has_sample_field(name) or not dataset.has_sample_field(clean):
        return None
    hashes = [(dataset.get_field(n).info or {}).get("weights_sha256") for n in (name, clean)]
    return name if hashes[0] == hashes[1] else None
