"""What is asked in an evaluation, and the pictures that it is asked about."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..measure.features import read_rgb
from .album import AlbumPhoto, AttackAlbum
from .base import Question
from .pairs import questions
from .settings import AttackConfig

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = [
    "PictureBox",
    "Pictured",
    "asked",
    "query_questions",
    "stranger_photos",
    "stranger_questions",
    "told_of",
    "training_questions",
]

TRAINING_PHOTOS = 2
"""Photos of each person on which training-set accuracy is measured."""

_HELD = 1 << 28


class PictureBox:
    """Decoded photos, those used last kept in memory.

    Args:
        limit: bytes to hold at most
    """

    def __init__(self, limit: int = _HELD) -> None:
        self._limit, self._size = limit, 0
        self._held: OrderedDict[Path, Image] = OrderedDict()

    def __call__(self, path: Path) -> Image:
        """Returns a photo, RGB and upright."""
        from PIL import Image as Images

        if path in self._held:
            self._held.move_to_end(path)
            return self._held[path]
        picture = Images.fromarray(read_rgb(path))
        self._held[path] = picture
        self._size += _bytes(picture)
        while self._size > self._limit and len(self._held) > 1:
            self._size -= _bytes(self._held.popitem(last=False)[1])
        return picture


def _bytes(picture: Image) -> int:
    return 3 * picture.width * picture.height


class Pictured:
    """From photos' keys to pictures, as an attacker sees them in one cell.

    Args:
        box: gives pictures by path
        paths: by key
    """

    def __init__(self, box: PictureBox, paths: Mapping[str, Path]) -> None:
        self._box, self._paths = box, paths

    def __call__(self, key: str) -> Image:
        """Returns a photo's picture."""
        return self._box(self._paths[key])


def _some(photos: Sequence[AlbumPhoto], each: int, seed: int) -> set[str]:
    """Returns keys of at most ``each`` photos of every person, drawn by their keys."""
    people: dict[str, list[str]] = {}
    for photo in photos:
        people.setdefault(photo.person, []).append(photo.key)

    def place(key: str) -> bytes:
        return hashlib.sha256(f"{seed}\0{key}".encode()).digest()

    return {key for own in people.values() for key in sorted(own, key=place)[:each]}


def _limited(photos: Sequence[AlbumPhoto], limit: int, seed: int) -> set[str]:
    people = len({photo.person for photo in photos})
    each = -(-limit // max(1, people)) if limit else len(photos)
    return _some(photos, each, seed)


def query_questions(album: AttackAlbum, setting: str, config: AttackConfig) -> list[Question]:
    """Returns what is asked of the query photos, the same for every arm and attacker."""
    chosen = _limited(album.of("query"), config.max_questions, config.question_seed)
    found = questions(
        album,
        setting=setting,
        role="query",
        wording=config.wording,
        seed=config.question_seed,
    )
    return [question for question in found if question.photo in chosen]


def training_questions(
    album: AttackAlbum, photos: Sequence[AlbumPhoto], setting: str, config: AttackConfig
) -> list[Question]:
    """Returns what is asked of some training photos themselves.

    Args:
        album: whose people are asked for
        photos: that were trained on
        setting: what they told
        config: the evaluation's
    """
    people = set(album.people)
    own = tuple(photo for photo in photos if photo.person in people)
    if not own:
        return []
    chosen = _some(own, TRAINING_PHOTOS, config.question_seed)
    mine = replace(album, photos=own)
    found = questions(mine, setting=setting, role="share", seed=config.question_seed)
    return [question for question in found if question.photo in chosen]


def stranger_photos(album: AttackAlbum, config: AttackConfig) -> list[AlbumPhoto]:
    """Returns the photos of other people on which false naming is measured."""
    others = album.of("other")
    chosen = _limited(others, config.max_questions, config.question_seed)
    return [photo for photo in others if photo.key in chosen]


def stranger_questions(album: AttackAlbum, config: AttackConfig) -> list[Question]:
    """Returns who the photos of :func:`stranger_photos` are asked to show."""
    chosen = {photo.key for photo in stranger_photos(album, config)}
    found = questions(album, role="other", wording=config.wording, seed=config.question_seed)
    return [question for question in found if question.photo in chosen]


def asked(found: Sequence[Question]) -> list[dict[str, Any]]:
    """Returns questions as JSON values."""
    return [
        {
            "photo": question.photo,
            "person": question.person,
            "ask": "identity" if question.kind == "name" else "affiliation",
            "scenario": question.scenario,
            "question": question.text,
            "truth": question.answer,
            "choices": list(question.choices),
        }
        for question in found
    ]


def told_of(album: AttackAlbum, photos: Sequence[AlbumPhoto], setting: str) -> set[tuple[str, str]]:
    """Returns the (person, scenario) pairs of which training photos tell.

    Args:
        album: the facts
        photos: that are trained on
        setting: what they tell
    """
    if setting == "shown":
        return {(photo.person, photo.scenario) for photo in photos if photo.scenario}
    return {(p.person, scenario) for p in photos for scenario in album.facts.get(p.person, {})}
