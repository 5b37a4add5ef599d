"""Writing a benchmark to a folder, and reading it back."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np

from fiftyone_dp2vl.benchmark.card import write_card
from fiftyone_dp2vl.benchmark.people import ATTRIBUTE_NAMES, Identity, sample_identities
from fiftyone_dp2vl.benchmark.photos import PhotoSpec, photo_bytes, plan_photos
from fiftyone_dp2vl.benchmark.scenarios import SCENARIOS, sample_facts
from fiftyone_dp2vl.machine import cores

INDEX_NAME: Final = "benchmark.json"
ARGUMENTS_NAME: Final = "arguments.json"
"""What a generation that has begun was asked for; it goes when the index is there."""
CARD_NAME: Final = "CARD.md"
FORMAT_VERSION: Final = 1
_UNFINISHED: Final = ".writing-"
"""Beginning of the names of files that are being written."""


@dataclass(frozen=True)
class PhotoRecord:
    """One photo of a benchmark on disk.

    Attributes:
        filename: neutral name inside the benchmark's folder.
        identity: the person's name.
        split: the person's split.
        role: ``"share"`` or ``"query"``.
        scenario: scenario of the visible fact, ``""`` on a query photo.
        affiliation: the visible affiliation, ``""`` on a query photo.
        descriptions: wordings of the visible fact; the first is the canonical one. Empty on a
            query photo.
        all_facts: one sentence for each of the person's facts, visible or not (the worst case
            of a photo shared with a talkative caption). Empty on a query photo.
        width: in pixels.
        height: in pixels.
    """

    filename: str
    identity: str
    split: str
    role: str
    scenario: str
    affiliation: str
    descriptions: list[str]
    all_facts: list[str]
    width: int
    height: int


@dataclass(frozen=True)
class Benchmark:
    """A benchmark on disk.

    Attributes:
        directory: its folder.
        seed: what it was drawn from.
        split: split of its people.
        photos: one record a photo.
        facts: for each person's name, affiliation by scenario.
        looks: for each person's name, the fixed attributes by name.
    """

    directory: Path
    seed: int
    split: str
    photos: list[PhotoRecord]
    facts: dict[str, dict[str, str]] = field(default_factory=dict)
    looks: dict[str, dict[str, str]] = field(default_factory=dict)

    def path(self, photo: PhotoRecord) -> Path:
        """Where a photo lies."""
        return self.directory / photo.filename


def generate_benchmark(
    directory: str | os.PathLike[str],
    people: int = 20,
    seed: int = 7,
    split: str = "eval",
    photos_per_scenario: int = 2,
    queries: int = 6,
    workers: int | None = None,
) -> Benchmark:
    """Draws a benchmark and writes it to a folder.

    Same arguments, same bytes; files that are already there from an interrupted call with
    the same arguments are kept.

    Args:
        directory: made if missing. A folder that holds another benchmark, or files but no
            benchmark, is refused.
        people: how many.
        seed: draws people, facts and photos.
        split: one of `people.SPLITS`; ``eval`` is for reported figures only.
        photos_per_scenario: share photos per person and scenario.
        queries: query photos per person.
        workers: processes; None for one per core, 1 for none beside this one.

    Returns:
        The benchmark, with photos of one person after another.

    Raises:
        FileExistsError: if the folder holds a benchmark made with other arguments, or other files.
        ValueError: if a count is not positive.
        ArtMissingError: if the ``benchmark`` extra is not installed.
    """
    if people < 1 or photos_per_scenario < 0 or queries < 0 or photos_per_scenario + queries == 0:
        raise ValueError("a benchmark needs people, and photos of them")
    root = Path(directory)
    arguments = {
        "version": FORMAT_VERSION,
        "people": people,
        "seed": seed,
        "split": split,
        "photos_per_scenario": photos_per_scenario,
        "queries": queries,
    }
    _refuse_another(root, arguments)
    root.mkdir(parents=True, exist_ok=True)
    identities = sample_identities(people, seed, split)
    facts = {p.name: sample_facts(seed, i) for i, p in enumerate(identities)}
    plans = [
        spec
        for person in identities
        for spec in plan_photos(person, facts[person.name], seed, photos_per_scenario, queries)
    ]
    names = _neutral_names(len(plans), seed)
    _write_json(root / ARGUMENTS_NAME, arguments)
    for _ in _written(root, plans, names, workers):
        pass
    benchmark = Benchmark(
        directory=root,
        seed=seed,
        split=split,
        photos=[_record(spec, name) for spec, name in zip(plans, names, strict=True)],
        facts=facts,
        looks={p.name: dict(zip(ATTRIBUTE_NAMES, p.attributes, strict=True)) for p in identities},
    )
    _write_index(benchmark, arguments)
    (root / ARGUMENTS_NAME).unlink()
    return benchmark


def load_benchmark(directory: str | os.PathLike[str]) -> Benchmark:
    """Reads a benchmark back; needs no art.

    Raises:
        FileNotFoundError: if the folder holds no finished benchmark.
        ValueError: if it was written by an incompatible version.
    """
    root = Path(directory)
    data: dict[str, Any] = json.loads((root / INDEX_NAME).read_text(encoding="utf-8"))
    version = data["arguments"]["version"]
    if version != FORMAT_VERSION:
        raise ValueError(f"{root} holds a benchmark of format {version}, not {FORMAT_VERSION}")
    return Benchmark(
        directory=root,
        seed=data["arguments"]["seed"],
        split=data["arguments"]["split"],
        photos=[PhotoRecord(**record) for record in data["photos"]],
        facts=data["facts"],
        looks=data["looks"],
    )


def _refuse_another(root: Path, arguments: dict[str, Any]) -> None:
    """Refuses a folder in which a file of this benchmark would replace, or be, somebody's own."""
    if not root.exists():
        return
    if not root.is_dir():
        raise FileExistsError(f"{root} is a file: give a folder to write to")
    begun = [name for name in (INDEX_NAME, ARGUMENTS_NAME) if (root / name).exists()]
    # a generation that was killed at its very start has left nothing but a half-written file
    others = [path.name for path in root.iterdir() if not path.name.startswith(_UNFINISHED)]
    if others and not begun:
        raise FileExistsError(
            f"{root} holds other files ({min(others)}): give an empty or a new folder"
        )
    for name in begun:
        found = _arguments_in(root / name)
        if found != arguments:
            changed = ", ".join(
                f"{key} {found.get(key)} there, {value} now"
                for key, value in arguments.items()
                if found.get(key) != value
            )
            raise FileExistsError(f"{root} holds another benchmark ({changed})")


