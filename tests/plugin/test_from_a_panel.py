"""Forms that a panel opens: the App puts parameters of its own beside theirs."""

from __future__ import annotations

import pytest

OF_THE_APP = {"panel_id": "p1", "panel_state": {}, "view_target": "DATASET"}


@pytest.mark.parametrize(
    "name",
    ["protect", "evaluate_attack", "compute_embeddings", "export_release", "audit_release"],
)
def test_they_have_no_problem_more(problems, dataset, name):
    alone, opened = problems(name, {}), problems(name, OF_THE_APP)
    assert alone == opened
    assert not any("unknown setting" in problem.lower() for problem in opened)


@pytest.mark.parametrize("name", ["protect", "evaluate_attack"])
def test_what_nobody_knows_is_still_refused(problems, name):
    assert any("nknown setting 'foo'" in problem for problem in problems(name, {"foo": 1}))


def test_protection_runs(generate, dataset, quick, tmp_path):
    params = {**quick, "run": "one", "output_dir": str(tmp_path / "out"), **OF_THE_APP}
    generate("protect", params)
    dataset.reload()
    assert dataset.count_values("dp2vl_one_status") == {"protected": 12}
