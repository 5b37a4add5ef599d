"""Which photos are protected: a seeded draw in which a smaller share is part of a larger one."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Sequence

from ..config import SelectionConfig
from ..errors import ConfigError

__all__ = ["refuse_no_groups", "refuse_twice", "select", "share_of"]


def select(
    keys: Sequence[str],
    groups: Sequence[str | None] | None,
    config: SelectionConfig,
    draws: Sequence[str | None] | None = None,
) -> list[str]:
    """Returns the keys of the photos to protect, sorted.

    Each photo's place in the draw is a hash of the seed and what it is drawn by: it depends neither
    on the order of the photos nor on which others there are. The share is rounded up, so that any
    ratio above 0 takes a photo, and with ``stratify`` one of each group; photos without a group
    make up one group of their own.

    Args:
        keys: of all photos, each once
        groups: the person in each photo, or None
        config: ratio, stratify, seed
        draws: what each photo is drawn by, or None for one that is drawn after all others; by
            default the keys

    Raises:
        ConfigError: if a key comes twice, or there is no group to stratify by
    """
    refuse_twice(keys)
    by = dict(zip(keys, keys if draws is None else draws, strict=True))
    strata: dict[str | None, list[str]] = {}
    if config.stratify:
        refuse_no_groups(groups or ())
        for key, group in zip(keys, groups or (), strict=True):
            strata.setdefault(group, []).append(key)
    else:
        strata[None] = list(keys)
    selected: list[str] = []
    for members in strata.values():
        members.sort(key=lambda key: (*_place(config.seed, by[key]), key))
        selected += members[: share_of(config.ratio, len(members))]
    return sorted(selected)


def refuse_twice(keys: Sequence[str]) -> None:
    """Refuses keys that are not each given once.

    Raises:
        ConfigError: naming one that is not
    """
    if len(set(keys)) != len(keys):
        twice = next(key for key in keys if list(keys).count(key) > 1)
        raise ConfigError(f"the key {twice!r} comes twice: give each photo once")


def refuse_no_groups(groups: Iterable[str | None]) -> None:
    """Refuses to stratify where nobody is known.

    Raises:
        ConfigError: saying what to do
    """
    if not any(group is not None for group in groups):
        raise ConfigError("stratify needs groups: name the field that says who is in a photo")


def share_of(ratio: float, count: int) -> int:
    """Returns how many of ``count`` photos a ratio takes: rounded up."""
    # the small allowance keeps .1 of 10, in floating point a hair above 1, at 1
    return math.ceil(ratio * count - 1e-9)


def _place(seed: int, draw: str | None) -> tuple[bool, bytes]:
    if draw is None:
        return True, b""
    # a file's name that is not UTF-8 holds surrogates
    place = hashlib.sha256(f"{seed}\x00{draw}".encode("utf-8", "surrogatepass")).digest()
    return False, place
