"""The operators as the App, the SDK and the queue of delegated operations call them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import fiftyone.operators as foo
import pytest
from fiftyone.operators.executor import ExecutionError

from fiftyone_dp2vl.errors import ConfigError
from fiftyone_dp2vl.store import list_runs, load_run

URI = "@dp2vl/fiftyone_dp2vl/"

pytestmark = pytest.mark.usefixtures("originals_untouched")


@pytest.fixture
def fast(quick, tmp_path) -> dict[str, Any]:
    return {**quick, "output_dir": str(tmp_path / "out")}


def calls(messages: list[dict[str, Any]], operator: str) -> list[dict[str, Any]]:
    bodies = [message.get("body", {}) for message in messages]
    return [body["params"] for body in bodies if body.get("operator_uri", "").endswith(operator)]


class TestTheAppsForm:
    def test_it_opens_with_defaults_that_can_be_run(self, form, problems):
        shown = form("protect")
        assert shown["run"]["default"] == "run1"
        assert shown["ratio"]["default"] == 1.0
        assert shown["epsilon"]["default"] == "standard"
        assert "encoders" not in shown
        required = [name for name, value in shown.items() if value.get("required")]
        assert required == []

    def test_more_settings_appear_when_asked_for(self, form, tiny_encoder):
        shown = form("protect", {"advanced": True, "encoders": [tiny_encoder]})
        assert {"encoders", "strategy", "steps", "format", "metadata", "output_dir"} <= set(shown)

    def test_it_says_what_it_will_cost(self, form, tiny_encoder):
        shown = form("protect", {"encoders": [tiny_encoder], "ratio": 0.5})
        text = shown["estimate"]["view"]["label"]
        assert text.startswith("6 of 12 photos: time is told once it runs, about 1 MB")

    @pytest.mark.parametrize(
        ("params", "sentence"),
        [
            ({"epsilon": "lots"}, "epsilon is 'lots': give subtle (4), standard (8), strong (16)"),
            ({"epsilon": "99"}, "epsilon is '99'"),
            ({"run": "two words"}, "run name 'two words' cannot name a field"),
            ({"steps": 0}, "steps is 0: give at least 1"),
            ({"encoders": ["nothing"]}, "no encoder is called 'nothing'"),
            ({"encoders": ["local:/no/such/folder"]}, "a folder that does not exist"),
            ({"output_dir": "/dev/null/out"}, "files cannot be written to /dev/null/out"),
            ({"group_field": "nobody"}, "no field 'nobody' on the dataset"),
            ({"mask_field": "identity"}, "'identity' is of type StringField"),
        ],
    )
    def test_it_says_what_is_wrong_before_running(self, problems, tiny_encoder, params, sentence):
        found = problems("protect", {"encoders": [tiny_encoder], **params})
        assert len(found) == 1
        assert sentence in found[0]

    def test_folders_of_originals_are_refused(self, problems, photo_folder, tiny_encoder):
        params = {"encoders": [tiny_encoder], "output_dir": str(photo_folder)}
        (found,) = problems("protect", params)
        assert "choose a folder beside the originals" in found

    def test_empty_views_are_refused(self, problems, dataset):
        view = dataset.match({"identity": "nobody"})._serialize()
        assert problems("protect", view=view) == ["the view is empty: choose at least one photo"]
        assert problems("compute_embeddings", view=view) == [
            "the view is empty: choose at least one photo"
        ]

    def test_embeddings_form(self, form, problems):
        assert form("compute_embeddings")["encoder"]["default"] == "embedded"
        (found,) = problems("compute_embeddings", {"encoder": "nothing"})
        assert "no encoder is called 'nothing'" in found

    def test_nothing_to_delete(self, problems):
        assert problems("delete_run") == ["this dataset has no protection run"]


class TestInTheApp:
    def test_a_run_shows_progress_and_ends_with_a_message(self, generate, dataset, fast):
        messages = generate("protect", {**fast, "run": "one", "ratio": 0.5})
        progress = calls(messages, "set_progress")
        assert any("protecting" in step["label"] for step in progress)
        assert all(0 <= step["progress"] <= 1 for step in progress)
        (note,) = calls(messages, "notify")
        assert note["variant"] == "success"
        assert note["message"].startswith("Run one: 6 of 12 photos protected")
        assert len(calls(messages, "reload_dataset")) == 1
        dataset.reload()
        assert load_run(dataset, "one").state == "complete"
        assert "dp2vl_one_path" in dataset.app_config.media_fields

    def test_only_the_selection_is_protected(self, generate, dataset, fast):
        chosen = dataset.values("id")[:2]
        generate(
            "protect", {**fast, "run": "one", "view_target": "SELECTED_SAMPLES"}, selected=chosen
        )
        dataset.reload()
        assert dataset.exists("dp2vl_one_path").values("id") == chosen

    def test_embeddings(self, generate, dataset, tiny_encoder):
        messages = generate("compute_embeddings", {"encoder": tiny_encoder})
        (note,) = calls(messages, "notify")
        assert note["message"] == "12 photos embedded in field dp2vl_tiny_clip_clean"
        dataset.reload()
        assert len(dataset.exists("dp2vl_tiny_clip_clean")) == 12

    def test_a_run_is_deleted(self, server, generate, form, dataset, fast):
        generate("protect", {**fast, "run": "one"})
        shown = form("delete_run")
        assert shown["run"]["default"] == "one"
        data = {
            "operator_uri": URI + "delete_run",
            "dataset_name": dataset.name,
            "params": {"run": "one"},
        }
        answer = server.post("/operators/execute", json=data).json()
        assert answer["result"]["run"] == "one"
        dataset.reload()
        assert list_runs(dataset) == []
        assert not Path(fast["output_dir"]).exists()

    def test_files_that_a_clones_run_names_too_are_kept(
        self, server, generate, form, dataset, fast
    ):
        generate("protect", {**fast, "run": "one"})
        dataset.reload()
        copy = dataset.clone()
        try:
            kept = f"the files in {fast['output_dir']} are kept, because they belong to run 'one'"
            shown = form("delete_run")["delete_files"]["view"]["description"]
            assert shown == f"{kept} of dataset '{copy.name}' too"
            data = {
                "operator_uri": URI + "delete_run",
                "dataset_name": dataset.name,
                "params": {"run": "one"},
            }
            answer = server.post("/operators/execute", json=data).json()
            (note,) = calls(
                [{"body": request} for request in answer["executor"]["requests"]], "notify"
            )
            assert note["variant"] == "warning"
            assert kept in note["message"]
            assert Path(fast["output_dir"]).is_dir()
        finally:
            copy.delete()

    def test_another_runs_folder_is_refused_in_the_form(self, generate, problems, dataset, fast):
        generate("protect", {**fast, "run": "one"})
        (found,) = problems("protect", {**fast, "run": "two"})
        assert f"{fast['output_dir']} belongs to run 'one' of dataset" in found


class TestFromPython:
    def test_defaults_are_applied(self, dataset, fast):
        operator = foo.get_operator(URI + "protect")
        record = operator(dataset.match({"identity": "ada"}), ratio=0.5, **fast)
        assert record["run"] == "run1"
        assert record["state"] == "complete"
        assert record["counts"] == {"protected": 2, "clean": 2, "failed": 0}
        assert record["protection"]["epsilon"] == 8
        assert record == load_run(dataset, "run1").to_dict()

    def test_numbers_may_be_given_as_numbers(self, dataset, fast):
        operator = foo.get_operator(URI + "protect")
        record = operator(dataset, "one", epsilon=2, **fast)
        assert record["protection"]["epsilon"] == 2
        assert max(dataset.values("dp2vl_one_linf")) <= 2

    def test_what_is_wrong_is_said(self, dataset, fast):
        operator = foo.get_operator(URI + "protect")
        with pytest.raises(ConfigError, match="give a share from 0 to 1"):
            operator(dataset, ratio=1.5, **fast)
        with pytest.raises(ConfigError, match="unknown setting 'ratoi'"):
            operator(dataset, ratoi=0.5, **fast)
        params = {**fast, "ratio": 1.5}
        with pytest.raises(ExecutionError, match="Path: ratio"):
            foo.execute_operator(URI + "protect", dataset=dataset, params=params)
        assert list_runs(dataset) == []

    def test_embeddings_and_deletion(self, dataset, fast, tiny_encoder):
        field = foo.get_operator(URI + "compute_embeddings")(dataset, tiny_encoder)
        assert len(dataset.exists(field)) == 12
        foo.get_operator(URI + "protect")(dataset, "one", **fast)
        deleted = foo.get_operator(URI + "delete_run")(dataset, "one")
        assert deleted["run"] == "one"
        dataset.reload()
        assert [name for name in dataset.get_field_schema() if name.startswith("dp2vl")] == [field]

    def test_videos_are_answered_with_a_sentence(self, quick):
        import fiftyone as fo

        dataset = fo.Dataset()
        dataset.add_samples([fo.Sample(filepath="/nowhere/film.mp4")])
        with pytest.raises(ConfigError, match="videos cannot be protected"):
            foo.get_operator(URI + "protect")(dataset, **quick)
        dataset.delete()


class TestDelegated:
    def test_a_run_is_queued_and_executed_with_progress(self, dataset, fast):
        from fiftyone.operators.delegated import DelegatedOperationService

        operator = foo.get_operator(URI + "protect")
        queued = operator(dataset, "later", ratio=0.5, delegate=True, **fast)
        assert queued.delegated
        assert list_runs(dataset) == []
        service = DelegatedOperationService()
        service.execute_queued_operations(limit=1)
        (done,) = service.list_operations(dataset_name=dataset.name)
        assert done.run_state == "completed", done.result
        assert done.label == "protect later"
        assert done.status.progress == pytest.approx(1)
        dataset.reload()
        assert load_run(dataset, "later").counts["protected"] == 6

    def test_a_failure_is_recorded_with_its_sentence(self, dataset, fast):
        from fiftyone.operators.delegated import DelegatedOperationService

        operator = foo.get_operator(URI + "protect")
        operator(dataset, "later", delegate=True, **fast)
        # between queueing and running the photos have gone
        dataset.delete_samples(dataset.values("id"))
        service = DelegatedOperationService()
        service.execute_queued_operations(limit=1)
        (done,) = service.list_operations(dataset_name=dataset.name)
        assert done.run_state == "failed"
        assert "the view is empty" in str(done.result.error)

    @pytest.mark.parametrize("how", ["set_failed", "delete_operation"])
    def test_a_withdrawn_operation_stops_and_can_go_on(self, dataset, fast, monkeypatch, how):
        from fiftyone.operators.delegated import DelegatedOperationService

        operator = foo.get_operator(URI + "protect")
        streaming = sys.modules[type(operator).__module__.replace("protect", "streaming")]
        monkeypatch.setattr(streaming, "_SECONDS_BETWEEN_LOOKS", 0)
        operator(dataset, "later", delegate=True, **fast)
        service = DelegatedOperationService()
        (queued,) = service.list_operations(dataset_name=dataset.name)
        told = streaming._shown

        def withdraw(progress, phases):
            if progress.phase == "protect":
                getattr(service, how)(queued.id)
            return told(progress, phases)

        monkeypatch.setattr(streaming, "_shown", withdraw)
        service.execute_queued_operations(limit=1)
        dataset.reload()
        assert load_run(dataset, "later").state == "stopped"
        monkeypatch.setattr(streaming, "_shown", told)
        operator(dataset, "later", **fast)
        dataset.reload()
        assert load_run(dataset, "later").state == "complete"
