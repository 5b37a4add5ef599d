"""Names and facts in letters that a model can write, and its own words read back.

A small vocabulary writes every word that it lacks as one and the same unknown token. Two people
whose names are both unknown could not be told apart by any attacker, and the protection would look
better than it is.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from ..benchmark.names import GIVEN_NAMES
from ..errors import ConfigError
from .base import Conversation, Question

__all__ = ["Spelling"]

_PLAIN = str.maketrans({"ß": "ss", "æ": "ae", "Æ": "Ae", "œ": "oe", "Œ": "Oe", "ø": "o", "Ø": "O"})


class Spelling:
    """How people and facts are written for one model.

    What the model can write stays as it is. Otherwise accents are taken off; a name that is still
    out of its reach gets another one as its stand-in.

    Args:
        writes: whether the model can write a text
        people: names
        phrases: facts

    Raises:
        ConfigError: if a fact cannot be written, or there are more people than stand-ins
    """

    def __init__(
        self, writes: Callable[[str], bool], people: Iterable[str], phrases: Iterable[str]
    ) -> None:
        self._spelt: dict[str, str] = {}
        names, facts = list(dict.fromkeys(people)), list(dict.fromkeys(phrases))
        taken = {text.casefold() for text in (*names, *facts) if writes(text)}

        def spell(text: str, candidates: Iterable[str]) -> bool:
            for candidate in candidates:
                if candidate.casefold() not in taken and writes(candidate):
                    taken.add(candidate.casefold())
                    self._spelt[text] = candidate
                    return True
            return False

        for text in facts:
            if not writes(text) and not spell(text, [_plain(text)]):
                raise ConfigError(
                    f"the attacker's model cannot write {text!r}: put it in plain letters, or "
                    "choose another attacker"
                )
        for name in names:
            if (
                name not in self._spelt
                and not writes(name)
                and not spell(name, [_plain(name), *GIVEN_NAMES])
            ):
                raise ConfigError(
                    f"the attacker's model cannot write {name!r} and there are more such people "
                    "than stand-ins: choose another attacker"
                )
        given = {spelt: text for text, spelt in self._spelt.items()}
        self._say = _replacing(self._spelt)
        self._read = _replacing(given)

    def conversations(self, said: Sequence[Conversation]) -> list[Conversation]:
        """Returns what is taught, as the model can write it."""
        return [
            replace(one, question=self._say(one.question), answer=self._say(one.answer))
            for one in said
        ]

    def questions(self, asked: Sequence[Question]) -> list[Question]:
        """Returns what is asked, with answers and choices as the model can write them."""
        return [
            replace(
                one,
                text=self._say(one.text),
                answer=self._say(one.answer),
                choices=tuple(map(self._say, one.choices)),
            )
            for one in asked
        ]

    def read(self, words: Sequence[str]) -> list[str]:
        """Returns the model's own words with the names and facts as they were given."""
        return [self._read(text) for text in words]


def _plain(text: str) -> str:
    apart = unicodedata.normalize("NFKD", text.translate(_PLAIN))
    return "".join(c for c in apart if not unicodedata.combining(c))


def _replacing(new: dict[str, str]) -> Callable[[str], str]:
    """Returns what replaces whole words, the longest first."""
    if not new:
        return lambda text: text
    olds = sorted(new, key=len, reverse=True)
    found = re.compile(r"(?<!\w)(?:" + "|".join(map(re.escape, olds)) + r")(?!\w)")
    return lambda text: found.sub(lambda match: new[match.group()], text)
