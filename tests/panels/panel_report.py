"""A made-up evaluation of an attack, stored with a dataset as a real one is."""

from __future__ import annotations

import dataclasses
import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Any

from fiftyone_dp2vl.measure.report import AttackReport
from fiftyone_dp2vl.store.evaluations import AttackEvaluation, save_evaluation

_SAMPLE = Path(__file__).resolve().parents[1] / "measure" / "sample_report.py"


def _sample_module() -> ModuleType:
    spec = importlib.util.spec_from_file_location("sample_report", _SAMPLE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def made_up_report(dataset: Any, name: str = "sample") -> AttackReport:
    """Returns the made-up report, with its questions asked about photos of the dataset."""
    report = _sample_module().sample_report(name=name)
    queries = dataset.match_tags("query").values("id")
    answers = [
        dataclasses.replace(answer, photo=queries[number // 2 % len(queries)])
        for number, answer in enumerate(report.answers)
    ]
    return dataclasses.replace(report, answers=answers)


def store_evaluation(
    dataset: Any, folder: Path, name: str, *, run: str | None = "standard"
) -> AttackEvaluation:
    """Stores a made-up evaluation with a dataset."""
    directory = folder / f"attack-{name}"
    report = made_up_report(dataset, name)
    record = AttackEvaluation(
        evaluation=name,
        state="complete",
        run=run,
        directory=str(directory),
        attackers=tuple(report.attackers),
        created=report.created,
    )
    report.save(record.report)
    return save_evaluation(dataset, record)
