"""An evaluation of an attack: do its record, its fields and its report belong together?"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Any

from ...measure.cards import CardError
from ...measure.report import AttackReport
from ..attack import store_results, write_page
from ..evaluations import AttackEvaluation, own_report, save_evaluation
from ..workers import is_working, this_worker
from .disagreements import Disagreement

__all__ = ["check_evaluation"]


def check_evaluation(dataset: Any, record: AttackEvaluation) -> Iterator[Disagreement]:
    """Yields what disagrees; nothing of an evaluation that is being stored.

    Args:
        dataset: a FiftyOne dataset
        record: the evaluation's
    """
    if record.state != "complete" and is_working(record.worker):
        return
    tell = partial(Disagreement, dataset.name)
    name = repr(record.evaluation)
    again = "make the same evaluation again under its name, which takes what was measured before"
    try:
        report = own_report(record)
    except (CardError, OSError) as error:
        lost = f"the report of evaluation {name} cannot be read: {error}"
        if record.state == "complete":
            yield tell(
                "report-gone",
                lost,
                again,
                "the evaluation is recorded as unfinished",
                partial(_reopen, dataset, record),
            )
        else:
            yield tell("evaluation-unfinished", lost, f"{again}, or delete the evaluation")
        return
    missing = [field for field in record.fields if not dataset.has_sample_field(field)]
    missing += [key for key in record.eval_keys if not dataset.has_evaluation(key)]
    if record.state != "complete":
        finding = f"evaluation {name} was interrupted while its results were stored"
    elif missing:
        finding = f"evaluation {name} is recorded as complete, but {missing[0]!r} is gone"
    elif not os.path.lexists(record.page):
        yield tell(
            "page-gone",
            f"the page {record.page} of evaluation {name} is gone",
            action="the page is drawn again from the report",
            mend=partial(write_page, report, record),
        )
        return
    else:
        return
    yield tell(
        "results-missing",
        finding,
        action="its predictions and FiftyOne evaluations are stored again from its report",
        mend=partial(_store_again, dataset, report, record),
    )


def _reopen(dataset: Any, record: AttackEvaluation) -> None:
    save_evaluation(dataset, replace(record, state="writing", worker=""))


def _store_again(dataset: Any, report: AttackReport, record: AttackEvaluation) -> None:
    record = replace(record, state="writing", worker=this_worker())
    if not os.path.lexists(record.page):  # whatever else is there is not ours
        write_page(report, record)
    store_results(dataset, report, record)
