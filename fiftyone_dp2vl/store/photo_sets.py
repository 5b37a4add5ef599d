"""Naming some photos of a view: by tag, saved view or field value, or as a seeded share."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from ..config import SelectionConfig
from ..errors import ConfigError
from ..runs import select
from .photos import field_kind

__all__ = ["held_out", "picked"]


def held_out(
    keys: Sequence[str], people: Sequence[str], share: str | float, seed: int
) -> set[str] | None:
    """Returns a share of each person's photos, or None where ``share`` is no number.

    At least one photo of each person is taken and at least one left; who has only one photo keeps
    it. A photo's place in the draw depends on the seed and its key alone.

    Args:
        keys: of the photos
        people: who is on each
        share: in (0, 0.5], as a number or its text
        seed: of the draw

    Raises:
        ConfigError: if the number is out of range
    """
    try:
        ratio = float(share)
    except ValueError:
        return None
    if not 0 < ratio <= 0.5:
        raise ConfigError(f"query is {share}: give a share above 0 and up to 0.5")
    count = Counter(people)
    able = [(key, who) for key, who in zip(keys, people, strict=True) if count[who] > 1]
    if not able:
        raise ConfigError("nobody is on two photos: name the query photos by a tag or a field")
    config = SelectionConfig(ratio=ratio, stratify=True, seed=seed)
    return set(select([key for key, _ in able], [who for _, who in able], config))


def picked(view: Any, choice: str, what: str) -> set[str]:
    """Returns the ids of the photos of a view that a text names.

    Args:
        view: a FiftyOne dataset or view
        choice: ``"tag:NAME"``, ``"view:NAME"`` or ``"FIELD=VALUE"``
        what: whose choice it is, for errors

    Raises:
        ConfigError: if the text has another form, or names nothing
    """
    kind, _, name = choice.partition(":")
    field, equals, value = choice.partition("=")
    if kind == "tag" and name:
        found = view.match_tags(name).values("id")
    elif kind == "view" and name:
        found = _saved_view(view, name, what)
    elif equals and field:
        found = _where(view, field, value, what)
    else:
        raise ConfigError(f"{what} is {choice!r}: give tag:NAME, view:NAME or FIELD=VALUE")
    if not found:
        raise ConfigError(f"{what} {choice!r} names no photo of this view")
    return set(found)


def _saved_view(view: Any, name: str, what: str) -> list[str]:
    dataset = view._root_dataset
    if not dataset.has_saved_view(name):
        known = ", ".join(dataset.list_saved_views()) or "none"
        raise ConfigError(f"{what}: there is no saved view {name!r}; there are: {known}")
    inside = set(view.values("id"))
    return [key for key in dataset.load_saved_view(name).values("id") if key in inside]


def _where(view: Any, field: str, value: str, what: str) -> list[str]:
    kind = field_kind(view, field)
    if kind is None:
        raise ConfigError(f"{what}: no field {field!r} on the dataset")
    path = f"{field}.label" if kind == "Classification" else field
    ids, values = view.values(["id", path])
    return [key for key, found in zip(ids, values, strict=True) if str(found) == value]
