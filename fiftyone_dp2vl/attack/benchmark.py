"""An album from the synthetic benchmark."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..benchmark import SCENARIOS, ArtMissingError, Benchmark, PhotoRecord, PhotoSpec
from ..benchmark.people import sample_identities
from ..benchmark.photos import plan_photos, render_with_layout
from ..errors import ConfigError
from .album import AlbumPhoto, AttackAlbum

__all__ = ["QUESTIONS", "benchmark_attack_album", "plan_of"]

QUESTIONS: Mapping[str, tuple[str, ...]] = {
    "home": (
        "Where does {name} live?",
        "What is the home of {name}?",
        "In what home does {name} live?",
    ),
    "vehicle": (
        "What does {name} drive?",
        "What is the vehicle of {name}?",
        "Which vehicle does {name} have?",
    ),
    "valuables": (
        "What precious thing does {name} own?",
        "What is the treasure of {name}?",
        "Which precious thing does {name} have?",
    ),
    "pet": (
        "Which pet does {name} have?",
        "What is the pet of {name}?",
        "What pet does {name} own?",
    ),
    "family": (
        "Who is in the family of {name}?",
        "Who belongs to {name}?",
        "Which person of the family does {name} know?",
    ),
    "workplace": (
        "Where does {name} work?",
        "What is the workplace of {name}?",
        "In what place does {name} work?",
    ),
    "club": (
        "Which club does {name} belong to?",
        "What is the club of {name}?",
        "What club does {name} know?",
    ),
}
"""Scenario -> wordings of the question; the last is kept for questions never trained on."""

_LAYOUT_SIDE = 96
"""Shorter edge of the small rendering that a face's place is read from, in pixels."""


def benchmark_attack_album(
    benchmark: Benchmark,
    *,
    per_person: int = 6,
    others: Benchmark | None = None,
    faces: bool = True,
) -> AttackAlbum:
    """Returns a benchmark as an attacker meets it.

    With fewer shared photos than scenarios, each person leaves out others, in turn, so that over
    the people all scenarios occur alike.

    Args:
        benchmark: shared and query photos of the people under attack
        per_person: shared photos of each person at most
        others: a benchmark of other people; its query photos have the role ``"other"``
        faces: whether to find the faces' places by drawing the plan again, small; without the
            benchmark's art they stay unknown

    Raises:
        ConfigError: if one person is in both benchmarks
    """
    people = list(benchmark.facts)
    chosen = [
        photo
        for index, person in enumerate(people)
        for photo in _shared(benchmark, person, index, per_person)
    ]
    chosen += [photo for photo in benchmark.photos if photo.role == "query"]
    plan = plan_of(benchmark) if faces else {}
    photos = [_photo(benchmark, record, plan.get(record.filename), "") for record in chosen]
    if others is not None:
        known = {tuple(sorted(look.items())) for look in benchmark.looks.values()}
        if any(tuple(sorted(look.items())) in known for look in others.looks.values()):
            raise ConfigError("both benchmarks show one person: give another split or seed")
        plan = plan_of(others) if faces else {}
        photos += [
            _photo(others, record, plan.get(record.filename), "other/")
            for record in others.photos
            if record.role == "query"
        ]
    facts = {
        person: {s: SCENARIOS[s].affiliation(name).phrase for s, name in told.items()}
        for person, told in benchmark.facts.items()
    }
    choices = {s.name: tuple(a.phrase for a in s.affiliations) for s in SCENARIOS.values()}
    return AttackAlbum(tuple(photos), facts, choices, dict(QUESTIONS))


def _shared(
    benchmark: Benchmark, person: str, index: int, per_person: int
) -> Sequence[PhotoRecord]:
    """Returns a person's shared photos: a different scenario each, as long as there are some."""
    own = [p for p in benchmark.photos if p.identity == person and p.role == "share"]
    scenarios = list(benchmark.facts[person])
    laps: dict[str, int] = {}
    ranked = []
    for photo in own:
        lap = laps[photo.scenario] = laps.get(photo.scenario, -1) + 1
        turn = (scenarios.index(photo.scenario) + index) % len(scenarios)
        ranked.append((lap, turn, photo))
    ranked.sort(key=lambda entry: entry[:2])
    kept = {photo.filename for _, _, photo in ranked[:per_person]}
    return [photo for photo in own if photo.filename in kept]


def _photo(
    benchmark: Benchmark, record: PhotoRecord, spec: PhotoSpec | None, prefix: str
) -> AlbumPhoto:
    phrase = ""
    if record.affiliation:
        phrase = SCENARIOS[record.scenario].affiliation(record.affiliation).phrase
    return AlbumPhoto(
        key=prefix + record.filename,
        path=benchmark.path(record),
        person=record.identity,
        role="other" if prefix else record.role,
        scenario=record.scenario,
        affiliation=phrase,
        descriptions=tuple(record.descriptions),
        face=None if spec is None else _face(spec),
    )


def plan_of(benchmark: Benchmark) -> dict[str, PhotoSpec]:
    """Returns what each file of a benchmark was drawn from; empty where that cannot be told."""
    count = len(benchmark.facts)
    first = next(iter(benchmark.facts), "")
    own = [photo for photo in benchmark.photos if photo.identity == first]
    queries = sum(photo.role == "query" for photo in own)
    each = sum(photo.role == "share" for photo in own) // max(
        1, len(benchmark.facts.get(first, {}))
    )
    plans = [
        spec
        for person in sample_identities(count, benchmark.seed, benchmark.split)
        for spec in plan_photos(
            person, benchmark.facts.get(person.name, {}), benchmark.seed, each, queries
        )
    ]
    told = [(r.identity, r.role, r.affiliation, r.width, r.height) for r in benchmark.photos]
    drawn = [(s.identity.name, s.role, s.affiliation, s.width, s.height) for s in plans]
    if told != drawn:
        return {}
    return {record.filename: spec for record, spec in zip(benchmark.photos, plans, strict=True)}


def _face(spec: PhotoSpec) -> tuple[float, float, float, float] | None:
    try:
        return render_with_layout(spec, _LAYOUT_SIDE)[1].face
    except ArtMissingError:
        return None
