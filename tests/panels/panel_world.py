"""A small dataset as a curator has it: photos of people, a protection run, a held-out encoder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fiftyone_dp2vl.benchmark import generate_benchmark
from fiftyone_dp2vl.store import benchmark_dataset, compute_embeddings, protect_dataset
from fiftyone_dp2vl.store.analysis import analyse_run

RUN = "standard"
HELD_OUT = f"local:{Path(__file__).resolve().parents[1] / 'data' / 'heldout'}"


def make_dataset(folder: Path, name: str, *, people: int = 4, steps: int = 3) -> Any:
    """Returns a dataset of drawn people, most of whose shared photos are protected."""
    benchmark = generate_benchmark(
        folder / "photos", people=people, photos_per_scenario=1, queries=2, workers=1
    )
    dataset = benchmark_dataset(benchmark, name, overwrite=True)
    dataset.set_values("age", [20 + row % 40 for row in range(len(dataset))])
    for encoder in ("embedded", HELD_OUT):
        compute_embeddings(dataset.match_tags("query"), encoder)
    protect_dataset(
        dataset.match_tags("share"),
        RUN,
        output_dir=str(folder / "protected"),
        group_field="identity",
        ratio=0.75,
        stratify=True,
        steps=steps,
    )
    analyse_run(dataset, RUN, [HELD_OUT])
    return dataset
