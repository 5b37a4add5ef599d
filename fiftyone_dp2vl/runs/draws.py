"""What each photo is drawn by: its content, unless the caller says something else.

Keys will not do. The same photos get other sample ids when they are imported anew, and other paths
when they are moved; they should be protected alike all the same.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from ..errors import PhotoError
from ..media import hash_photo
from .ahead import ahead
from .items import PhotoItem

__all__ = ["draws_of", "told_apart"]


def draws_of(
    items: Sequence[PhotoItem], *, pool: ThreadPoolExecutor, tick: Callable[[int], None]
) -> dict[str, str]:
    """Returns key -> what the photo is drawn by: ``item.draw``, or the sha256 of its file in hex.

    A file that cannot be read is left out; the run will refuse it, if it comes to it.

    Args:
        items: of any photos
        pool: reads ahead
        tick: called with the number of files that were read; may raise to cancel
    """
    draws = {item.key: item.draw for item in items if item.draw is not None}
    unread = [item for item in items if item.draw is None]
    for done, (item, draw) in enumerate(
        zip(unread, ahead(pool, _content, unread, limit=64), strict=True), 1
    ):
        if draw is not None:
            draws[item.key] = draw
        tick(done)
    return draws


def _content(item: PhotoItem) -> str | None:
    try:
        return hash_photo(item.path)
    except PhotoError:
        return None


def told_apart(draws: Mapping[str, str], groups: Mapping[str, str | None]) -> dict[str, str]:
    """Returns the draws, with the group added where one photo is in several.

    A photo that is given once for each of two people is moved away from either of them, which is
    two photos to the engine. Copies within one group are one, and get the same perturbation.

    Args:
        draws: key -> what the photo is drawn by
        groups: key -> who is on it, of these and maybe other photos
    """
    owners: dict[str, set[str | None]] = defaultdict(set)
    for key, draw in draws.items():
        owners[draw].add(groups[key])
    return {
        key: draw if len(owners[draw]) == 1 else f"{draw} {groups[key] or ''}"
        for key, draw in draws.items()
    }
