"""What an attacker has and what is asked: photos, who is on them, and what is true of them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from .contents import sha

__all__ = ["AlbumPhoto", "AttackAlbum"]


@dataclass(frozen=True)
class AlbumPhoto:
    """One clean photo.

    Attributes:
        key: stable name, unique in its album; never shown to a model
        path: the clean file
        person: assigned name of who is on it
        role: ``"share"`` for a photo that the attacker gets and that is protected, ``"query"``
            for a clean one that nobody shared, ``"other"`` for a photo of somebody who is in no
            shared photo
        scenario: of the fact that the photo shows, or ``""``
        affiliation: the phrase of that fact, for example ``"a red car"``, or ``""``
        descriptions: sentences that tell the visible fact and name the person; may be empty
        face: box of the face as (left, top, right, bottom) in shares of width and height, or None
            where it is not known
    """

    key: str
    path: Path
    person: str
    role: str
    scenario: str = ""
    affiliation: str = ""
    descriptions: tuple[str, ...] = ()
    face: tuple[float, float, float, float] | None = None


@dataclass(frozen=True)
class AttackAlbum:
    """Photos of several people, and the answer key.

    Attributes:
        photos: no file is in two roles
        facts: person -> scenario -> phrase, for the people of the shared photos
        choices: scenario -> the phrases among which a forced choice is made, at least two
        questions: scenario -> wordings of the question, with a ``{name}`` slot that is filled
            with "this person"; may be empty
    """

    photos: tuple[AlbumPhoto, ...]
    facts: Mapping[str, Mapping[str, str]]
    choices: Mapping[str, tuple[str, ...]]
    questions: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def of(self, role: str) -> list[AlbumPhoto]:
        """Returns the photos of one role, in order."""
        return [photo for photo in self.photos if photo.role == role]

    @property
    def people(self) -> list[str]:
        """Names of the people of the shared photos, in order of appearance."""
        return list(dict.fromkeys(photo.person for photo in self.of("share")))

    @property
    def digest(self) -> str:
        """16 hex digits of the photos' bytes and everything that is said of them."""
        text = hashlib.sha256()
        for photo in self.photos:
            said = (photo.key, photo.person, photo.role, photo.scenario, photo.affiliation)
            text.update(repr((said, photo.descriptions, photo.face)).encode())
            text.update(bytes.fromhex(sha(photo.path, 64)))
        text.update(repr({p: sorted(f.items()) for p, f in self.facts.items()}).encode())
        text.update(repr(sorted((k, tuple(v)) for k, v in self.choices.items())).encode())
        text.update(repr(sorted((k, tuple(v)) for k, v in self.questions.items())).encode())
        return text.hexdigest()[:16]
