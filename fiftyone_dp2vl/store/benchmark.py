"""The synthetic benchmark as a FiftyOne dataset."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..errors import ConfigError

if TYPE_CHECKING:
    from ..benchmark import Benchmark, PhotoRecord

__all__ = ["attack_fields", "benchmark_dataset"]


def benchmark_dataset(benchmark: Benchmark, name: str, *, overwrite: bool = False) -> Any:
    """Makes a persistent dataset of a benchmark's photos.

    Each sample has the fields ``identity``, ``role`` (``"share"`` or ``"query"``), ``scenario``,
    ``affiliation`` (its short name), ``fact`` (as it stands in a sentence), ``descriptions`` and
    ``split``, and is tagged with its role.

    Args:
        benchmark: from :func:`fiftyone_dp2vl.benchmark.generate_benchmark`
        name: the dataset's
        overwrite: whether a dataset of that name is replaced

    Raises:
        ConfigError: if there is one already
    """
    import fiftyone as fo

    if fo.dataset_exists(name):
        if not overwrite:
            raise ConfigError(f"a dataset named {name!r} exists: choose another name")
        fo.delete_dataset(name)
    dataset = fo.Dataset(name, persistent=True)
    dataset.info = {"benchmark_seed": benchmark.seed, "benchmark_split": benchmark.split}
    dataset.add_samples(
        [
            fo.Sample(
                filepath=str(benchmark.path(photo).absolute()),
                tags=[photo.role],
                identity=photo.identity,
                role=photo.role,
                scenario=photo.scenario or None,
                affiliation=photo.affiliation or None,
                fact=_phrase(photo),
                descriptions=list(photo.descriptions) or None,
                split=photo.split,
                metadata=fo.ImageMetadata(width=photo.width, height=photo.height, num_channels=3),
            )
            for photo in benchmark.photos
        ],
        progress=False,
    )
    dataset.save()
    return dataset


def attack_fields() -> dict[str, Any]:
    """Returns what :func:`.attack.evaluate_attack_dataset` is told of such a dataset."""
    from ..attack.benchmark import QUESTIONS
    from ..benchmark import SCENARIOS

    return {
        "identity": "identity",
        "affiliation": "fact",
        "scenario": "scenario",
        "description": "descriptions",
        "query": "tag:query",
        "questions": QUESTIONS,
        "distractors": {
            scenario.name: [affiliation.phrase for affiliation in scenario.affiliations]
            for scenario in SCENARIOS.values()
        },
    }


def _phrase(photo: PhotoRecord) -> str | None:
    """What the photo tells, as it stands in a sentence; None on a query photo."""
    from ..benchmark import SCENARIOS

    if not photo.affiliation:
        return None
    return SCENARIOS[photo.scenario].affiliation(photo.affiliation).phrase
