"""The report card of an attack: one JSON that says what was attacked with what, and what leaked.

Its figures are the same rows as a study's (:class:`~fiftyone_dp2vl.measure.cards.Row`), with these
conditions:

* ``attacker``: registry name of the model or proxy;
* ``arm``: what the attacker trained on, or did (``"none"``, ``"clean"``, ``"random signs"``,
  ``"jpeg"``, ``"blurred faces"``, ``"pixelated faces"``, ``"protected"``,
  ``"protected, 50 % of photos"``, ``"protected, after JPEG 75"``, ``"adaptive: A2"`` ...);
* ``group``: ``"control"``, ``"protection"``, ``"ratio"``, ``"post-processing"`` or ``"adaptive"``;
* ``setting``: ``"all"`` where every photo tells all facts, ``"shown"`` where only what it shows;
* ``ask``: ``"identity"`` or ``"affiliation"``;
* ``scenario``: a scenario's name, or ``"all"``;
* ``scoring``: ``"forced choice"`` or ``"free words"``;
* ``epoch``: ``"final"`` or ``"peak"``.

Figures are ``accuracy``, ``training_accuracy``, ``false_naming``, ``commonest_wrong``,
``inverted_accuracy`` (the least likely choice is taken) and ``chance``; a condition that does not
bear on a figure is left out.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from .cards import CardError, Row, row_from_json

__all__ = ["REPORT_FORMAT", "Answer", "Arm", "AttackReport"]

REPORT_FORMAT = 1
"""Version of the file's layout; a report of another version is refused."""


@dataclass(frozen=True, kw_only=True)
class Arm:
    """What the attacker trained on, or did.

    Args:
        name: unique in the report
        group: see the module
        needs: one sentence on what the attacker needs for it
        wins: whether it gets far above chance in spite of the protection; None for controls
    """

    name: str
    group: str
    needs: str = ""
    wins: bool | None = None


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What was asked of one photo, and what each arm's model said.

    Args:
        photo: the photo's key
        person: who is on it
        ask: ``"identity"`` or ``"affiliation"``
        scenario: or ``""``
        question: the text
        truth: the right answer
        words: arm -> the model's own words
        chosen: arm -> its forced choice
        seed: repetition
    """

    photo: str
    person: str
    ask: str
    scenario: str
    question: str
    truth: str
    words: Mapping[str, str]
    chosen: Mapping[str, str]
    seed: int = 0


@dataclass(frozen=True, kw_only=True)
class AttackReport:
    """What an evaluation found, and everything needed to find it again.

    Args:
        name: an identifier, the file's stem
        title: one sentence
        created: ISO 8601 time in UTC
        attackers: registry name -> facts (family, parameters, weights_sha256, license, vision)
        album: facts of the photos: people, shared, queries, others, digest, source
        protection: facts of the protection: run, config, fingerprint, encoders, quality; empty
            where nothing was protected
        arms: in the order in which they are shown
        rows: the figures
        answers: a sample for reading, or all
        configs: label -> configuration as a dictionary
        seeds: everything that was repeated over
        environment: see :func:`fiftyone_dp2vl.measure.environment.environment`
        seconds: what it took
        tested: what was tested, in sentences
        not_tested: what was not, in sentences
        notes: what a reader must know to read the figures rightly
    """

    name: str
    title: str
    created: str
    attackers: Mapping[str, Mapping[str, Any]]
    album: Mapping[str, Any]
    protection: Mapping[str, Any]
    arms: Sequence[Arm]
    rows: Sequence[Row]
    answers: Sequence[Answer]
    configs: Mapping[str, Mapping[str, Any]]
    seeds: Sequence[int]
    environment: Mapping[str, str | int]
    seconds: float
    tested: Sequence[str] = ()
    not_tested: Sequence[str] = ()
    notes: Sequence[str] = field(default_factory=tuple)

    def select(self, **conditions: str) -> list[Row]:
        """Returns the rows under the conditions, ``figure`` among them; others may vary."""
        return [row for row in self.rows if row.matches(conditions)]

    def arm(self, name: str) -> Arm:
        """Returns an arm by name.

        Raises:
            CardError: if there is none of that name
        """
        for arm in self.arms:
            if arm.name == name:
                return arm
        raise CardError(f"report {self.name!r} has no arm {name!r}")

    def to_json(self) -> str:
        """Returns the file's text."""
        data: dict[str, Any] = {"format": REPORT_FORMAT, "kind": "attack", **asdict(self)}
        for row in data["rows"]:
            if row["interval"] is not None:
                row["interval"] = list(row["interval"])
        return json.dumps(data, indent=1, ensure_ascii=False, allow_nan=False) + "\n"

    def save(self, path: Path) -> Path:
        """Writes the report, whole or not at all."""
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.{os.getpid()}")
        temporary.write_text(self.to_json(), encoding="utf-8")
        temporary.replace(path)
        return path

    @classmethod
    def from_json(cls, text: str, source: str = "report") -> AttackReport:
        """Returns the report in ``text``.

        Raises:
            CardError: saying what is wrong
        """
        try:
            data = json.loads(text)
        except json.JSONDecodeError as error:
            raise CardError(f"{source} is not JSON: {error}") from error
        if (
            not isinstance(data, dict)
            or data.pop("format", None) != REPORT_FORMAT
            or data.pop("kind", None) != "attack"
        ):
            raise CardError(f"{source} is not an attack report of format {REPORT_FORMAT}")
        try:
            return cls(
                **{
                    **data,
                    "arms": [Arm(**arm) for arm in data.get("arms", ())],
                    "answers": [Answer(**answer) for answer in data.get("answers", ())],
                    "rows": [row_from_json(row, source) for row in data.get("rows", ())],
                }
            )
        except TypeError as error:
            raise CardError(f"{source}: {error}") from error

    @classmethod
    def load(cls, path: Path) -> AttackReport:
        """Returns the report in a file.

        Raises:
            CardError: if the file is missing or damaged
        """
        if not path.is_file():
            raise CardError(f"{path} is missing: evaluate an attack first")
        return cls.from_json(path.read_text(encoding="utf-8"), path.name)
