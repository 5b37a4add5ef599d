"""What the form of ``protect`` says of a run that was begun with something else."""

from __future__ import annotations

import pytest
from begun import begin_of_ten

from fiftyone_dp2vl.errors import ConfigError


@pytest.fixture
def settings(dataset, quick, tmp_path):
    """Of the run "one", which stopped in the midst of ten of the twelve photos."""
    return {**begin_of_ten(dataset, quick, tmp_path / "one"), "run": "one"}


def test_other_photos_and_another_field_are_told(dataset, problems, settings):
    (problem,) = problems("protect", settings)
    assert "begun without 2 of this view's photos" in problem
    view = dataset.limit(10)._serialize()
    assert problems("protect", settings, view=view) == []
    (problem,) = problems("protect", {**settings, "mask_field": None}, view=view)
    assert "mask_field: 'box' became None" in problem


def test_its_own_photos_can_be_taken_whatever_the_view(dataset, form, problems, generate, settings):
    offered = form("protect", settings)["own_photos"]
    assert offered["view"]["label"] == "Go on with the 10 photos that run one was begun with"
    assert "own_photos" not in form("protect", settings, view=dataset.limit(10)._serialize())
    assert "own_photos" not in form("protect", {**settings, "run": "two"})
    own = {**settings, "own_photos": True}
    assert problems("protect", own) == []
    assert "of 10 photos" in form("protect", own)["estimate"]["view"]["label"]
    generate("protect", own)
    dataset.reload()
    assert dataset.count_values("dp2vl_one_status") == {"protected": 10, None: 2}


def test_from_python_too(dataset, settings):
    import fiftyone.operators as foo

    protect = foo.get_operator("@dp2vl/fiftyone_dp2vl/protect")
    with pytest.raises(ConfigError, match="begun without 2 of this view's photos"):
        protect(dataset, **settings)
    record = protect(dataset, **settings, own_photos=True)
    assert (record["state"], record["photos"]) == ("complete", 10)
