"""Words that stay on purpose, and where else such words stand without having been chosen."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from ...release import KINDS, TextScanner
from ...release.contents import contents_of
from ...release.text import TextHit
from ...release.tree import list_folder
from ...runs.names import PHOTO_SUFFIXES

__all__ = ["KeptWords"]


class KeptWords:
    """The words that chosen fields keep.

    An audit is told kinds of words that may stand in a release. Which field they were kept for it
    cannot know; here is what they are.
    """

    def __init__(self) -> None:
        self._hits: set[tuple[str, str]] = set()
        self._texts: dict[str, None] = {}
        self._found: dict[str, bool] = {}

    def keep(self, texts: Iterable[str], hits: Iterable[TextHit]) -> None:
        """Takes note of the texts of one value, and of what in them stays."""
        hits = list(hits)
        if hits:
            self._hits |= {(hit.kind, hit.text.casefold()) for hit in hits}
            self._texts.setdefault("".join(map(_bare, texts)))

    def strays(self, folder: Path, kinds: Iterable[str], scanner: TextScanner) -> list[str]:
        """Returns a sentence for each file with words of some kinds that no field kept.

        Args:
            folder: a release, whose pictures hold nothing but pixels
            kinds: those that an audit let pass
            scanner: knows the names
        """
        kinds = list(kinds)
        in_names = [kind for kind in kinds if kind != "path"]
        listing = list_folder(folder)
        found = []
        for name in (*listing.folders, *listing.files):
            hits = scanner.hits(name, in_names)
            path = listing.files.get(name)
            if path is not None and Path(name).suffix.lower() not in PHOTO_SUFFIXES:
                texts = contents_of(name, path.read_bytes()).texts
                hits += [hit for text in texts for hit in scanner.hits(text, kinds)]
            stray = next((hit for hit in hits if not self._is_kept(hit)), None)
            if stray is not None:
                found.append(f"{name} has {KINDS[stray.kind]} ({stray.text!r}) that no field keeps")
        return found

    def _is_kept(self, hit: TextHit) -> bool:
        if (hit.kind, hit.text.casefold()) in self._hits:
            return True
        # where a format writes a list as one text, words that stood apart are found together
        bare = _bare(hit.text)
        if bare not in self._found:
            self._found[bare] = any(bare in text for text in self._texts)
        return self._found[bare]


def _bare(text: str) -> str:
    return re.sub(r"[\W_]+", "", text).casefold()