def _arguments_in(path: Path) -> dict[str, Any]:
    """Returns what a benchmark was asked for, from its index or from before it was finished."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise FileExistsError(f"{path} is no benchmark's: give an empty or a new folder")
    asked: dict[str, Any] = found.get("arguments", found)
    return asked


def _neutral_names(count: int, seed: int) -> list[str]:
    """File names in random order: neither name nor order tells who is on a photo."""
    numbers = np.random.default_rng([seed, 1234]).permutation(count)
    return [f"photo_{int(number):05d}.jpg" for number in numbers]


def _record(spec: PhotoSpec, name: str) -> PhotoRecord:
    person: Identity = spec.identity
    return PhotoRecord(
        filename=name,
        identity=person.name,
        split=person.split,
        role=spec.role,
        scenario=spec.scenario,
        affiliation=spec.affiliation,
        descriptions=list(spec.descriptions),
        all_facts=list(spec.all_facts),
        width=spec.width,
        height=spec.height,
    )


def _written(
    root: Path, plans: list[PhotoSpec], names: list[str], workers: int | None
) -> Iterator[str]:
    missing = [
        (root / name, spec)
        for spec, name in zip(plans, names, strict=True)
        if not (root / name).exists()
    ]
    count = min(workers or cores(), max(1, len(missing) // 4))
    if count == 1:
        yield from map(_write_photo, missing)
        return
    with ProcessPoolExecutor(count) as pool:
        yield from pool.map(_write_photo, missing, chunksize=4)


def _write_photo(job: tuple[Path, PhotoSpec]) -> str:
    path, spec = job
    _write_atomically(path, photo_bytes(spec))
    return path.name


def _write_index(benchmark: Benchmark, arguments: dict[str, Any]) -> None:
    card = write_card(
        people=len(benchmark.facts),
        split=benchmark.split,
        seed=benchmark.seed,
        shares=sum(photo.role == "share" for photo in benchmark.photos),
        queries=sum(photo.role == "query" for photo in benchmark.photos),
        scenarios=list(SCENARIOS),
    )
    _write_atomically(benchmark.directory / CARD_NAME, card.encode())
    _write_json(
        benchmark.directory / INDEX_NAME,
        {
            "arguments": arguments,
            "facts": benchmark.facts,
            "looks": benchmark.looks,
            "photos": [asdict(photo) for photo in benchmark.photos],
        },
    )


def _write_json(path: Path, data: dict[str, Any]) -> None:
    _write_atomically(path, (json.dumps(data, indent=1, ensure_ascii=False) + "\n").encode())


def _write_atomically(path: Path, data: bytes) -> None:
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=_UNFINISHED)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
