"""The ``delete_evaluation`` operator, as the App and Python call it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import fiftyone.operators as foo
import pytest
from fiftyone.operators.executor import ExecutionError

from fiftyone_dp2vl.attack.settings import AttackConfig
from fiftyone_dp2vl.store import evaluate_attack_dataset, list_evaluations

URI = "@dp2vl/fiftyone_dp2vl/delete_evaluation"

pytestmark = pytest.mark.usefixtures("originals_untouched")


@pytest.fixture
def attacked(dataset: Any, tiny_encoder: str, tmp_path: Path) -> Any:
    dataset.select(dataset.values("id")[9:]).tag_samples("query")
    config = AttackConfig(attackers=(), proxies=(f"proxy:prototype@{tiny_encoder}",))
    for name in ("first", "second"):
        evaluate_attack_dataset(
            dataset,
            config,
            identity="identity",
            query="tag:query",
            evaluation=name,
            output_dir=str(tmp_path / name),
            cache=str(tmp_path / "cells"),
        )
    return dataset


def left(dataset: Any) -> tuple[list[str], list[str], list[str]]:
    dataset.reload()
    fields = [name for name in dataset.get_field_schema() if name.startswith("dp2vl_attack")]
    evaluations = [record.evaluation for record in list_evaluations(dataset)]
    return evaluations, dataset.list_evaluations(), fields


SECOND = (
    ["second"],
    ["dp2vl_attack_second_eval_clean"],
    [
        "dp2vl_attack_second_truth",
        "dp2vl_attack_second_clean",
        "dp2vl_attack_second_eval_clean",
    ],
)


def test_nothing_to_delete(problems):
    assert problems("delete_evaluation") == ["this dataset has no evaluation of an attack"]


def test_the_form_says_what_will_go(form, problems, attacked, tmp_path):
    shown = form("delete_evaluation")
    assert shown["evaluation"]["default"] == "first"
    assert [c["value"] for c in shown["evaluation"]["view"]["choices"]] == ["first", "second"]
    text = form("delete_evaluation", {"evaluation": "second"})
    assert str(tmp_path / "second") in text["delete_files"]["view"]["description"]
    summary = text["summary"]["default"]
    assert summary.startswith("**second** (complete, ")
    assert "2 fields and 1 of FiftyOne's evaluations will be removed" in summary
    assert problems("delete_evaluation", {"evaluation": "third"}) == [
        "no evaluation 'third': there are first, second"
    ]


def test_in_the_app_one_goes_and_the_other_stays(server, attacked, tmp_path):
    (tmp_path / "first" / "mine.txt").write_text("mine")
    cells = sorted((tmp_path / "cells").rglob("*"))
    data = {
        "operator_uri": URI,
        "dataset_name": attacked.name,
        "params": {"evaluation": "first"},
    }
    answer = server.post("/operators/execute", json=data).json()
    assert answer["result"]["evaluation"] == "first"
    evaluations, keys, fields = left(attacked)
    assert (evaluations, keys) == SECOND[:2]
    assert set(fields) == set(SECOND[2])
    assert [path.name for path in (tmp_path / "first").iterdir()] == ["mine.txt"]
    assert len(list((tmp_path / "second").iterdir())) == 2
    assert sorted((tmp_path / "cells").rglob("*")) == cells


def test_from_python_the_report_can_stay(attacked, tmp_path):
    operator = foo.get_operator(URI)
    deleted = operator(attacked.limit(2), "first", delete_files=False)
    assert deleted["eval_keys"] == ["dp2vl_attack_first_eval_clean"]
    assert (tmp_path / "first" / "report.json").is_file()
    assert left(attacked)[0] == ["second"]
    with pytest.raises(ExecutionError, match="no evaluation 'first'"):
        operator(attacked, "first")


def test_a_report_that_a_clones_evaluation_names_too_is_kept(server, form, attacked, tmp_path):
    copy = attacked.clone()
    try:
        kept = f"the files in {tmp_path / 'first'} are kept, because they belong to evaluation"
        shown = form("delete_evaluation", {"evaluation": "first"})
        assert shown["delete_files"]["view"]["description"].startswith(kept)
        data = {
            "operator_uri": URI,
            "dataset_name": attacked.name,
            "params": {"evaluation": "first"},
        }
        answer = server.post("/operators/execute", json=data).json()
        (note,) = (
            request["params"]
            for request in answer["executor"]["requests"]
            if request["operator_uri"].endswith("notify")
        )
        assert note["variant"] == "warning"
        assert kept in note["message"]
        assert (tmp_path / "first" / "report.json").is_file()
    finally:
        copy.delete()


def test_another_evaluations_folder_is_refused_in_the_form(problems, attacked, tmp_path):
    params = {
        "evaluation": "third",
        "identity": "identity",
        "query": "tag:query",
        "output_dir": str(tmp_path / "first"),
    }
    (found,) = problems("evaluate_attack", params)
    assert f"{tmp_path / 'first'} belongs to evaluation 'first' of dataset" in found
