"""``evaluate_attack`` as the App, the SDK and the queue of delegated operations call it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import fiftyone.operators as foo
import pytest

from fiftyone_dp2vl.errors import ConfigError
from fiftyone_dp2vl.store import list_evaluations, load_evaluation, load_report, protect_dataset

URI = "@dp2vl/fiftyone_dp2vl/evaluate_attack"

pytestmark = pytest.mark.usefixtures("originals_untouched")


@pytest.fixture
def asked(dataset: Any) -> Any:
    """The dataset with its last three photos, one of each person, as queries."""
    dataset.select(dataset.values("id")[-3:]).tag_samples("query")
    return dataset


@pytest.fixture
def fast(asked: Any, tiny_encoder: str) -> dict[str, Any]:
    return {"attackers": [f"proxy:prototype@{tiny_encoder}"], "identity": "identity"}


@pytest.fixture
def protected(asked: Any, quick: dict[str, Any], tmp_path: Path) -> Any:
    protect_dataset(asked, "one", output_dir=str(tmp_path / "out"), **quick)
    return asked


def calls(messages: list[dict[str, Any]], operator: str) -> list[dict[str, Any]]:
    bodies = [message.get("body", {}) for message in messages]
    return [body["params"] for body in bodies if body.get("operator_uri", "").endswith(operator)]


class TestTheAppsForm:
    def test_it_opens_with_what_the_fields_suggest(self, form, asked):
        shown = form("evaluate_attack")
        assert shown["evaluation"]["default"] == "eval1"
        assert shown["identity"]["default"] == "identity"
        assert shown["run"]["default"] == "no protection"
        assert shown["query"]["default"] == "tag:query"
        assert "proxy:linear@embedded" in shown["attackers"]["default"]
        assert shown["arms"]["default"] == ["quick"]
        assert not {"scenario", "description", "setting"} & set(shown)
        assert not [name for name, value in shown.items() if value.get("required")]

    def test_the_last_run_is_proposed(self, form, protected, quick, tmp_path):
        protected.set_values("person", protected.values("identity"))
        protect_dataset(
            protected, "two", group_field="person", output_dir=str(tmp_path / "two"), **quick
        )
        shown = form("evaluate_attack")
        assert shown["run"]["default"] == "two"
        assert shown["identity"]["default"] == "person"

    def test_facts_bring_their_kind(self, form, asked, fast):
        asked.set_values("affiliation", ["a car", "a van"] * 6)
        asked.set_values("scenario", ["vehicle"] * 12)
        shown = form("evaluate_attack", fast)
        assert shown["affiliation"]["default"] == "affiliation"
        assert shown["scenario"]["default"] == "scenario"

    def test_more_settings_appear_when_asked_for(self, form, fast):
        shown = form("evaluate_attack", {**fast, "advanced": True})
        assert {"description", "others", "face", "setting", "output_dir"} <= set(shown)

    def test_it_says_what_is_known_of_the_time(self, form, fast):
        shown = form("evaluate_attack", fast)
        assert shown["estimate"]["view"]["label"] == "Time is told once it runs"

    @pytest.mark.parametrize(
        ("params", "sentence"),
        [
            ({"evaluation": "two words"}, "evaluation name 'two words' cannot name a field"),
            ({"identity": "who"}, "no field 'who'"),
            ({"run": "none"}, "no run 'none'"),
            ({"query": "tag:nothing"}, "names no photo of this view"),
            ({"query": "2"}, "query is 2: give a share above 0 and up to 0.5"),
            ({"attackers": ["nobody"]}, "no attacker is called 'nobody'"),
            ({"attackers": ["llava:"]}, "'llava:' names no model"),
            ({"attackers": ["llava:/no/folder"]}, "names a folder that does not exist"),
            ({"attackers": ["proxy:guess@embedded"]}, "'proxy:guess@embedded' is no proxy"),
            ({"attackers": ["proxy:knn@nothing"]}, "no encoder is called 'nothing'"),
            ({"arms": ["all"]}, "there is no arm 'all'"),
            ({"seeds": 0}, "seeds is 0: give at least 1"),
            ({"affiliation": "identity", "scenario": "identity"}, "two different phrases"),
        ],
    )
    def test_it_says_what_is_wrong_before_running(self, problems, fast, params, sentence):
        found = problems("evaluate_attack", {**fast, **params})
        assert len(found) == 1
        assert sentence in found[0]

    def test_it_reads_no_photo(self, form, protected, fast, monkeypatch):
        def read(path: Path, digits: int = 64) -> str:
            raise AssertionError(f"{path} was read")

        monkeypatch.setattr("fiftyone_dp2vl.store.content_keys.sha", read)
        shown = form("evaluate_attack", {**fast, "run": "one", "query": "0.25"})
        assert "estimate" in shown

    def test_empty_views_are_refused(self, problems, dataset):
        view = dataset.match({"identity": "nobody"})._serialize()
        assert problems("evaluate_attack", view=view) == [
            "the view is empty: choose at least one photo"
        ]

    def test_a_dataset_that_names_nobody_is_told_so(self, problems, asked):
        asked.delete_sample_field("identity")
        (found,) = problems("evaluate_attack")
        assert "name the field that says who is on a photo" in found


class TestWhereItRuns:
    @pytest.mark.parametrize(
        ("attackers", "orchestrated", "scheduled"),
        [
            (["embedded"], True, True),
            (["embedded"], False, False),
            (["proxy:linear@embedded"], True, False),
        ],
    )
    def test_models_are_scheduled_where_the_app_can(
        self, asked, monkeypatch, attackers, orchestrated, scheduled
    ):
        import fiftyone as fo
        from fiftyone.operators.executor import ExecutionContext, Executor

        monkeypatch.setattr(fo.config, "allow_legacy_orchestrators", orchestrated)
        request = {"dataset_name": asked.name, "params": {"attackers": attackers}, "view": []}
        ctx = ExecutionContext(request, executor=Executor(), operator_uri=URI)
        options = foo.get_operator(URI).resolve_execution_options(ctx)
        assert options.allow_immediate_execution
        assert options.allow_delegated_execution
        assert options.default_choice_to_delegated == scheduled


def test_an_evaluation_in_the_app_shows_progress_and_what_leaks(generate, protected, fast):
    messages = generate("evaluate_attack", {**fast, "run": "one", "evaluation": "a"})
    progress = calls(messages, "set_progress")
    assert progress[-1]["progress"] == 1
    assert any("prototype" in step["label"] for step in progress)
    (note,) = calls(messages, "notify")
    assert "After protection, the attacker" in note["message"]
    assert len(calls(messages, "reload_dataset")) == 1
    protected.reload()
    assert load_evaluation(protected, "a").state == "complete"
    assert set(protected.list_evaluations()) == {
        "dp2vl_attack_a_eval_clean",
        "dp2vl_attack_a_eval_protected",
    }


class TestFromPython:
    def test_defaults_are_applied(self, protected, tiny_encoder):
        operator = foo.get_operator(URI)
        record = operator(protected, attackers=f"proxy:prototype@{tiny_encoder}")
        assert record["evaluation"] == "eval1"
        assert record["run"] is None
        assert record["mapping"]["identity"] == "identity"
        assert record["mapping"]["query"] == "tag:query"
        assert record == load_evaluation(protected, "eval1").to_dict()

    def test_settings_of_the_attack_and_of_the_album(self, protected, fast):
        operator = foo.get_operator(URI)
        record = operator(
            protected, run="one", query=0.5, seed=3, arms="ratio", max_questions=3, **fast
        )
        assert record["config"]["arms"] == ["ratio"]
        report = load_report(protected, "eval1")
        assert {arm.name for arm in report.arms} >= {"protected, 50 % of photos"}
        assert report.album["queries"] == 6

    def test_what_is_wrong_is_said(self, asked, fast):
        operator = foo.get_operator(URI)
        with pytest.raises(ConfigError, match="unknown setting 'armz'"):
            operator(asked, armz="quick", **fast)
        with pytest.raises(ConfigError, match="no run 'none'"):
            operator(asked, run="none", **fast)
        assert list_evaluations(asked) == []


def test_an_evaluation_is_queued_and_executed_with_progress(protected, fast):
    from fiftyone.operators.delegated import DelegatedOperationService

    queued = foo.get_operator(URI)(protected, run="one", evaluation="later", delegate=True, **fast)
    assert queued.delegated
    assert list_evaluations(protected) == []
    service = DelegatedOperationService()
    service.execute_queued_operations(limit=1)
    (done,) = service.list_operations(dataset_name=protected.name)
    assert done.run_state == "completed", done.result
    assert done.label == "attack later"
    assert done.status.progress == pytest.approx(1)
    protected.reload()
    assert load_evaluation(protected, "later").state == "complete"
