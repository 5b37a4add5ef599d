"""What two evaluations of the same attack must agree on."""

from __future__ import annotations

import json
from typing import Any

from fiftyone_dp2vl.measure.report import AttackReport

__all__ = ["figures"]


def figures(report: AttackReport) -> list[Any]:
    """What must be the same again: rows, arms and answers."""
    data = json.loads(report.to_json())
    return [data["rows"], data["arms"], data["answers"]]
