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
bear on a figure is left out. All of them are shares in [0, 1].
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ..media.atomic import write_atomically
from .cards import CardError, Row, row_from_json
from .report_checks import check_answer, check_arm, check_report, exactly

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
        share: how much was protected, in [0, 1]; given for the group ``"ratio"``
        of: what ``share`` is a share of: ``"photos"`` (of each person's) or ``"people"``
        after: what was done to the protected photos first, for example ``"JPEG 75"``; given for
            the group ``"post-processing"``
        variant: how the protection differed from the one that the report is about, for example
            ``"no JPEG in the loop"``; empty for that one itself
    """

    name: str
    group: str
    needs: str = ""
    wins: bool | None = None
    share: float | None = None
    of: str = ""
    after: str = ""
    variant: str = ""

    def __post_init__(self) -> None:
        check_arm(self)


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
        attacker: registry name; empty for the report's first
        setting: see the module; empty for the report's first
        confidence: arm -> probability of the forced choice among the choices, in [0, 1]
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
    attacker: str = ""
    setting: str = ""
    confidence: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_answer(self)


@dataclass(frozen=True, kw_only=True)
class AttackReport:
    """What an evaluation found, and everything needed to find it again.

    Args:
        name: the file's stem: letters, digits, underscores, dots and hyphens
        title: one sentence
        created: ISO 8601 time in UTC
        attackers: registry name -> facts (family, parameters, weights_sha256, license, vision);
            the first is the one that the report is mainly about
        album: facts of the photos: people, shared, queries, others, digest, source
        protection: facts of the protection: run, config, fingerprint, encoders, quality; empty
            where nothing was protected
        arms: in the order in which they are shown
        rows: the figures
        answers: the identity answers of the first attacker to ``"clean"`` and ``"protected"``,
            whole, and of everything else a sample for reading
        configs: label -> configuration as a dictionary
        seeds: everything that was repeated over
        environment: see :func:`fiftyone_dp2vl.measure.environment.environment`
        seconds: what it took
        tested: what was tested, in sentences
        not_tested: what was not, in sentences
        notes: what a reader must know to read the figures rightly

    Raises:
        CardError: if a value is out of its range, or a row or answer names an arm or attacker
            that the report does not have
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

    def __post_init__(self) -> None:
        for name in ("arms", "rows", "answers", "seeds", "tested", "not_tested", "notes"):
            value = getattr(self, name)
            if isinstance(value, str) or not isinstance(value, Sequence):
                raise CardError(f"report {self.name!r}: {name} is not a list")
            object.__setattr__(self, name, tuple(value))
        check_report(self)

    def select(self, **conditions: str) -> list[Row]:
        """Returns the rows under the conditions, ``figure`` among them; others may vary."""
        return [row for row in self.rows if row.matches(conditions)]

    def find(self, figure: str, **conditions: str) -> Row | None:
        """Returns the row that says most about these conditions, or None.

        A condition that a row leaves out does not bear on it, and so is no contradiction.
        """
        found, most = None, -1
        for row in self.rows:
            stated = [
                row.conditions[key] == conditions[key]
                for key in conditions
                if key in row.conditions
            ]
            if row.figure == figure and all(stated) and len(stated) > most:
                found, most = row, len(stated)
        return found

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
        write_atomically(path, self.to_json().encode(), replace=True)
        return path

    @classmethod
    def from_json(cls, text: str, source: str = "report") -> AttackReport:
        """Returns the report in ``text``; nothing missing, unknown or out of range is let by.

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
        exactly(cls, data, source)
        try:
            json.dumps(data, ensure_ascii=False).encode()
        except UnicodeEncodeError as error:
            raise CardError(f"{source} holds a text that is not Unicode") from error
        try:
            return cls(
                **{
                    **data,
                    "arms": [Arm(**exactly(Arm, arm, f"{source}: arm")) for arm in data["arms"]],
                    "answers": [
                        Answer(**exactly(Answer, answer, f"{source}: answer"))
                        for answer in data["answers"]
                    ],
                    "rows": [row_from_json(row, source) for row in data["rows"]],
                }
            )
        except (TypeError, AttributeError) as error:
            raise CardError(f"{source}: {error}") from error

    @classmethod
    def load(cls, path: Path) -> AttackReport:
        """Returns the report in a file.

        Raises:
            CardError: if the file is missing or damaged
        """
        if not path.is_file():
            raise CardError(f"{path} is missing: evaluate an attack first")
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError as error:
            raise CardError(f"{path.name} is not JSON: {error}") from error
        return cls.from_json(text, path.name)
