"""Numbers in text, in the order in which they stand there, whatever stands between them."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .vectors import SHORTEST_VECTOR

__all__ = ["as_number", "number_arrays", "number_of", "sequences"]

_NUMBER = re.compile(
    r"(?<![\w.])[-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d{1,4})?(?![\w.])"
    r"|(?<![\w.])[-+]?(?:nan|inf|null|none|NaN|Infinity|None|NA)(?![\w.])"
)
_COMMA = re.compile(r"(?<![\w.,])[-+]?\d+,\d+(?:[eE][-+]?\d{1,4})?(?![\w.,])")
_LONGEST_NUMBER = 48
_FRACTION = re.compile(r"[.eEn]")


def number_arrays(text: str) -> Iterator[NDArray[Any]]:
    """Yields the numbers of a text: all, those with a fraction alone, and tables by their lines.

    The numbers of a vector stand together in one of them: ids, counters and other columns before,
    behind or between them do not.
    """
    found: list[str] = []
    rows: list[int] = []
    for line in text.splitlines():
        words = _NUMBER.findall(line)
        found += words
        rows.append(len(words))
    if len(found) >= SHORTEST_VECTOR:
        values = [as_number(word) for word in found]
        yield from sequences(values, [_FRACTION.search(word) is not None for word in found])
        at = 0
        for count, lines in itertools.groupby(rows):
            height = len(list(lines))
            if count > 1 and height >= SHORTEST_VECTOR:
                yield np.asarray(values[at : at + height * count]).reshape(height, count)
            at += height * count
    commas = _COMMA.findall(text)
    if len(commas) >= SHORTEST_VECTOR:
        yield np.asarray([as_number(word.replace(",", ".")) for word in commas])


def sequences(values: list[float], fractions: list[bool]) -> Iterator[NDArray[Any]]:
    """Yields numbers in their order, and without whole numbers between them."""
    whole = np.asarray(values, dtype=np.float64)
    yield whole
    apart = whole[np.asarray(fractions, dtype=bool)]
    if SHORTEST_VECTOR <= len(apart) < len(whole):
        yield apart


def as_number(word: str) -> float:
    """Returns what a word says, NaN where that is no number or has more digits than any needs."""
    try:
        return float(word) if len(word) <= _LONGEST_NUMBER else float("nan")
    except ValueError:
        return float("nan")


def number_of(value: Any) -> float | None:
    """Returns a JSON value as a number; texts that say one count, true and false do not."""
    if value is None:
        return float("nan")
    if isinstance(value, str):
        short = len(value) <= _LONGEST_NUMBER
        return as_number(value) if short and _NUMBER.fullmatch(value) else None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return float(value)
    except OverflowError:
        return float("nan")
