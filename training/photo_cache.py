"""Training photos, rendered once to a memory-mapped file, with their labels.

python training/photo_cache.py embedded
"""

from __future__ import annotations

import argparse
import json
import os
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image
from recipes import RECIPES, PhotoSet

from fiftyone_dp2vl.benchmark.people import sample_identities
from fiftyone_dp2vl.benchmark.photos import FORMATS, PhotoSpec, render_with_layout
from fiftyone_dp2vl.benchmark.places import PLACES
from fiftyone_dp2vl.benchmark.scenarios import SCENARIOS

AFFILIATIONS: list[tuple[str, str]] = [
    (scenario.name, affiliation.name)
    for scenario in SCENARIOS.values()
    for affiliation in scenario.affiliations
]
LABEL_TYPE = np.dtype(
    [
        ("person", np.int32),
        ("affiliation", np.int16),
        ("scenario", np.int16),
        ("attributes", np.int16, (7,)),
        ("face", np.float32, (4,)),
        ("bust", np.float32, (4,)),
        ("thing", np.float32, (4,)),
    ]
)
_CHUNK = 256


@lru_cache(maxsize=1)
def plan(photo_set: PhotoSet) -> list[tuple[int, PhotoSpec]]:
    """Plans the photos of a set; entries come in random order, with the person's index."""
    people = sample_identities(photo_set.people, photo_set.seed, photo_set.split)
    rng = np.random.default_rng([photo_set.seed, 77])
    specs: list[tuple[int, PhotoSpec]] = []
    places = list(PLACES)
    for index, person in enumerate(people):
        for _ in range(photo_set.photos_per_person):
            scenario, affiliation = AFFILIATIONS[int(rng.integers(len(AFFILIATIONS)))]
            alone = rng.random() < photo_set.share_alone
            width, height = FORMATS[int(rng.integers(len(FORMATS)))]
            spec = PhotoSpec(
                identity=person,
                role="query" if alone else "share",
                scenario="" if alone else scenario,
                affiliation="" if alone else affiliation,
                place=places[int(rng.integers(len(places)))],
                width=width,
                height=height,
                seed=int(rng.integers(2**31)),
            )
            specs.append((index, spec))
    order = rng.permutation(len(specs))
    return [specs[int(i)] for i in order]


def render_square(spec: PhotoSpec, side: int) -> tuple[npt.NDArray[np.uint8], object]:
    """Renders a photo squashed to a square, as the encoder's preprocessing does."""
    pixels, layout = render_with_layout(spec, round(side * 1.125))
    square = Image.fromarray(pixels).resize((side, side), Image.Resampling.BICUBIC)
    return np.asarray(square), layout


def _render_chunk(name: str, folder: str, start: int, stop: int) -> int:
    photo_set = RECIPES[name].photos
    specs = plan(photo_set)
    shape = (len(specs), photo_set.side, photo_set.side, 3)
    pixels = np.memmap(Path(folder) / "pixels.u8", np.uint8, "r+", shape=shape)
    labels = np.memmap(Path(folder) / "labels.bin", LABEL_TYPE, "r+", shape=(len(specs),))
    order = {pair: i for i, pair in enumerate(AFFILIATIONS)}
    names = list(SCENARIOS)
    for i in range(start, stop):
        index, spec = specs[i]
        square, layout = render_square(spec, photo_set.side)
        pixels[i] = square
        affiliation = order[spec.scenario, spec.affiliation] if spec.affiliation else -1
        scenario = names.index(spec.scenario) if spec.scenario else -1
        thing = layout.thing or (0.0, 0.0, 0.0, 0.0)  # type: ignore[attr-defined]
        labels[i] = (
            index,
            affiliation,
            scenario,
            spec.identity.indices,
            layout.face,  # type: ignore[attr-defined]
            layout.person,  # type: ignore[attr-defined]
            thing,
        )
    pixels.flush()
    labels.flush()
    return stop - start


def cache_folder(name: str, root: Path) -> Path:
    """The folder of a recipe's photos; another plan gets another folder."""
    photos = RECIPES[name].photos
    key = f"{photos.split}-{photos.seed}-{photos.people}x{photos.photos_per_person}-{photos.side}"
    return root / "photos" / key


def build(name: str, root: Path, workers: int = 2) -> Path:
    """Renders the photos of a recipe unless they are there; returns their folder."""
    folder = cache_folder(name, root)
    if (folder / "done.json").exists():
        return folder
    folder.mkdir(parents=True, exist_ok=True)
    photo_set = RECIPES[name].photos
    count = photo_set.people * photo_set.photos_per_person
    shape = (count, photo_set.side, photo_set.side, 3)
    np.memmap(folder / "pixels.u8", np.uint8, "w+", shape=shape).flush()
    np.memmap(folder / "labels.bin", LABEL_TYPE, "w+", shape=(count,)).flush()
    began = time.time()
    starts = list(range(0, count, _CHUNK))
    with ProcessPoolExecutor(workers) as pool:
        jobs = [
            pool.submit(_render_chunk, name, str(folder), s, min(s + _CHUNK, count)) for s in starts
        ]
        finished = 0
        for job in jobs:
            finished += job.result()
            (folder / "progress.json").write_text(json.dumps({"finished": finished}))
            if finished % (8 * _CHUNK) < _CHUNK:
                rate = finished / (time.time() - began)
                print(f"{finished}/{count} photos, {rate:.0f}/s", flush=True)
    seconds = round(time.time() - began, 1)
    done = {"photos": asdict(photo_set), "seconds": seconds, "cores": os.cpu_count()}
    (folder / "done.json").write_text(json.dumps(done, indent=1))
    return folder


def main() -> None:
    """Renders the photos of the recipes named on the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("recipe", choices=sorted(RECIPES))
    parser.add_argument("--cache", type=Path, default=Path(".cache"))
    parser.add_argument("--workers", type=int, default=2)
    arguments = parser.parse_args()
    print(build(arguments.recipe, arguments.cache, arguments.workers))


if __name__ == "__main__":
    main()
