"""From a dataset's fields to what an attacker has and is asked: photos, names, facts, choices."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..attack.album import AlbumPhoto, AttackAlbum
from ..errors import ConfigError
from .content_keys import content_keys
from .photo_sets import held_out, picked
from .photos import GROUP_KINDS, field_kind, field_problem, require_photos
from .records import load_run
from .run_fields import require_run_fields

__all__ = ["FACE_KINDS", "QUERY_SHARE", "TEXT_KINDS", "DatasetAlbum", "attack_album"]

TEXT_KINDS = (*GROUP_KINDS, "ListField")
"""Fields that can describe a photo."""

FACE_KINDS = ("Detections", "Detection")
"""Fields that can say where a face is."""

QUERY_SHARE = 0.25
"""Of each person's photos, held out to be asked about where nothing else is said."""


@dataclass(frozen=True)
class DatasetAlbum:
    """A view's photos as an attacker meets them, and where they are in the dataset.

    Attributes:
        album: the photos, the facts and the choices
        protected: shared photo's key -> protected file of a run; empty without one
        samples: photo's key -> sample id
    """

    album: AttackAlbum
    protected: Mapping[str, Path]
    samples: Mapping[str, str]


def attack_album(
    view: Any,
    *,
    identity: str,
    affiliation: str | None = None,
    scenario: str | None = None,
    description: str | None = None,
    query: str | float = QUERY_SHARE,
    others: str | None = None,
    run: str | None = None,
    face: str | None = None,
    questions: Mapping[str, Sequence[str]] | None = None,
    distractors: Mapping[str, Sequence[str]] | None = None,
    seed: int = 0,
    contents: bool = True,
) -> DatasetAlbum:
    """Returns a view's photos as an attacker meets them, and the protected files of a run.

    A photo's key is its file's hash (see :func:`.content_keys.content_keys`), because everything
    random in an evaluation goes by keys: the same photos, imported anew, have other sample ids and
    should be drawn, asked and measured alike all the same.

    A photo without a name is left out. A person's fact in a scenario is the phrase that most of
    that person's photos carry, the shared ones first. A scenario in which only one phrase occurs
    allows no choice and is left out, unless ``distractors`` adds others. People of whom only query
    photos are there count as other people.

    Args:
        view: a FiftyOne dataset or view of photos
        identity: field of strings or classifications that says who is on a photo
        affiliation: the same for what a photo tells of that person, for example ``"a red car"``
        scenario: the same for what kind of fact that is; without it all are of one kind, which is
            called like the field ``affiliation``
        description: field of strings, lists of strings or classifications that describe a photo
        query: clean photos that nobody shares and that the attacker is asked about: ``"tag:NAME"``,
            ``"view:NAME"`` (a saved view), ``"FIELD=VALUE"``, or a share in (0, 0.5] of each
            person's photos, drawn by ``seed``
        others: photos of people who are on no shared photo, named in the same way
        run: a complete protection of these photos; None for none
        face: field of detections; the largest one of a photo is its face
        questions: scenario -> wordings with a ``{name}`` slot; the benchmark has its own
        distractors: scenario -> further phrases to choose among
        seed: of the photos held out for ``query``
        contents: False for keys that are sample ids: no photo is read for them, and what is wrong
            with a field or a choice shows as well, but a share for ``query`` is another draw

    Raises:
        ConfigError: if a field or a choice of photos will not do
        RunError: if there is no such run, or it lost the field with its files
    """
    record = load_run(view._root_dataset, run) if run is not None else None
    if record is not None and record.state != "complete":
        raise ConfigError(f"run {run!r} is {record.state}: finish it before it is attacked")
    filepath_field = record.filepath_field if record is not None else "filepath"
    require_photos(view, filepath_field)
    if record is not None:
        require_run_fields(view, record, record.names.path)
    for field, kinds in (
        *((name, GROUP_KINDS) for name in (identity, affiliation, scenario)),
        (description, TEXT_KINDS),
        (face, FACE_KINDS),
    ):
        problem = field_problem(view, field, kinds)
        if problem is not None:
            raise ConfigError(problem)
    words = _words(view._root_dataset, affiliation, questions, distractors)
    photos = _photos(view, filepath_field, identity, affiliation, scenario, description, face)
    photos = [replace(photo, affiliation=words.phrase(photo)) for photo in photos]
    files = {photo.key: photo.path for photo in photos}
    keys = content_keys(files) if contents else {sample: sample for sample in files}
    photos = [replace(photo, key=keys[photo.key]) for photo in photos]
    album = _album(_with_roles(view, photos, keys, query, others, seed), words)
    if affiliation is not None and not album.choices:
        raise ConfigError(
            f"field {affiliation!r} holds no scenario with two different phrases to choose "
            "between: give distractors, or leave affiliations out"
        )
    samples = {key: sample for sample, key in keys.items()}
    path_field = None if record is None else record.names.path
    return DatasetAlbum(album, _protected(view, album, samples, path_field, run), samples)


