"""One spelling for the many ways to write the same words, and names as a text may write them."""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Iterable, Iterator

__all__ = ["UNSPACED", "look", "names_pattern", "read", "read_with_places"]

_SHORTEST_NAME = 2
_SHORTEST_WORD = 3
_SHORTEST_UNSPACED = 2

UNSPACED = (
    "\u0e00-\u0eff\u0f00-\u109f\u1100-\u11ff\u1780-\u17ff\u3040-\u30ff\u31f0-\u31ff"
    "\u3400-\u4dbf\u4e00-\u9fff\ua960-\ua97f\uac00-\ud7ff\uf900-\ufaff\U00020000-\U0003ffff"
)
"""Han, kana, Hangul, Thai, Lao, Tibetan, Burmese and Khmer, as ranges: what is no part of a word
may stand right beside it."""

_IS_UNSPACED = re.compile(f"[{UNSPACED}]")
_INVISIBLE = frozenset("\u034f\u115f\u1160\u3164\uffa0") | {chr(n) for n in range(0xFE00, 0xFE10)}
_LAST_FOLDED = 0x0590  # Latin, Greek, Cyrillic, Armenian: beyond, marks make other letters
_MORE_LATIN = range(0x1E00, 0x2000)

_ALIKE = str.maketrans(
    "аеорсухіјѕԁһӏвкмнтАЕОРСУХІЈЅВКМНТαβεικνορτυχΑΒΕΖΗΙΚΜΝΟΡΤΥΧıł",
    "aeopcyxijsdhlbkmhtAEOPCYXIJSBKMHTabeiknoptuxABEZHIKMNOPTYXil",
)


def read(text: str) -> str:
    """Returns a text as it is read: compatibility forms resolved, invisible characters left out."""
    if text.isascii():
        return text
    return "".join(_read_parts(text))


def read_with_places(text: str) -> tuple[str, list[int]]:
    """Returns a text as :func:`read` does, and where each of its characters, and its end, stood."""
    if text.isascii():
        return text, list(range(len(text) + 1))
    parts, places, at = [], [], 0
    for source, part in zip(_clusters(text), _read_parts(text), strict=True):
        parts.append(part)
        places += [at] * len(part)
        at += len(source)
    return "".join(parts), [*places, at]


def look(text: str) -> str:
    """Returns a text by what its letters look like: one character for each of a text that is read.

    Accents of Latin, Greek and Cyrillic letters are left out, letters that look Latin become so.
    """
    if text.isascii():
        return text
    return "".join(map(_look_of, text)).translate(_ALIKE)


def names_pattern(names: Iterable[str]) -> re.Pattern[str] | None:
    """Returns what finds names in what :func:`look` gives, or None without any.

    A name is found as its words in order with any punctuation, or none, between them, and by each
    of its words alone; a name with digits is a code and is found as a whole. Letters on either side
    make another word, except in scripts that are written without spaces; digits may follow.
    """
    wanted: dict[tuple[str, str], set[str]] = {}

    def want(words: list[str]) -> None:
        sides = _sides(words[0][0], words[-1][-1])
        wanted.setdefault(sides, set()).add(r"[\W_]{0,3}".join(map(re.escape, words)))

    for name in {look(read(name)) for name in names}:
        words = _words(name)
        if sum(map(len, words)) < _SHORTEST_NAME:
            continue
        want(words)
        if not any(character.isdigit() for character in name):
            for word in words:
                shortest = _SHORTEST_UNSPACED if _IS_UNSPACED.match(word) else _SHORTEST_WORD
                if len(word) >= shortest:
                    want([word])
    if not wanted:
        return None
    groups = (
        f"{before}(?:{'|'.join(sorted(some, key=lambda n: (-len(n), n)))}){after}"
        for (before, after), some in sorted(wanted.items())
    )
    return re.compile("|".join(groups), re.IGNORECASE)


def _sides(first: str, last: str) -> tuple[str, str]:
    """Returns what has to hold before and behind a name, by its first and last character."""
    letter = rf"(?:[^\W_]|{_mark()})"
    before = "" if _IS_UNSPACED.match(first) else rf"(?<!{letter})"
    if _IS_UNSPACED.match(last):
        return before, ""
    if last.isdigit():
        return before, rf"(?!{letter})"
    # ada2.jpg is a name still
    return before, rf"(?!\d{{0,4}}(?:[^\W\d_]|{_mark()})|\d{{5}})"


def _words(name: str) -> list[str]:
    joined = "".join(c if c.isalnum() or unicodedata.category(c)[0] == "M" else " " for c in name)
    return joined.split()


@functools.cache
def _mark() -> str:
    """Returns the class of combining marks, which ``re`` takes for punctuation."""
    marks = [n for n in range(0x300, 0x10000) if unicodedata.category(chr(n))[0] == "M"]
    ranges, start = [], marks[0]
    for one, other in zip(marks, [*marks[1:], -1], strict=True):
        if other != one + 1:
            ranges.append(f"{chr(start)}-{chr(one)}")
            start = other
    return f"[{''.join(ranges)}]"


def _clusters(text: str) -> Iterator[str]:
    """Yields characters, each with the marks or syllable parts that are composed with it."""
    start = 0
    for at, character in enumerate(text):
        composed = unicodedata.combining(character) or "\u1160" <= character <= "\u11ff"
        if at > start and not composed:
            yield text[start:at]
            start = at
    if text:
        yield text[start:]


def _read_parts(text: str) -> Iterator[str]:
    for cluster in _clusters(text):
        if cluster.isascii():
            yield cluster
        elif cluster[0] in _INVISIBLE or unicodedata.category(cluster[0]) == "Cf":
            yield unicodedata.normalize("NFKC", cluster[1:])
        else:
            yield unicodedata.normalize("NFKC", cluster)


@functools.lru_cache(maxsize=4096)
def _look_of(character: str) -> str:
    if not (ord(character) < _LAST_FOLDED or ord(character) in _MORE_LATIN):
        return character
    parts = unicodedata.normalize("NFKD", character)
    plain = len(parts) > 1 and all(unicodedata.combining(mark) for mark in parts[1:])
    return parts[0] if plain else character
