"""What text gives away: names, addresses, numbers, paths, file names.

Names and file names are known from the dataset; addresses, numbers and paths are known by their
form. A protected pixel cannot unsay what stands in a caption.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import PurePath
from typing import NamedTuple

from .phones import phone_spans
from .writing import look, names_pattern, read, read_with_places

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

_SHORTEST_STEM = 6
_EMAIL = re.compile(r"[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}")
_ROOTS = (
    *("home", "users", "root", "data", "mnt", "media", "volumes", "srv", "var", "tmp", "opt"),
    *("export", "nfs", "nas", "scratch", "workspace", "gpfs", "lustre", "documents and settings"),
)
_HOMES = r"home|users|mnt|volumes|srv|export|nfs|nas|scratch|documents[ ]and[ ]settings"
_PATH = re.compile(
    rf"""file:/{{1,3}}[^\s"'<>|]+
    |(?<![A-Za-z])(?:s3a?|gs|az|abfss?|hdfs|smb|cifs|nfs|afp|sftp|scp|ssh)://[^\s"'<>|]+
    |(?<![A-Za-z])[A-Za-z]:[\\/](?:[^\\/\s"'<>|:*?]+[\\/])*[^\\/\s"'<>|:*?]+
    |(?<!\\)\\\\[\w.$-]+\\[^\s"'<>|]+
    |(?:\$\{{?HOME\}}?|%USERPROFILE%|%HOMEPATH%)[\\/][^\s"'<>|]*
    |(?<![\w:/.+=<~-])~?/(?:[\w.@+-][\w.@+ -]*/)+[\w.@+-]*
    |(?<![\w:/.+=<~-])/(?i:{"|".join(_ROOTS).replace(" ", "[ ]")})(?![\w/-])
    |(?<![\w\\/.~-])(?:\.{{1,2}}[\\/])*(?i:{_HOMES})(?:[\\/][\w.@+-]+){{2,}}""",
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
            each of its words alone; "person 12" only as a whole; names in scripts without spaces
            also within other words
        files: paths of the original files
        ids: ids of the dataset's samples
    """

    def __init__(
        self,
        identities: Iterable[str] = (),
        files: Iterable[str | os.PathLike[str]] = (),
        ids: Iterable[str] = (),
    ) -> None:
        self._names = names_pattern(identities)
        self._files = {name for path in files for name in _names_of(path)}
        self._spaced = [name for name in self._files if " " in name]
        self._ids = frozenset(ids)

    def hits(self, text: str, kinds: Iterable[str] = KINDS) -> list[TextHit]:
        """Returns what a text gives away, of some kinds, in the order of the text.

        Places are those of the text as :func:`fiftyone_dp2vl.release.writing.read` gives it: full
        width and composed forms resolved, invisible characters left out.
        """
        return self._hits(read(text), kinds)

    def _hits(self, text: str, kinds: Iterable[str]) -> list[TextHit]:
        finders: dict[str, Callable[[str], Iterable[tuple[int, int]]]] = {
            "name": self._name_spans,
            "e-mail": lambda t: (m.span() for m in _EMAIL.finditer(t)),
            "phone": phone_spans,
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
        plain, places = read_with_places(text)
        known = {_plain(name): alias for name, alias in (aliases or {}).items()}
        parts, at = [], 0
        for hit in self._hits(plain, kinds):
            start, end = places[hit.start], places[hit.end]
            if start < at:
                continue  # inside one that is masked already
            alias = known.get(_plain(hit.text)) if hit.kind == "name" else None
            parts += [text[at:start], alias or f"[{hit.kind}]"]
            at = end
        return "".join([*parts, text[at:]])

    def _name_spans(self, text: str) -> Iterable[tuple[int, int]]:
        found = self._names.finditer(look(text)) if self._names else ()
        return (match.span() for match in found)

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
    return read(text).casefold()


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