@dataclass(frozen=True)
class _Words:
    """How facts are worded: phrases by (scenario, label), questions, and more to choose among."""

    phrases: Mapping[tuple[str, str], str]
    questions: Mapping[str, tuple[str, ...]]
    distractors: Mapping[str, tuple[str, ...]]

    def phrase(self, photo: AlbumPhoto) -> str:
        return self.phrases.get((photo.scenario, photo.affiliation), photo.affiliation)


def _words(
    dataset: Any,
    affiliation: str | None,
    questions: Mapping[str, Sequence[str]] | None,
    distractors: Mapping[str, Sequence[str]] | None,
) -> _Words:
    asked = {name: tuple(texts) for name, texts in (questions or {}).items()}
    more = {name: tuple(texts) for name, texts in (distractors or {}).items()}
    if "benchmark_seed" not in (dataset.info or {}) or affiliation != "affiliation":
        return _Words({}, asked, more)
    from ..attack.benchmark import QUESTIONS
    from ..benchmark import SCENARIOS

    # its fields hold short labels; a model is taught phrases
    phrases = {(s.name, a.name): a.phrase for s in SCENARIOS.values() for a in s.affiliations}
    all_of = {s.name: tuple(a.phrase for a in s.affiliations) for s in SCENARIOS.values()}
    return _Words(phrases, {**QUESTIONS, **asked}, {**all_of, **more})


def _photos(
    view: Any,
    filepath_field: str,
    identity: str,
    affiliation: str | None,
    scenario: str | None,
    description: str | None,
    face: str | None,
) -> list[AlbumPhoto]:
    """Returns every photo that has a file and a name, by sample id; roles come later."""
    ids, paths = view.values(["id", filepath_field])
    people = _texts(view, identity)
    things = _texts(view, affiliation) if affiliation else [""] * len(ids)
    kinds = _texts(view, scenario) if scenario else [affiliation or ""] * len(ids)
    told = _descriptions(view, description, len(ids))
    faces = _faces(view, face, len(ids))
    photos = []
    for row, (sample, path, person) in enumerate(zip(ids, paths, people, strict=True)):
        if not path or not person:
            continue
        known = bool(things[row] and kinds[row])
        photos.append(
            AlbumPhoto(
                key=sample,
                path=Path(path),
                person=person,
                role="",
                scenario=kinds[row] if known else "",
                affiliation=things[row] if known else "",
                descriptions=told[row],
                face=faces[row],
            )
        )
    if not photos:
        raise ConfigError(f"field {identity!r} names nobody in this view: choose another field")
    return photos


def _with_roles(
    view: Any,
    photos: list[AlbumPhoto],
    keys: Mapping[str, str],
    query: str | float,
    others: str | None,
    seed: int,
) -> list[AlbumPhoto]:
    def named(choice: str, what: str) -> set[str]:
        # a choice may hold photos that name nobody, and so are not in the album
        return {keys[sample] for sample in picked(view, choice, what) if sample in keys}

    elsewhere = named(others, "others") if others else set()
    mine = [photo for photo in photos if photo.key not in elsewhere]
    asked = held_out([photo.key for photo in mine], [photo.person for photo in mine], query, seed)
    if asked is None:
        asked = named(str(query), "query")
    shared = {photo.person for photo in mine if photo.key not in asked}
    known = [photo for photo in photos if photo.key in elsewhere and photo.person in shared]
    if known:
        raise ConfigError(
            f"{len(known)} photos of other people show {known[0].person!r}, who is on shared "
            "photos too: name only people of whom nothing is shared"
        )
    if len(shared) < 2:
        raise ConfigError(
            f"shared photos show {len(shared)} people: an attacker needs at least 2 to tell apart"
        )

    def role(photo: AlbumPhoto) -> str:
        if photo.person not in shared:
            return "other"
        return "query" if photo.key in asked else "share"

    placed = [replace(photo, role=role(photo)) for photo in photos]
    if not any(photo.role == "query" for photo in placed):
        raise ConfigError(
            "none of the query photos shows a person of the shared ones: there is nothing to ask"
        )
    _refuse_shared_files(placed)
    return placed


