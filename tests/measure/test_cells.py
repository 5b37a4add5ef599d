"""Results on disk, found again by what determines them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from fiftyone_dp2vl.measure.cells import CellCache


@pytest.fixture
def cells(tmp_path: Path) -> CellCache:
    return CellCache(tmp_path / "cells")


SPEC: dict[str, Any] = {"arm": "clean", "seed": 0}


def test_a_result_is_found_by_its_specification_alone(cells: CellCache) -> None:
    assert cells.load(SPEC) is None
    cells.store(SPEC, {"value": 0.5}, 12.3456)
    assert cells.load(dict(reversed(SPEC.items()))) == {"value": 0.5}
    assert cells.seconds(SPEC) == 12.346
    assert cells.load({**SPEC, "seed": 1}) is None


@pytest.mark.parametrize("text", ["", '{"spec"', "[]", json.dumps({"spec": SPEC})])
def test_a_damaged_result_counts_as_not_measured(cells: CellCache, text: str) -> None:
    cells.store(SPEC, {"value": 0.5}, 1.0)
    cells.path(SPEC).write_text(text)
    assert cells.load(SPEC) is None
    assert cells.seconds(SPEC) is None
    cells.store(SPEC, {"value": 0.5}, 1.0)
    assert cells.load(SPEC) == {"value": 0.5}
