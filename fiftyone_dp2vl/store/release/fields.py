"""The fields of a release: which can be chosen, what of a value travels, and its words.

A label travels as its class, its geometry and its confidence. Everything else that it can carry
(tags, attributes, logits, paths of masks, ids) stays.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from ...errors import ConfigError
from ..names import PREFIX
from ..photos import field_kind

__all__ = ["edited", "release_fields", "require_fields", "texts_of"]

Edit = Callable[[str], str | None]

_TEXT = "StringField"
_PLAIN = (_TEXT, "BooleanField", "IntField", "FloatField")
_LABELS: dict[str, tuple[str, ...]] = {
    "Classification": ("label", "confidence"),
    "Detection": ("label", "bounding_box", "confidence", "mask"),
    "Polyline": ("label", "points", "confidence", "closed", "filled"),
    "Keypoint": ("label", "points", "confidence"),
    "Segmentation": ("mask",),
}
_LISTS = {
    "Classifications": ("classifications", "Classification"),
    "Detections": ("detections", "Detection"),
    "Polylines": ("polylines", "Polyline"),
    "Keypoints": ("keypoints", "Keypoint"),
}
_NEVER = frozenset({"id", "filepath", "media_type", "metadata", "created_at", "last_modified_at"})


def release_fields(view: Any) -> dict[str, str]:
    """Returns the fields of a view that can be released, each with its class.

    Vectors, dictionaries, dates, places and the protection's own fields cannot.
    """
    found = {}
    for name, schema in view.get_field_schema().items():
        if name in _NEVER or name.startswith((PREFIX, "_")):
            continue
        kind = field_kind(view, name)
        texts = kind == "ListField" and type(getattr(schema, "field", None)).__name__ == _TEXT
        if texts or kind in _PLAIN or kind in _LABELS or kind in _LISTS:
            found[name] = kind
    return {name: str(kind) for name, kind in found.items()}


def require_fields(view: Any, fields: Iterable[str]) -> list[tuple[str, str]]:
    """Returns (field, class) of chosen fields.

    Raises:
        ConfigError: if one cannot be released
    """
    known = release_fields(view)
    for name in fields:
        if name not in known:
            listed = ", ".join(known) or "none"
            raise ConfigError(
                f"field {name!r} cannot be released: the fields that can are {listed}"
            )
    return [(name, known[name]) for name in dict.fromkeys(fields)]


def texts_of(value: Any) -> Iterator[str]:
    """Yields the words of a field's value: its texts, or its labels."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list | tuple):
        for item in value:
            yield from texts_of(item)
    elif value is not None:
        kind = type(value).__name__
        if kind in _LISTS:
            yield from texts_of(getattr(value, _LISTS[kind][0]))
        elif isinstance(getattr(value, "label", None), str):
            yield value.label


def edited(value: Any, edit: Edit) -> Any:
    """Returns a field's value as it travels, its words edited.

    Args:
        value: a text, a number, a list of texts, or a FiftyOne label
        edit: gives a text's replacement, or None to drop what carries it: the text itself, or the
            label with everything that belongs to it
    """
    if isinstance(value, str):
        return edit(value)
    if isinstance(value, list | tuple):
        made = (edited(item, edit) for item in value)
        return [item for item in made if item is not None]
    if value is None or isinstance(value, bool | int | float):
        return value
    kind = type(value).__name__
    if kind in _LISTS:
        attribute, _ = _LISTS[kind]
        labels = edited(list(getattr(value, attribute)), edit)
        return type(value)(**{attribute: labels})
    return _label(value, kind, edit)


def _label(value: Any, kind: str, edit: Edit) -> Any:
    kept = {name: getattr(value, name) for name in _LABELS[kind]}
    if "mask" in kept:
        kept["mask"] = value.get_mask() if value.has_mask else None
    if kept.get("label") is not None:
        kept["label"] = edit(kept["label"])
        if kept["label"] is None:
            return None
    return type(value)(**{name: held for name, held in kept.items() if held is not None})
