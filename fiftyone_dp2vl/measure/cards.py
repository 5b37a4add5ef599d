"""Result cards: one JSON file for each study, from which every printed figure is taken."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from ..errors import DP2VLError
from ..media.atomic import write_atomically
from .intervals import Interval

__all__ = ["FORMAT", "UNITS", "CardError", "ResultCard", "Row"]

FORMAT = 1
"""Version of the file's layout; a card of another version is refused."""

UNITS = ("", "share", "dB", "levels", "photos/s", "ms", "s", "MiB", "ratio", "TFLOP/s")
"""What a value may be in; ``share`` is in [0, 1] and printed in per cent."""


class CardError(DP2VLError, ValueError):
    """A result card is damaged, or does not hold what a document asks of it."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """One measured figure.

    Args:
        figure: what was measured, for example ``"identity_probe"``
        value: the measurement
        unit: one of :data:`UNITS`
        interval: 95 % confidence interval, or None where none was computed
        n: how many observations the value rests on
        conditions: under which it was measured, for example ``{"encoder": "embedded"}``
    """

    figure: str
    value: float
    n: int
    unit: str = ""
    interval: Interval | None = None
    conditions: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        numbers = [self.value, *(self.interval or ())]
        if not all(isinstance(x, (int, float)) and math.isfinite(x) for x in numbers):
            raise CardError(f"{self.figure}: a value or interval is not a finite number")
        if self.unit not in UNITS:
            raise CardError(f"{self.figure}: unit {self.unit!r} is not one of {UNITS}")
        if self.n < 1:
            raise CardError(f"{self.figure}: n is {self.n}, but a figure rests on something")
        if self.interval and self.interval.low > self.interval.high:
            raise CardError(f"{self.figure}: the interval is upside down")

    def matches(self, conditions: Mapping[str, str]) -> bool:
        """Whether every given condition, with ``figure`` among them or not, holds here."""
        mine = {**self.conditions, "figure": self.figure}
        return all(mine.get(key) == value for key, value in conditions.items())


@dataclass(frozen=True, kw_only=True)
class ResultCard:
    """What a study found, and everything needed to find it again.

    Args:
        name: the study's name and the file's stem
        title: what it shows, one sentence
        command: the shell command that makes it
        rows: the figures
        environment: see :func:`fiftyone_dp2vl.measure.environment.environment`
        configs: label -> fingerprint of each configuration used
        encoders: name -> sha256 of each encoder's weights
        seeds: everything that was repeated over
        date: YYYY-MM-DD of the measurement
        notes: what a reader must know to read the figures rightly
    """

    name: str
    title: str
    command: str
    rows: Sequence[Row]
    environment: Mapping[str, str | int]
    configs: Mapping[str, str]
    encoders: Mapping[str, str]
    seeds: Sequence[int]
    date: str
    notes: Sequence[str] = ()

    def __post_init__(self) -> None:
        seen = set()
        for row in self.rows:
            key = (row.figure, tuple(sorted(row.conditions.items())))
            if key in seen:
                raise CardError(
                    f"{self.name}: {row.figure} stands twice under one set of conditions"
                )
            seen.add(key)

    def select(self, **conditions: str) -> list[Row]:
        """Returns the rows under the conditions, ``figure`` among them; others may vary."""
        return [row for row in self.rows if row.matches(conditions)]

    def one(self, **conditions: str) -> Row:
        """Returns the only row under the conditions.

        Raises:
            CardError: if there is none, or more than one
        """
        found = self.select(**conditions)
        if len(found) != 1:
            asked = " ".join(f"{key}={value}" for key, value in conditions.items())
            raise CardError(
                f"card {self.name!r} has {len(found)} rows for {asked}: name exactly one"
            )
        return found[0]

    def to_json(self) -> str:
        """Returns the file's text."""
        data: dict[str, Any] = {"format": FORMAT, **asdict(self)}
        for row in data["rows"]:
            if row["interval"] is not None:
                row["interval"] = list(row["interval"])
        return json.dumps(data, indent=1, sort_keys=False, allow_nan=False) + "\n"

    def save(self, folder: Path) -> Path:
        """Writes ``folder/NAME.json``, whole or not at all, and returns its path."""
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{self.name}.json"
        write_atomically(path, self.to_json().encode(), replace=True)
        return path

    @classmethod
    def from_json(cls, text: str, source: str = "card") -> ResultCard:
        """Returns the card in ``text``; nothing missing, unknown or out of range is let by.

        Raises:
            CardError: saying what is wrong
        """
        try:
            data = json.loads(text)
        except json.JSONDecodeError as error:
            raise CardError(f"{source} is not JSON: {error}") from error
        if not isinstance(data, dict) or data.pop("format", None) != FORMAT:
            raise CardError(f"{source} is not a result card of format {FORMAT}: make it again")
        try:
            rows = [row_from_json(row, source) for row in data.pop("rows", ())]
            _exactly(cls, {**data, "rows": rows}, source)
            return cls(**{**data, "rows": rows})
        except TypeError as error:
            raise CardError(f"{source}: {error}") from error

    @classmethod
    def load(cls, path: Path) -> ResultCard:
        """Returns the card in a file whose name is the card's.

        Raises:
            CardError: if the file is missing or damaged, or was renamed
        """
        if not path.is_file():
            raise CardError(f"{path.name} is missing: run `dp2vl study {path.stem}`")
        card = cls.from_json(path.read_text(encoding="utf-8"), path.name)
        if card.name != path.stem:
            raise CardError(f"{path.name} holds card {card.name!r}: the names must be equal")
        return card


def _exactly(kind: type[Any], data: Mapping[str, Any], source: str) -> None:
    known = {f.name for f in fields(kind)}
    unknown, missing = sorted(set(data) - known), sorted(known - set(data))
    if unknown or missing:
        wrong = f"unknown {unknown[0]!r}" if unknown else f"missing {missing[0]!r}"
        raise CardError(f"{source}: {wrong}")


def row_from_json(data: Any, source: str) -> Row:
    if not isinstance(data, dict):
        raise CardError(f"{source}: a row is not an object")
    _exactly(Row, data, source)
    interval = data["interval"]
    if interval is not None:
        interval = Interval(*interval)
    return Row(**{**data, "interval": interval})
