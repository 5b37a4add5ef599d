"""What has our names on a dataset, or our files in FiftyOne's folder, and belongs to no record."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from functools import partial
from typing import Any

from ...errors import ConfigError
from ...runs.manifest import MANIFEST, PHOTOS
from ..delete import withdraw_media_field
from ..evaluations import ARMS, REPORT, AttackEvaluation, EvaluationNames
from ..home import home
from ..names import PREFIX
from ..photos import field_kind
from ..plots import delete_plots
from ..records import ProtectionRun
from .disagreements import Disagreement, counted

__all__ = ["check_dataset_orphans", "check_folder_orphans"]

_FIGURES = ("linf", "psnr", "ssim")
_SIGNATURE = {
    **dict.fromkeys(("path", "status", "error"), "StringField"),
    **dict.fromkeys(_FIGURES, "FloatField"),
}
"""Fields that every run has, by the end of their names: all of them together are nobody else's."""

_PER_ENCODER = re.compile(r"(token_cos|cos|emb_clean|emb_protected)_[a-z0-9_]+")


def check_dataset_orphans(
    dataset: Any, runs: Collection[ProtectionRun], evaluations: Collection[AttackEvaluation]
) -> Iterator[Disagreement]:
    """Yields what stayed on a dataset when a record was deleted by hand.

    Only what can be nobody else's is offered for removal; the rest is named.

    Args:
        dataset: a FiftyOne dataset
        runs: the records of its runs
        evaluations: the records of its evaluations
    """
    known = {record.run for record in runs}
    told = {record.evaluation for record in evaluations}
    yield from _media_fields(dataset)
    yield from _run_fields(dataset, known)
    yield from _plots(dataset, runs)
    yield from _evaluation_fields(dataset, told)


def _media_fields(dataset: Any) -> Iterator[Disagreement]:
    config = dataset.app_config
    chosen = (config.grid_media_field, config.modal_media_field)
    for field in dict.fromkeys((*config.media_fields, *chosen)):
        if field and field.startswith(PREFIX) and not dataset.has_sample_field(field):
            yield Disagreement(
                dataset.name,
                "media-field",
                f"the App offers the files of field {field!r}, which does not exist",
                action=f"{field!r} withdrawn from the App's media fields",
                mend=partial(withdraw_media_field, dataset, field),
            )


def _run_fields(dataset: Any, known: Collection[str]) -> Iterator[Disagreement]:
    schema = list(dataset.get_field_schema())
    for name in schema:
        match = re.fullmatch(rf"{PREFIX}(.+)_(path|status)", name)
        run = match[1] if match else ""
        if (
            not run
            or run in known
            or (name.endswith("_status") and f"{PREFIX}{run}_path" in schema)
        ):
            continue
        stem = f"{PREFIX}{run}_"
        kinds = {end: field_kind(dataset, stem + end) for end in _SIGNATURE}
        if kinds != _SIGNATURE:
            yield Disagreement(
                dataset.name,
                "field-unknown",
                f"field {name!r} is named like a run's, but the dataset has no run {run!r}",
                f"if you do not need it: dataset.delete_sample_field({name!r})",
            )
            continue
        mine = [stem + end for end in _SIGNATURE]
        others = tuple(f"{PREFIX}{other}_" for other in known if other.startswith(f"{run}_"))
        mine += [
            field
            for field in schema
            if field.startswith(stem)
            and not (others and field.startswith(others))
            and _PER_ENCODER.fullmatch(field[len(stem) :])
        ]
        yield Disagreement(
            dataset.name,
            "fields-orphaned",
            f"{counted(len(mine), 'field')} of run {run!r} are on the dataset, but its record is "
            "gone",
            f"protect again as run {run!r}; its files were left as they are",
            f"the {counted(len(mine), 'field')} of run {run!r} removed",
            partial(_remove_fields, dataset, mine, f"{stem}path"),
        )


def _remove_fields(dataset: Any, fields: list[str], media_field: str) -> None:
    withdraw_media_field(dataset, media_field)
    present = [field for field in fields if dataset.has_sample_field(field)]
    if present:
        dataset.delete_sample_fields(present)


def _plots(dataset: Any, runs: Collection[ProtectionRun]) -> Iterator[Disagreement]:
    keys = dataset.list_brain_runs(type="visualization")
    stems = tuple(f"{record.names.key}_{which}" for record in runs for which in _PLOTS)
    for clean in keys:
        match = re.fullmatch(rf"{PREFIX}(.+?)_clean(_.+)?", clean)
        if not match or (stems and clean.startswith(stems)):
            continue
        released = f"{PREFIX}{match[1]}_released{match[2] or ''}"
        if released in keys:
            yield Disagreement(
                dataset.name,
                "plots-orphaned",
                f"the plots {clean!r} and {released!r} belong to no run",
                action="the two plots removed",
                mend=partial(delete_plots, dataset, [clean, released]),
            )


_PLOTS = ("clean", "released")


def _evaluation_fields(dataset: Any, told: Collection[str]) -> Iterator[Disagreement]:
    for field in list(dataset.get_field_schema()):
        match = re.fullmatch(rf"{PREFIX}attack_(.+)_truth", field)
        if not match or match[1] in told:
            continue
        try:
            names = EvaluationNames(match[1])
        except ConfigError:  # no evaluation can have had that name
            continue
        fields = [name for name in names.fields() if dataset.has_sample_field(name)]
        keys = [names.eval_key(arm) for arm in ARMS if dataset.has_evaluation(names.eval_key(arm))]
        labels = all(field_kind(dataset, name) == "Classification" for name in fields)
        if not labels or len(fields) == 1:
            yield Disagreement(
                dataset.name,
                "field-unknown",
                f"field {field!r} is named like an evaluation's, but the dataset has no "
                f"evaluation {match[1]!r}",
                f"if you do not need it: dataset.delete_sample_field({field!r})",
            )
            continue
        yield Disagreement(
            dataset.name,
            "predictions-orphaned",
            f"predictions of evaluation {match[1]!r} are on the dataset, but its record is gone",
            f"make evaluation {match[1]!r} again, which takes what was measured before",
            f"{counted(len(fields), 'field')} and {counted(len(keys), 'FiftyOne evaluation')} "
            "removed",
            partial(_remove_results, dataset, fields, keys),
        )


def _remove_results(dataset: Any, fields: list[str], keys: list[str]) -> None:
    for key in keys:
        if dataset.has_evaluation(key):
            dataset.delete_evaluation(key)
    present = [name for name in (*fields, *keys) if dataset.has_sample_field(name)]
    if present:
        dataset.delete_sample_fields(present)


def check_folder_orphans(known: Collection[str], names: Collection[str]) -> Iterator[Disagreement]:
    """Yields folders of runs and evaluations that no record names; nothing removes them.

    Another database may know them, so that is for a person to decide.

    Args:
        known: folders that a record of the database names
        names: of the datasets whose folders are looked at; empty for all
    """
    ours = home()
    for file in sorted((*ours.glob(f"*/*/{MANIFEST}"), *ours.glob(f"*/attack-*/{REPORT}"))):
        folder = file.parent
        dataset = folder.parent.name
        if str(folder.absolute()) in known or (names and dataset not in names):
            continue
        if file.name == MANIFEST:
            photos = sum(path.is_file() for path in (folder / PHOTOS).rglob("*"))
            what = f"a run with {counted(photos, 'protected file')}"
        else:
            what = "an attack's report"
        yield Disagreement(
            dataset,
            "folder-orphaned",
            f"{folder} holds {what} that this database does not know",
            f"if no other database does and you do not need it, delete {folder}",
        )
