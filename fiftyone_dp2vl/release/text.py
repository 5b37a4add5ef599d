"""What text gives away: names, addresses, numbers, paths, file names.

Names and file names are known from the dataset; addresses, numbers and paths are known by their
form. A protected pixel cannot unsay what stands in a caption.
"""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from pathlib import PurePath
from typing import NamedTuple

__all__ = ["KINDS", "TextHit", "TextScanner"]

KINDS: dict[str, str] = {
    "name": "a person's name",
    "e-mail": "an e-mail address",
    "phone": "a telephone number",
    "path": "a path of a file system",
    "file name": "the name of an original file",
    "sample id": "the id of a sample of the dataset",
    "run": "a field or run of the protection",
}
"""Kind -> what it is, in words."""

_SHORTEST_NAME = 2
_SHORTEST_WORD = 3
_SHORTEST_STEM = 6
_DIGITS_OF_A_PHONE = range(7, 16)

_EMAIL = re.compile(r"[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}")
_PHONE = re.compile(
    r"(?<![\w.+-])(?:\+|00)?\(?\d{1,5}\)?(?:[ /\u00a0-]{1,2}\(?\d{2,6}\)?){1,5}(?![\w.])"
)
_DATE = re.compile(r"\d{4}-\d{1,2}-\d{1,2}|\d{1,2}[-/]\d{1,2}[-/]\d{4}")
_PATH = re.compile(
    r"""file:/{1,3}[^\s"'<>|]+
    |(?<![A-Za-z])[A-Za-z]:[\\/](?:[^\\/\s"'<>|:*?]+[\\/])*[^\\/\s"'<>|:*?]+
    |(?<!\\)\\\\[\w.$-]+\\[^\s"'<>|]+
    |(?<![\w:/.+=<~-])~?/(?:[\w.@+-][\w.@+ -]*/)+[\w.@+-]*""",
    re.VERBOSE,
)
_RUN = re.compile(r"\bdp2vl_\w+")
_ID = re.compile(r"(?<![0-9a-fA-F])[0-9a-f]{24}(?![0-9a-fA-F])")
_SEGMENT = re.compile(r"""[^\\/"'<>|\r\n\t,;:(){}\[\]=]+""")


class TextHit(NamedTuple):
    """Something in a text that gives something away.

    Attributes:
        kind: a key of :data:`KINDS`
        text: the words themselves
        start: where they begin
        end: where they end
    """

    kind: str
    text: str
    start: int
    end: int


class TextScanner:
    """Finds what a text gives away.

    Args:
        identities: names of people; "Ada Lind" is also found as ``ada_lind`` and ``AdaLind``, and
            each of its words alone; "person 12" only as a whole
        files: paths of the original files
        ids: ids of the dataset's samples
    """

    def __init__(
        self,
        identities: Iterable[str] = (),
        files: Iterable[str | os.PathLike[str]] = (),
        ids: Iterable[str] = (),
    ) -> None:
        names = sorted({_plain(name).strip() for name in identities}, key=len, reverse=True)
        self._names = _names_pattern([name for name in names if len(name) >= _SHORTEST_NAME])
        self._files = {name for path in files for name in _names_of(path)}
        self._spaced = [name for name in self._files if " " in name]
        self._ids = frozenset(ids)

    def hits(self, text: str, kinds: Iterable[str] = KINDS) -> list[TextHit]:
        """Returns what a text gives away, of some kinds, in the order of the text."""
        text = unicodedata.normalize("NFC", text)
        finders: dict[str, Callable[[str], Iterable[tuple[int, int]]]] = {
            "name": self._name_spans,
            "e-mail": lambda t: (m.span() for m in _EMAIL.finditer(t)),
            "phone": _phone_spans,
            "path": lambda t: (m.span() for m in _PATH.finditer(t)),
            "file name": self._file_spans,
            "sample id": lambda t: (m.span() for m in _ID.finditer(t) if m.group() in self._ids),
            "run": lambda t: (m.span() for m in _RUN.finditer(t)),
        }
        found = {
            TextHit(kind, text[start:end], start, end)
            for kind in kinds
            for start, end in finders[kind](text)
        }
        return sorted(found, key=lambda hit: (hit.start, -hit.end, hit.kind))

    def mask(
        self, text: str, kinds: Iterable[str], aliases: Mapping[str, str] | None = None
    ) -> str:
        """Returns a text in which every hit of some kinds is replaced by what it was.

        Args:
            text: the text
            kinds: keys of :data:`KINDS`
            aliases: case-folded name -> what stands for that person; others become ``[name]``
        """
        text = unicodedata.normalize("NFC", text)
        parts, at = [], 0
        for hit in self.hits(text, kinds):
            if hit.start < at:
                continue  # inside one that is masked already
            alias = (aliases or {}).get(_plain(hit.text)) if hit.kind == "name" else None
            parts += [text[at : hit.start], alias or f"[{hit.kind}]"]
            at = hit.end
        return "".join([*parts, text[at:]])

    def _name_spans(self, text: str) -> Iterable[tuple[int, int]]:
        return (m.span() for m in self._names.finditer(text)) if self._names else ()

    def _file_spans(self, text: str) -> Iterable[tuple[int, int]]:
        if not self._files:
            return
        for segment in _SEGMENT.finditer(text):
            words = segment.group()
            if _plain(words).strip() in self._files:
                yield segment.span()
                continue
            for word in re.finditer(r"\S+", words):
                if _plain(word.group()).strip(".!?") in self._files:
                    yield segment.start() + word.start(), segment.start() + word.end()
        folded = text.casefold()
        if len(folded) == len(text):
            for name in self._spaced:
                at = folded.find(name)
                if at >= 0:
                    yield at, at + len(name)


def _plain(text: str) -> str:
    return unicodedata.normalize("NFC", text).casefold()


def _names_of(path: str | os.PathLike[str]) -> Iterable[str]:
    """Yields the names by which a text could mean a file: with its ending, or bare if distinctive.

    A stem such as ``dog`` or ``12`` is a word or a number before it is a file's name.
    """
    pure = PurePath(os.fspath(path))
    yield _plain(pure.name)
    stem = pure.stem
    digits = sum(character.isdigit() for character in stem)
    if len(stem) >= _SHORTEST_STEM and digits and (digits < len(stem) or digits >= 8):
        yield _plain(stem)


def _names_pattern(names: list[str]) -> re.Pattern[str] | None:
    """Returns what finds names: words in order with any punctuation, or none, between them."""
    wanted: dict[str, None] = {}
    for name in names:
        words = re.findall(r"[^\W_]+", name)
        wanted[r"[\W_]{0,3}".join(map(re.escape, words))] = None
    for name in names:
        if not any(character.isdigit() for character in name):  # "person 12" is a code
            for word in re.findall(r"[^\W_]+", name):
                if len(word) >= _SHORTEST_WORD:
                    wanted[re.escape(word)] = None
    if not wanted:
        return None
    ordered = sorted(wanted, key=len, reverse=True)
    return re.compile(rf"(?<![^\W_])(?:{'|'.join(ordered)})(?![^\W_])", re.IGNORECASE)


def _phone_spans(text: str) -> Iterable[tuple[int, int]]:
    for match in _PHONE.finditer(text):
        found = match.group()
        digits = sum(character.isdigit() for character in found)
        groups = len(re.findall(r"\d+", found))
        marked = found.startswith(("+", "00", "0", "(")) or groups >= 3
        if digits in _DIGITS_OF_A_PHONE and marked and not _DATE.search(found):
            yield match.span()