def _refuse_shared_files(photos: list[AlbumPhoto]) -> None:
    roles: dict[Path, str] = {}
    for photo in photos:
        if roles.setdefault(photo.path, photo.role) != photo.role:
            raise ConfigError(f"{photo.path} is both shared and asked about: keep one of the two")


def _album(photos: list[AlbumPhoto], words: _Words) -> AttackAlbum:
    """Returns the album with everybody's facts, and the scenarios that allow a choice."""
    phrases: dict[str, set[str]] = defaultdict(set)
    counts: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    people = dict.fromkeys(photo.person for photo in photos if photo.role == "share")
    for photo in photos:
        if not photo.affiliation:
            continue
        phrases[photo.scenario].add(photo.affiliation)
        # what the attacker is taught outweighs what only the query photos say
        weight = len(photos) if photo.role == "share" else 1
        counts[photo.person, photo.scenario][photo.affiliation] += weight
    choices = {
        scenario: tuple(sorted({*found, *words.distractors.get(scenario, ())}))
        for scenario, found in sorted(phrases.items())
    }
    choices = {scenario: found for scenario, found in choices.items() if len(found) > 1}
    facts = {
        person: {
            scenario: min(told, key=lambda phrase: (-told[phrase], phrase))
            for scenario in choices
            if (told := counts.get((person, scenario)))
        }
        for person in people
    }
    kept = tuple(
        photo if photo.scenario in choices else replace(photo, scenario="", affiliation="")
        for photo in photos
    )
    asked = {name: texts for name, texts in words.questions.items() if name in choices}
    return AttackAlbum(kept, facts, choices, asked)


def _protected(
    view: Any,
    album: AttackAlbum,
    samples: Mapping[str, str],
    path_field: str | None,
    run: str | None,
) -> dict[str, Path]:
    if path_field is None:
        return {}
    of_sample = dict(zip(*view.values(["id", path_field]), strict=True))
    files = {key: of_sample[sample] for key, sample in samples.items()}
    shared = [photo.key for photo in album.of("share") if files[photo.key]]
    if not shared:
        raise ConfigError(f"run {run!r} protected none of the shared photos: choose another run")
    missing = [key for key in shared if not Path(files[key]).is_file()]
    if missing:
        raise ConfigError(
            f"{len(missing)} protected files of run {run!r} are gone, {files[missing[0]]} among "
            "them: protect the photos again"
        )
    return {key: Path(files[key]) for key in shared}


def _texts(view: Any, field: str) -> list[str]:
    """Returns a field of strings or classifications, one a sample; empty where it says nothing."""
    path = f"{field}.label" if field_kind(view, field) == "Classification" else field
    return [value or "" for value in view.values(path)]


def _descriptions(view: Any, field: str | None, count: int) -> list[tuple[str, ...]]:
    if field is None:
        return [()] * count
    if field_kind(view, field) != "ListField":
        return [(text,) if text else () for text in _texts(view, field)]
    return [tuple(str(text) for text in texts or ()) for texts in view.values(field)]


def _faces(
    view: Any, field: str | None, count: int
) -> list[tuple[float, float, float, float] | None]:
    """Returns each photo's largest box as (left, top, right, bottom)."""
    if field is None:
        return [None] * count
    several = field_kind(view, field) == "Detections"
    found = view.values(f"{field}.detections.bounding_box" if several else f"{field}.bounding_box")
    boxes = [value if several else [value] for value in found]
    largest = [
        max((box for box in each or () if box), key=lambda box: box[2] * box[3], default=None)
        for each in boxes
    ]
    return [
        None if box is None else (box[0], box[1], box[0] + box[2], box[1] + box[3])
        for box in largest
    ]
