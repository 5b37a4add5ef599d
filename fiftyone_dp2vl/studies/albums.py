"""The photos a study measures on: people, what they shared, and clean queries of them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from ..errors import ConfigError
from ..runs.names import PHOTO_SUFFIXES

__all__ = ["Album", "Shot", "benchmark_album", "folder_album"]


@dataclass(frozen=True)
class Shot:
    """One clean photo.

    Attributes:
        key: stable name, unique in its album
        path: the file
        person: who is on it
        role: ``"share"`` or ``"query"``
    """

    key: str
    path: Path
    person: str
    role: str


@dataclass(frozen=True)
class Album:
    """Photos of several people.

    Attributes:
        shots: the photos
        digest: of their bytes, names and people
    """

    shots: tuple[Shot, ...]
    digest: str

    @property
    def share(self) -> list[Shot]:
        """What an attacker can get, and what is protected."""
        return [shot for shot in self.shots if shot.role == "share"]

    @property
    def query(self) -> list[Shot]:
        """Clean photos of the same people that were never shared."""
        return [shot for shot in self.shots if shot.role == "query"]


def _album(shots: list[Shot]) -> Album:
    digest = hashlib.sha256()
    for shot in shots:
        digest.update(f"{shot.key}|{shot.person}|{shot.role}|".encode())
        digest.update(hashlib.sha256(shot.path.read_bytes()).digest())
    return Album(tuple(shots), digest.hexdigest()[:16])


def benchmark_album(
    folder: Path, *, people: int, seed: int, split: str, per_scenario: int, queries: int
) -> Album:
    """Returns photos of the synthetic benchmark, drawn into ``folder`` unless they are there.

    Args:
        folder: the benchmark's folder
        people: how many
        seed: draws people and photos
        split: ``"dev"`` to choose by, ``"eval"`` to report on
        per_scenario: share photos per person and scenario
        queries: query photos per person

    Raises:
        ConfigError: if the benchmark cannot be drawn as asked
    """
    from ..benchmark import ArtMissingError, generate_benchmark

    try:
        benchmark = generate_benchmark(
            folder,
            people=people,
            seed=seed,
            split=split,
            photos_per_scenario=per_scenario,
            queries=queries,
        )
    except (ArtMissingError, ValueError) as error:  # no art library, or too few looks
        raise ConfigError(str(error)) from error
    return _album(
        [
            Shot(photo.filename, benchmark.path(photo), photo.identity, photo.role)
            for photo in benchmark.photos
        ]
    )


def folder_album(folder: Path) -> Album:
    """Returns one's own photos, laid out as ``PERSON/share/*`` and ``PERSON/query/*``.

    Raises:
        ConfigError: if the folder holds no such photos
    """
    shots = [
        Shot(path.relative_to(folder).as_posix(), path, path.parents[1].name, path.parent.name)
        for path in sorted(folder.glob("*/*/*"))
        if path.parent.name in ("share", "query") and path.suffix.lower() in PHOTO_SUFFIXES
    ]
    if not {"share", "query"} <= {shot.role for shot in shots}:
        raise ConfigError(f"{folder} holds no photos as PERSON/share/* and PERSON/query/*")
    return _album(shots)
