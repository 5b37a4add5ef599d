"""A run that was begun goes on with what it was begun with, or one sentence says what differs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from begun import begin_of_ten
from PIL import Image

from fiftyone_dp2vl.errors import RunError
from fiftyone_dp2vl.store import list_runs, load_run, protect_dataset

pytestmark = pytest.mark.usefixtures("originals_untouched")


@pytest.fixture
def settings(dataset, quick, tmp_path):
    return begin_of_ten(dataset, quick, tmp_path / "one")


@pytest.fixture
def begun(dataset, settings):
    """Ten of twelve photos, some of them finished."""
    return dataset


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"mask_field": None}, "mask_field: 'box' became None"),
        ({"group_field": None}, "group_field: 'identity' became None"),
        ({"group_field": None, "steps": 4}, "steps: 3 became 4; group_field: 'identity' became"),
    ],
)
def test_another_field_is_refused(begun, settings, change, words):
    before = load_run(begun, "one")
    with pytest.raises(RunError, match=words):
        protect_dataset(begun.limit(10), "one", **{**settings, **change})
    assert load_run(begun, "one") == before


def test_fewer_photos_are_refused_while_the_others_are_there(begun, settings):
    with pytest.raises(
        RunError, match="begun with 6 photos more than this view has: choose the sa"
    ):
        protect_dataset(begun.limit(4), "one", **settings)
    assert load_run(begun, "one").state == "stopped"
    begun.delete_samples(begun.values("id")[4:10])
    record = protect_dataset(begun.limit(4), "one", **settings)
    assert (record.state, record.counts["protected"]) == ("complete", 4)


def test_more_photos_are_refused(begun, settings):
    with pytest.raises(RunError, match="begun without 2 of this view's photos"):
        protect_dataset(begun, "one", **settings)
    assert load_run(begun, "one").state == "stopped"


def test_a_box_that_was_moved_is_noticed(begun, settings):
    import fiftyone as fo

    ids = begun.values("id")
    moved = fo.Detections(detections=[fo.Detection(bounding_box=[0.5, 0, 0.5, 1])])
    begun.set_values("box", dict.fromkeys(ids[:10], moved), key_field="id")
    record = protect_dataset(begun.limit(10), "one", **settings)
    assert record.counts == {"protected": 0, "clean": 0, "failed": 10}
    assert all("was changed after" in text for text in begun.limit(10).values("dp2vl_one_error"))


def test_the_same_goes_on(begun, settings):
    record = protect_dataset(begun.limit(10), "one", **settings)
    assert record.counts["protected"] == 10
    assert [r.run for r in list_runs(begun)] == ["one"]
    for before, after in zip(*begun.limit(10).values(["filepath", "dp2vl_one_path"]), strict=True):
        gap = np.asarray(Image.open(before), int) - np.asarray(Image.open(Path(after)), int)
        assert not gap[:, 40:].any()
        assert gap.any()
