"""Report cards as a panel reads them: kept in memory while their file is the same."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import Any

from ...measure.report import AttackReport
from ...measure.report_checks import GROUPS
from ...measure.report_views import Lens
from ..evaluations import AttackEvaluation
from ..photos import all_photos

__all__ = ["answer_photos", "leak_rows", "read_report"]

_KEPT = 2
_lock = threading.Lock()
_reports: OrderedDict[tuple[str, int], AttackReport] = OrderedDict()


def read_report(evaluation: AttackEvaluation) -> AttackReport:
    """Returns an evaluation's report card.

    Raises:
        CardError: if the file is gone or damaged
    """
    path = evaluation.report
    key = str(path), path.stat().st_mtime_ns if path.is_file() else 0
    with _lock:
        if key in _reports:
            _reports.move_to_end(key)
            return _reports[key]
    report = AttackReport.load(path)
    with _lock:
        _reports[key] = report
        while len(_reports) > _KEPT:
            _reports.popitem(last=False)
    return report


def leak_rows(lens: Lens) -> list[tuple[str, str]]:
    """Returns what was asked, as (kind of question, scenario), in the order of the report."""
    arms = [arm.name for arm in lens.arms(*GROUPS)]
    asked = [("identity", "all"), ("affiliation", "all")]
    asked += [("affiliation", scenario) for scenario in lens.scenarios()]
    return [
        (ask, scenario)
        for ask, scenario in asked
        if any(lens.accuracy(arm, ask, scenario) for arm in arms)
    ]


def answer_photos(dataset: Any, keys: list[str]) -> dict[str, str]:
    """Returns the files of the photos that were asked about: key -> path.

    Keys that name no photo of the dataset are left out, as are those of an evaluation of folders.
    """
    from bson import ObjectId

    valid = [key for key in dict.fromkeys(keys) if ObjectId.is_valid(key)]
    if not valid:
        return {}
    ids, paths = all_photos(dataset._root_dataset).select(valid).values(["id", "filepath"])
    return dict(zip(ids, paths, strict=True))
