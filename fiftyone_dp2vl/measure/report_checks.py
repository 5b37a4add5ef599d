"""What a report card may hold: every rule in one place, for what is made and what is loaded."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import MISSING, fields
from datetime import datetime
from typing import TYPE_CHECKING, Any

from .cards import CardError, Row

if TYPE_CHECKING:
    from .report import Answer, Arm, AttackReport

__all__ = ["ASKS", "GROUPS", "check_answer", "check_arm", "check_report", "exactly"]

GROUPS = ("control", "protection", "ratio", "post-processing", "adaptive")
"""What arms are for, in the order in which a report shows them."""

ASKS = ("identity", "affiliation")
"""What is asked of a photo."""

_CLOSED = {
    "group": GROUPS,
    "setting": ("all", "shown"),
    "ask": ASKS,
    "scoring": ("forced choice", "free words"),
    "epoch": ("final", "peak"),
}
_SHARES = (
    *("accuracy", "training_accuracy", "false_naming"),
    *("commonest_wrong", "inverted_accuracy", "chance"),
)


def exactly(kind: type[Any], data: Any, source: str) -> dict[str, Any]:
    """Returns ``data`` if it has every required field of a dataclass and no unknown one.

    Raises:
        CardError: naming the first field that is wrong
    """
    if not isinstance(data, dict):
        raise CardError(f"{source} is not an object")
    known = {f.name: f for f in fields(kind)}
    unknown = sorted(set(data) - set(known))
    if unknown:
        raise CardError(f"{source}: unknown {unknown[0]!r}")
    for name, declared in known.items():
        optional = declared.default is not MISSING or declared.default_factory is not MISSING
        if name not in data and not optional:
            raise CardError(f"{source}: missing {name!r}")
    return data


def check_arm(arm: Arm) -> None:
    """Checks one arm.

    Raises:
        CardError: saying what is wrong
    """
    where = f"arm {arm.name!r}"
    _texts(where, name=arm.name, group=arm.group, needs=arm.needs, of=arm.of)
    _texts(where, after=arm.after, variant=arm.variant)
    _require(bool(arm.name), "an arm has no name")
    _require(arm.group in GROUPS, f"{where}: group {arm.group!r} is not one of {GROUPS}")
    _require(arm.wins in (None, True, False), f"{where}: wins is {arm.wins!r}")
    _require(arm.share is None or _share(arm.share), f"{where}: share is {arm.share!r}")
    _require(arm.of in ("", "photos", "people"), f"{where}: of is {arm.of!r}")
    if arm.group == "ratio":
        _require(
            arm.share is not None and arm.of != "",
            f"{where}: an arm of the group 'ratio' gives its share and of what",
        )
    if arm.group == "post-processing":
        _require(
            arm.after != "",
            f"{where}: an arm of the group 'post-processing' gives what it is after",
        )


def check_answer(answer: Answer) -> None:
    """Checks one answer.

    Raises:
        CardError: saying what is wrong
    """
    where = f"the answer to {answer.photo!r}"
    named = ("photo", "person", "scenario", "question", "truth", "attacker", "setting")
    _texts(where, **{name: getattr(answer, name) for name in named})
    _require(answer.ask in ASKS, f"{where}: ask {answer.ask!r} is not one of {ASKS}")
    _require(_whole(answer.seed), f"{where}: seed is {answer.seed!r}")
    for name in ("words", "chosen", "confidence"):
        _require(isinstance(getattr(answer, name), Mapping), f"{where}: {name} is not an object")
    _texts(where, **answer.words)
    _texts(where, **answer.chosen)
    for arm, confidence in answer.confidence.items():
        _require(_share(confidence), f"{where}: confidence of {arm!r} is {confidence!r}")


def check_report(report: AttackReport) -> None:
    """Checks a whole report.

    Raises:
        CardError: saying what is wrong
    """
    where = f"report {report.name!r}"
    _texts("report", name=report.name, title=report.title, created=report.created)
    _require(
        re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]*", report.name) is not None,
        f"{where}: the name is a file's stem of letters, digits, underscores, dots and hyphens",
    )
    _require(bool(report.title.strip()), f"{where}: title is empty")
    try:
        datetime.fromisoformat(report.created.replace("Z", "+00:00"))
    except ValueError as error:
        raise CardError(f"{where}: created is {report.created!r}, not ISO 8601") from error
    _require(_number(report.seconds) and report.seconds >= 0, f"{where}: seconds is out of range")
    for name in ("attackers", "album", "protection", "configs", "environment"):
        _require(isinstance(getattr(report, name), Mapping), f"{where}: {name} is not an object")
    for label, facts in (*report.attackers.items(), *report.configs.items()):
        _require(isinstance(facts, Mapping), f"{where}: {label!r} is not an object")
    _require(bool(report.attackers), f"{where}: no attacker")
    for name in ("tested", "not_tested", "notes"):
        for sentence in getattr(report, name):
            _require(isinstance(sentence, str), f"{where}: {name} holds {sentence!r}")
    for seed in report.seeds:
        _require(_whole(seed), f"{where}: seeds holds {seed!r}")
    _check_rows(report, where)
    _check_answers(report, where)


def _check_rows(report: AttackReport, where: str) -> None:
    names = [arm.name for arm in report.arms]
    for name in names:
        _require(names.count(name) == 1, f"{where}: arm {name!r} stands twice")
    places = {"arm": names, "attacker": list(report.attackers), **_CLOSED}
    seen = set()
    for row in report.rows:
        told = f"{where}: {row.figure}"
        for key, value in row.conditions.items():
            _require(isinstance(value, str), f"{told}: {key} is {value!r}")
            allowed = places.get(key)
            _require(
                allowed is None or value in allowed,
                f"{told}: {key} {value!r} is not one of {', '.join(allowed or ())}",
            )
        _check_range(row, told)
        place = (row.figure, tuple(sorted(row.conditions.items())))
        _require(place not in seen, f"{told} stands twice under one set of conditions")
        seen.add(place)


def _check_range(row: Row, told: str) -> None:
    if row.figure in _SHARES:
        _require(row.unit == "share", f"{told}: unit {row.unit!r} is not 'share'")
    if row.unit == "share":
        for value in (row.value, *(row.interval or ())):
            _require(_share(value), f"{told}: {value} is no share in [0, 1]")


def _check_answers(report: AttackReport, where: str) -> None:
    names = {arm.name for arm in report.arms}
    for answer in report.answers:
        told = f"{where}: the answer to {answer.photo!r}"
        stray = sorted({*answer.words, *answer.chosen, *answer.confidence} - names)
        _require(not stray, f"{told} is of an unknown arm {(stray or [''])[0]!r}")
        _require(
            answer.attacker == "" or answer.attacker in report.attackers,
            f"{told} is of an unknown attacker {answer.attacker!r}",
        )


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise CardError(message)


def _texts(where: str, /, **values: Any) -> None:
    for name, value in values.items():
        _require(isinstance(value, str), f"{where}: {name} is {value!r}, not a text")


def _number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _share(value: Any) -> bool:
    return _number(value) and 0 <= value <= 1
