"""A grouped dataset whose photos of another than the default slice are protected."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fiftyone_dp2vl.attack.settings import AttackConfig
from fiftyone_dp2vl.store import evaluate_attack_dataset, load_report, protect_dataset
from fiftyone_dp2vl.store.analysis import analyse_run
from fiftyone_dp2vl.store.panels.points import load_points
from fiftyone_dp2vl.store.panels.report import answer_photos
from fiftyone_dp2vl.store.separation import load_separation

pytestmark = pytest.mark.usefixtures("originals_untouched")


@pytest.fixture
def grouped(photo_folder: Path) -> Iterator[Any]:
    """Six places, each seen from the left, by default, and from the right."""
    import fiftyone as fo

    dataset = fo.Dataset()
    dataset.add_group_field("group", default="left")
    paths = sorted(photo_folder.iterdir())
    for number in range(6):
        group, person = fo.Group(), ("ada", "bob")[number % 2]
        dataset.add_samples(
            [
                fo.Sample(filepath=str(path), group=group.element(side), identity=person)
                for side, path in zip(
                    ("left", "right"), paths[2 * number : 2 * number + 2], strict=True
                )
            ]
        )
    yield dataset
    dataset.delete()


def test_another_slice_is_measured_shown_and_attacked(grouped, quick, tiny_encoder, tmp_path):
    right = grouped.select_group_slices("right")
    record = protect_dataset(
        right, "one", output_dir=str(tmp_path / "one"), group_field="identity", **quick
    )
    assert load_separation(grouped, record)[tiny_encoder].photos == 6
    (found,) = analyse_run(grouped, "one", ["embedded"])
    assert found.photos == 6

    points = load_points(grouped, record, tiny_encoder)
    assert set(points.ids) == set(right.values("id"))
    assert points.protected.all()
    assert None not in points.fields["identity"]
    assert np.isfinite(np.asarray(points.fields["linf"], dtype=float)).all()

    right.limit(2).tag_samples("query")
    evaluate_attack_dataset(
        right,
        AttackConfig(attackers=(), proxies=(f"proxy:prototype@{tiny_encoder}",)),
        identity="identity",
        query="tag:query",
        run="one",
        evaluation="first",
        output_dir=str(tmp_path / "first"),
        cache=str(tmp_path / "cells"),
    )
    asked = set(right.limit(2).values("id"))
    for arm in ("clean", "protected"):
        results = grouped.load_evaluation_results(f"dp2vl_attack_first_eval_{arm}")
        assert len(results.ytrue) == 2
    answers = load_report(grouped, "first").answers
    assert set(answer_photos(grouped, [answer.photo for answer in answers])) == asked
