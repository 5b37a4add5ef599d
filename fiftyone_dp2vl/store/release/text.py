"""The words of a release: what would give somebody away, listed before anything is written."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ...errors import ConfigError, RunError
from ...release import KINDS, TextScanner
from .fields import texts_of

__all__ = [
    "ACTIONS",
    "FIELD_NAME",
    "SENTENCE",
    "TextChoices",
    "TextListing",
    "aliases_of",
    "list_names",
    "list_words",
]

ACTIONS = ("refuse", "drop", "mask", "keep")
"""What can be done with words that give something away."""

SENTENCE = "Pixels cannot unsay text: what a caption or a label says is learned as it stands."

FIELD_NAME = "field name"
"""Stands for a kind where it is a field's own name that gives somebody away."""

LISTED_KINDS = tuple(KINDS)
_EXAMPLES = 5


@dataclass(frozen=True)
class TextListing:
    """Words of one kind in one field, or in its own name.

    Attributes:
        field: the field
        kind: a key of :data:`fiftyone_dp2vl.release.KINDS`
        photos: how many photos have such words there
        examples: some of the words
        named: whether they are in the field's own name, which cannot be masked
    """

    field: str
    kind: str
    photos: int
    examples: tuple[str, ...]
    named: bool = False

    @property
    def key(self) -> str:
        """The most exact key of what is to be done with these words."""
        return f"{self.field}:{FIELD_NAME if self.named else self.kind}"

    @property
    def label(self) -> str:
        """What is where, without the words."""
        noun = "photo" if self.photos == 1 else "photos"
        if self.named:
            return f"{self.field}: the field's own name has {KINDS[self.kind]}"
        return f"{self.field}: {KINDS[self.kind]} on {self.photos} {noun}"

    def sentence(self) -> str:
        """Returns the listing in one line."""
        some = ", ".join(repr(words) for words in self.examples)
        return f"{self.label} ({some})"


class TextChoices:
    """What is to be done with words, by field and kind.

    Args:
        chosen: one of :data:`ACTIONS` for all, or a mapping from ``"field:kind"``, a field or a
            kind to one; the most exact key counts and ``"refuse"`` holds for what is not named.
            For a field's own name the kind is ``"field name"``: drop leaves the field out

    Raises:
        ConfigError: if an action or a kind is unknown
    """

    def __init__(self, chosen: str | Mapping[str, str]) -> None:
        self._all = chosen if isinstance(chosen, str) else "refuse"
        self._by = {} if isinstance(chosen, str) else dict(chosen)
        for action in (self._all, *self._by.values()):
            if action not in ACTIONS:
                raise ConfigError(f"no action {action!r} for text: choose {', '.join(ACTIONS)}")

    def of(self, field: str, kind: str) -> str:
        """Returns what is to be done with one kind of words in one field."""
        for key in (f"{field}:{kind}", field, kind):
            if key in self._by:
                return self._by[key]
        return self._all

    def of_listing(self, words: TextListing) -> str:
        """Returns what is to be done with words that were found."""
        return self.of(words.field, FIELD_NAME if words.named else words.kind)

    def check(self, listed: Sequence[TextListing]) -> None:
        """Refuses to go on where nothing was decided.

        Raises:
            RunError: with what was found
        """
        listed = self._travelling(listed)
        open_ = [words for words in listed if self.of_listing(words) == "refuse"]
        if open_:
            found = "; ".join(words.sentence() for words in open_)
            raise RunError(
                f"text would give somebody away: {found}. Say for each what to do: drop, mask or "
                "keep, or leave the field out"
            )
        for words in listed:
            if words.named and self.of_listing(words) == "mask":
                raise RunError(
                    f"{words.sentence()}, and a field's name cannot be masked: say drop or keep "
                    f"for {words.key!r}"
                )

    def kept(self, listed: Sequence[TextListing]) -> list[str]:
        """Returns the kinds of words that stay on purpose, somewhere."""
        travelling = self._travelling(listed)
        found = {words.kind for words in travelling if self.of_listing(words) == "keep"}
        return [kind for kind in KINDS if kind in found]

    def left_out(self, listed: Sequence[TextListing]) -> set[str]:
        """Returns the fields that are dropped for their own names."""
        return {w.field for w in listed if w.named and self.of_listing(w) == "drop"}

    def _travelling(self, listed: Sequence[TextListing]) -> list[TextListing]:
        """Returns what was found in fields that are not left out, and in all fields' names."""
        dropped = self.left_out(listed)
        return [words for words in listed if words.named or words.field not in dropped]

    def editor(
        self, field: str, scanner: TextScanner, aliases: Mapping[str, str]
    ) -> Callable[[str], str | None]:
        """Returns what edits a text of a field; None drops it."""

        def edit(text: str) -> str | None:
            actions = {hit.kind: self.of(field, hit.kind) for hit in scanner.hits(text)}
            if "drop" in actions.values():
                return None
            masked = [kind for kind, action in actions.items() if action == "mask"]
            return scanner.mask(text, masked, aliases) if masked else text

        return edit


def list_words(values: Mapping[str, Iterable[Any]], scanner: TextScanner) -> list[TextListing]:
    """Returns the words in fields that give somebody away.

    Args:
        values: field -> its value on each photo
        scanner: knows the names
    """
    listed = []
    for field, column in values.items():
        photos: dict[str, int] = dict.fromkeys(LISTED_KINDS, 0)
        examples: dict[str, dict[str, None]] = {kind: {} for kind in LISTED_KINDS}
        for value in column:
            hits = [hit for text in texts_of(value) for hit in scanner.hits(text)]
            for kind in {hit.kind for hit in hits}:
                photos[kind] += 1
            for hit in hits:
                examples[hit.kind].setdefault(hit.text)
        listed += [
            TextListing(field, kind, count, tuple(examples[kind])[:_EXAMPLES])
            for kind, count in photos.items()
            if count
        ]
    return listed


def list_names(fields: Iterable[str], photos: int, scanner: TextScanner) -> list[TextListing]:
    """Returns the fields whose own names give somebody away.

    Args:
        fields: their names
        photos: how many photos have them
        scanner: knows the names of the people
    """
    listed = []
    for field in fields:
        found: dict[str, dict[str, None]] = {}
        for hit in scanner.hits(field):
            found.setdefault(hit.kind, {}).setdefault(hit.text)
        listed += [
            TextListing(field, kind, photos, tuple(words)[:_EXAMPLES], named=True)
            for kind, words in found.items()
        ]
    return listed


def aliases_of(identities: Iterable[str], secret: bytes, scanner: TextScanner) -> dict[str, str]:
    """Returns case-folded name -> ``person-1``, ..., in an order that only the secret knows."""

    def place(name: str) -> bytes:
        return hmac.new(secret, f"person {name}".encode(), hashlib.sha256).digest()

    names = sorted({name.casefold() for name in identities}, key=place)
    for word in ("person", "individual", "somebody"):
        made = {name: f"{word}-{number}" for number, name in enumerate(names, start=1)}
        # where people are called person_1, ..., the numbers would look like theirs
        if not any(scanner.hits(alias) for alias in made.values()):
            return made
    return {}
