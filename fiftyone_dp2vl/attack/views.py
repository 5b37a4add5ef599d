"""What a model sees of each photo, computed once and remembered."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from torch import Tensor

from .base import Pictures

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = ["FeatureMemory", "Prompt", "Seen", "Views"]

Seen = dict[str, Tensor]
"""Tensors of one photo, the first dimension of each counting photos or parts of one."""


class Prompt(NamedTuple):
    """A photo and a question as token ids, up to where the answer begins.

    Attributes:
        ids: with as many image tokens as the photo takes
        along: further values that the model wants with every token
    """

    ids: list[int]
    along: Mapping[str, list[int]] = {}


class FeatureMemory:
    """Remembers what was seen of the photos used last.

    Args:
        limit: bytes to hold at most
    """

    def __init__(self, limit: int = 1 << 30) -> None:
        self._limit, self._held = limit, 0
        self._seen: OrderedDict[str, Seen] = OrderedDict()

    def get(self, digest: str) -> Seen | None:
        """Returns what was seen of the picture with this digest, or None."""
        found = self._seen.get(digest)
        if found is not None:
            self._seen.move_to_end(digest)
        return found

    def put(self, digest: str, seen: Seen) -> None:
        """Remembers a picture; forgets those used longest ago where space is short."""
        if digest not in self._seen:
            self._held += _bytes(seen)
        self._seen[digest] = seen
        while self._held > self._limit and len(self._seen) > 1:
            self._held -= _bytes(self._seen.popitem(last=False)[1])

    def clear(self) -> None:
        """Forgets everything."""
        self._seen.clear()
        self._held = 0


def _bytes(seen: Seen) -> int:
    return sum(value.numel() * value.element_size() for value in seen.values())


class Views:
    """From photos' keys to what a model sees.

    Args:
        pictures: gives the photos
        see: from pictures to what is seen of them, in the same order
        memory: where that is kept, by the pictures' pixels
        change: applied to a picture beforehand: (key, turn, picture) to picture

    Attributes:
        prompts: (photo, question) -> how the model reads them; filled by the model
    """

    def __init__(
        self,
        pictures: Pictures,
        see: Callable[[Sequence[Image]], list[Seen]],
        memory: FeatureMemory,
        change: Callable[[str, int, Image], Image] | None = None,
    ) -> None:
        self._pictures, self._see, self._memory, self._change = pictures, see, memory, change
        self._digests: dict[tuple[str, int], str] = {}
        self.prompts: dict[tuple[str, str], Prompt] = {}

    def picture(self, photo: str, turn: int = 0) -> Image:
        """Returns a photo, as it is in this turn."""
        picture = self._pictures(photo)
        return picture if self._change is None else self._change(photo, turn, picture)

    def __call__(self, photos: Sequence[str], turn: int = 0) -> dict[str, Seen]:
        """Returns what is seen of each of the photos in this turn."""
        turn = 0 if self._change is None else turn
        found: dict[str, Seen] = {}
        unseen: dict[str, tuple[str, Image]] = {}
        for photo in dict.fromkeys(photos):
            digest = self._digests.get((photo, turn))
            picture = None
            if digest is None:
                picture = self.picture(photo, turn)
                digest = self._digests[photo, turn] = _digest(picture)
            seen = self._memory.get(digest)
            if seen is None:
                unseen[photo] = digest, picture or self.picture(photo, turn)
            else:
                found[photo] = seen
        if unseen:
            fresh = self._see([picture for _, picture in unseen.values()])
            for (photo, (digest, _)), seen in zip(unseen.items(), fresh, strict=True):
                found[photo] = seen
                self._memory.put(digest, seen)
        return found


def _digest(picture: Image) -> str:
    text = hashlib.blake2b(repr((picture.mode, picture.size)).encode(), digest_size=16)
    text.update(picture.tobytes())
    return text.hexdigest()
