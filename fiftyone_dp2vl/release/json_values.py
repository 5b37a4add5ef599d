"""What a JSON document says: its words, and its numbers in the order in which they stand there."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .text_numbers import number_of, sequences
from .vectors import SHORTEST_VECTOR

__all__ = ["JsonValues", "read_json"]

_MOST_AXES = 5
_LARGEST_WHOLE = 10**40
_PACKED = re.compile(r"[A-Za-z0-9+/_-]{8,}={0,2}")
_DIGITS = re.compile(r"\+?[\d\s()./-]{7,24}")


@dataclass
class JsonValues:
    """What was found in a JSON document.

    Attributes:
        texts: its keys and texts; long whole numbers with their keys
        arrays: its numbers, and its lists of them in their shapes
        opaque: why something cannot be looked into
    """

    texts: list[str] = field(default_factory=list)
    arrays: list[NDArray[Any]] = field(default_factory=list)
    opaque: list[str] = field(default_factory=list)


class _Object(list[tuple[str, Any]]):
    """An object with all of its keys: of equal ones, a dictionary forgets all but the last."""


def read_json(text: str) -> JsonValues | None:
    """Returns what a document says, or one document a line, or None for any other text."""
    if text.lstrip()[:1] not in ("{", "["):
        return None
    value = _parsed(text)
    if value is None and "\n" in text:
        lines = [_parsed(line) for line in text.splitlines() if line.strip()]
        value = None if any(line is None for line in lines) else lines
    if value is None:
        return None
    found = JsonValues()
    _walk(found, value)
    return found


def _parsed(text: str) -> Any:
    try:
        return json.loads(text, object_pairs_hook=_Object)
    except (ValueError, RecursionError):
        return None


def _walk(found: JsonValues, document: Any) -> None:
    """Goes through parsed JSON without recursion, in the order of the document."""
    numbers: list[float] = []
    fractions: list[bool] = []
    left: list[tuple[str, Any, bool]] = [("", document, False)]
    while left:
        key, value, in_array = left.pop()
        number = None if isinstance(value, list) else number_of(value)
        if number is not None:
            numbers.append(number)
            fractions.append(not isinstance(value, int))
        if isinstance(value, list):
            array = None if in_array else _as_array(value)
            if array is not None:
                found.arrays.append(array)
            inside = in_array or array is not None
        if isinstance(value, _Object):
            found.texts += [name for name, _ in value]
            left += [(name, item, inside) for name, item in reversed(value)]
        elif isinstance(value, list):
            lines = [item for item in value if isinstance(item, str) and _PACKED.fullmatch(item)]
            if len(lines) == len(value) > 1:
                found.texts.append("\n".join(lines))
            else:
                left += [(key, item, inside) for item in reversed(value)]
        elif isinstance(value, str):
            found.texts.append(f"{key}: {value}" if key and _DIGITS.fullmatch(value) else value)
        elif number is not None and number.is_integer() and value is not None:
            if abs(value) >= _LARGEST_WHOLE:
                found.opaque.append("a number has more than 40 digits")
            elif abs(value) >= 10**6:
                found.texts.append(f"{key}: {int(value)}")
        elif isinstance(value, int) and not isinstance(value, bool):
            found.opaque.append("a number has more than 40 digits")
    if len(numbers) >= SHORTEST_VECTOR:
        found.arrays += sequences(numbers, fractions)


def _as_array(value: list[Any]) -> NDArray[Any] | None:
    """Returns a list of numbers, or of equal lists of them, in its shape; objects are lists too."""
    shape: list[int] = []
    first: Any = value
    while isinstance(first, list) and first and len(shape) < _MOST_AXES:
        shape.append(len(first))
        first = first[0][1] if isinstance(first, _Object) else first[0]
    if number_of(first) is None or int(np.prod(shape)) < SHORTEST_VECTOR:
        return None
    level: list[Any] = [item for _, item in value] if isinstance(value, _Object) else value
    for size in shape[1:]:
        if any(not isinstance(item, list) or len(item) != size for item in level):
            return None
        level = [x[1] if isinstance(item, _Object) else x for item in level for x in item]
    numbers = [None if isinstance(item, str) else number_of(item) for item in level]
    if any(number is None for number in numbers):
        return None
    return np.asarray(numbers, dtype=np.float64).reshape(shape)
