"""The operators that release and audit, as the App, the SDK and the queue call them."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import fiftyone as fo
import fiftyone.operators as foo
import numpy as np
import pytest
from PIL import Image

from fiftyone_dp2vl.errors import ConfigError, RunError
from fiftyone_dp2vl.release import restore
from fiftyone_dp2vl.store import list_releases, protect_dataset
from fiftyone_dp2vl.store.records import load_run, save_run

URI = "@dp2vl/fiftyone_dp2vl/"
PASSPHRASE = "correct horse battery"


def calls(messages: list[dict[str, Any]], operator: str) -> list[dict[str, Any]]:
    bodies = [message.get("body", {}) for message in messages]
    return [body["params"] for body in bodies if body.get("operator_uri", "").endswith(operator)]


def words_in(shown: dict[str, Any]) -> list[str]:
    """Returns the inputs of a form that decide about words."""
    return [name for name in shown if name.startswith("words_")]


@pytest.fixture(scope="module")
def protected(tmp_path_factory: pytest.TempPathFactory, tiny_encoder: str) -> Any:
    folder = tmp_path_factory.mktemp("protected")
    (folder / "originals").mkdir()
    rng = np.random.default_rng(0)
    dataset = fo.Dataset()
    for number in range(6):
        path = folder / "originals" / f"photo{number}.png"
        coarse = Image.fromarray(rng.integers(40, 220, (6, 7, 3), dtype=np.uint8))
        coarse.resize((80, 64), Image.Resampling.BICUBIC).save(path)
        dataset.add_sample(
            fo.Sample(
                filepath=str(path),
                who=("ada", "bob")[number % 2],
                caption=("Ada at sea", "boats")[number % 2],
                scene="beach",
            )
        )
    settings = {"encoders": [tiny_encoder], "steps": 12, "lanes": 3, "transforms": []}
    protect_dataset(dataset, "one", output_dir=str(folder / "run"), group_field="who", **settings)
    yield dataset
    dataset.delete()


@pytest.fixture
def dataset(protected: Any) -> Any:
    """A copy to release; replaces the photos of the other tests."""
    copy = protected.clone()
    save_run(copy, load_run(protected, "one"))
    yield copy
    copy.delete()


@pytest.fixture
def half(dataset: Any) -> Any:
    for sample in dataset.limit(3).iter_samples(autosave=True, progress=False):
        sample["dp2vl_one_status"], sample["dp2vl_one_path"] = "clean", None
    return dataset


class TestTheForm:
    def test_defaults_can_be_executed(self, form, problems, dataset):
        shown = form("export_release")
        assert shown["run"]["default"] == "one"
        assert shown["format"]["default"] == "directory"
        assert shown["directory"]["default"].endswith("release1")
        assert "fields" not in shown
        assert "unprotected" not in shown
        assert problems("export_release") == []
        assert "6 protected photos" in shown["about"]["view"]["label"]

    def test_unprotected_photos_are_counted_and_confirmed(self, form, problems, half):
        (found,) = problems("export_release")
        assert "3 of 6 photos are not protected" in found
        assert problems("export_release", {"unprotected": "leave-out"}) == []
        assert problems("export_release", {"unprotected": "show"}) == []
        params = {"unprotected": "include"}
        (found,) = problems("export_release", params)
        assert "look at them and confirm 3" in found
        assert "confirm_unprotected" in form("export_release", params)
        assert problems("export_release", {**params, "confirm_unprotected": 2}) != []
        assert problems("export_release", {**params, "confirm_unprotected": 3}) == []

    def test_words_are_listed_and_decided_one_by_one(self, form, problems, dataset):
        params = {"format": "csv", "fields": ["caption", "who", "scene"]}
        shown = form("export_release", params)
        caption, who = words_in(shown)
        assert shown[caption]["view"]["label"] == "caption: a person's name on 3 photos"
        assert shown[caption]["view"]["description"] == "Ada"
        assert shown[who]["view"]["label"] == "who: a person's name on 6 photos"
        assert "Pixels cannot unsay text" in shown["pixels"]["view"]["label"]
        (found,) = problems("export_release", {**params, caption: "mask"})
        assert found.startswith("text would give somebody away: who:")
        decided = {**params, caption: "mask", who: "drop"}
        assert problems("export_release", decided) == []

    def test_what_was_decided_of_one_field_is_not_taken_for_another(self, form, problems, dataset):
        dataset.set_values("place", ["Ada at the beach"] * 6)
        params = {"format": "csv"}
        both = {**params, "fields": ["place", "caption"]}
        place, caption = words_in(form("export_release", both))
        assert problems("export_release", {**both, place: "keep", caption: "drop"}) == []
        # the field whose words are kept on purpose is taken out again
        chosen = {**params, "fields": ["caption"], place: "keep"}
        (found,) = problems("export_release", chosen)
        assert found.startswith("text would give somebody away: caption:")

    def test_a_field_named_after_a_person_is_left_out_or_kept(
        self, form, problems, generate, dataset, tmp_path
    ):
        dataset.set_values("ada_smiles", ["yes"] * 6)
        out = tmp_path / "out"
        params = {"directory": str(out), "format": "csv", "fields": ["scene", "ada_smiles"]}
        shown = form("export_release", params)
        (named,) = words_in(shown)
        asked = shown[named]
        assert asked["view"]["label"] == "ada_smiles: the field's own name has a person's name"
        assert [choice["value"] for choice in asked["view"]["choices"]] == ["drop", "keep"]
        (found,) = problems("export_release", params)
        assert "the field's own name has a person's name ('ada')" in found
        assert problems("export_release", {**params, named: "keep"}) == []
        generate("export_release", {**params, named: "drop"})
        assert "smiles" not in (out / "labels.csv").read_text()

    def test_it_says_where_nobody_is_searched_for(self, form, generate, dataset, tmp_path):
        assert "note_0" not in form("export_release")
        dataset.delete_sample_field("who")
        shown = form("export_release")["note_0"]["view"]
        assert shown["name"] == "Warning"
        assert "so no person's name was searched for" in shown["label"]
        messages = generate("export_release", {"directory": str(tmp_path / "out")})
        (note,) = calls(messages, "notify")
        assert note["variant"] == "warning"
        assert "no person's name was searched for" in note["message"]

    @pytest.mark.parametrize(
        ("params", "sentence"),
        [
            ({"format": "coco"}, "format 'coco' holds one field of type Detections or Polylines"),
            ({"format": "csv", "fields": ["filepath"]}, "'filepath' cannot be released"),
            ({"run": "two"}, "no run 'two'"),
            ({"directory": "/dev/null/x"}, "choose another folder"),
        ],
    )
    def test_it_says_what_is_wrong(self, problems, dataset, params, sentence):
        (found,) = problems("export_release", params)
        assert sentence in found

    def test_without_a_run_there_is_nothing_to_release(self, problems, dataset):
        dataset.delete_run("dp2vl_one")
        words = ["this dataset has no complete protection run: protect photos first"]
        assert problems("export_release") == words
        assert problems("audit_release") == words

    def test_no_form_takes_a_passphrase(self, form, dataset):
        shown = form("export_release", {"restoration": True})
        assert [name for name in shown if "passphrase" in name] == ["passphrase_file"]


class TestInTheApp:
    def test_a_release_is_made_and_audited(self, form, generate, dataset, tmp_path):
        out = tmp_path / "out"
        params = {"directory": str(out), "format": "csv", "fields": ["caption"]}
        (caption,) = words_in(form("export_release", params))
        messages = generate("export_release", {**params, caption: "mask"})
        (note,) = calls(messages, "notify")
        assert note["variant"] == "success"
        assert note["message"].startswith(f"6 photos released in {out}")
        assert "Ada" not in (out / "labels.csv").read_text()
        labels = [step["label"] for step in calls(messages, "set_progress")]
        assert any("auditing" in label for label in labels)
        messages = generate("audit_release", {"directory": str(out), "signed_off_by": "me"})
        (note,) = calls(messages, "notify")
        assert note["message"].startswith("Nothing was found in 6 pictures in 7 files")
        assert json.loads((tmp_path / "out.audit.json").read_text())["signed_off_by"] == "me"

    def test_unprotected_photos_are_shown_first(self, generate, half, tmp_path):
        out = tmp_path / "out"
        messages = generate("export_release", {"directory": str(out), "unprotected": "show"})
        (shown,) = calls(messages, "set_view")
        clean = half.match({"dp2vl_one_status": "clean"}).values("id")
        assert all(key in json.dumps(shown) for key in clean)
        assert not out.exists()
        messages = generate(
            "export_release",
            {"directory": str(out), "unprotected": "include", "confirm_unprotected": 3},
        )
        (note,) = calls(messages, "notify")
        assert note["variant"] == "warning"
        assert "3 of them are not protected, as was confirmed" in note["message"]

    def test_only_the_selection_leaves(self, generate, dataset, tmp_path):
        chosen = dataset.values("id")[:2]
        params = {"directory": str(tmp_path / "out"), "view_target": "SELECTED_SAMPLES"}
        generate("export_release", params, selected=chosen)
        assert len(list((tmp_path / "out").glob("*.png"))) == 2

    def test_a_leak_is_an_error_and_nothing_appears(self, generate, dataset, tmp_path):
        sample = dataset.first()
        kept = Path(sample.dp2vl_one_path).read_bytes()
        Path(sample.dp2vl_one_path).write_bytes(Path(sample.filepath).read_bytes())
        try:
            with pytest.raises(RunError, match="nothing was released, because the audit says"):
                generate("export_release", {"directory": str(tmp_path / "out")})
        finally:
            Path(sample.dp2vl_one_path).write_bytes(kept)
        assert not (tmp_path / "out").exists()


class TestFromPython:
    def test_defaults_and_a_sidecar(self, dataset, tmp_path, monkeypatch):
        monkeypatch.setenv("DP2VL_PASSPHRASE", PASSPHRASE)
        operator = foo.get_operator(URI + "export_release")
        record = operator(dataset, tmp_path / "out", restoration=True)
        assert record["state"] == "complete"
        assert record == vars(list_releases(dataset)[-1])
        assert restore(tmp_path / "out", tmp_path / "out.restore", tmp_path / "b", PASSPHRASE) == 6
        assert PASSPHRASE not in json.dumps(record)

    def test_what_is_to_be_decided_is_said(self, half, tmp_path):
        operator = foo.get_operator(URI + "export_release")
        with pytest.raises(ConfigError, match="3 of 6 photos are not protected"):
            operator(half, tmp_path / "out")
        with pytest.raises(ConfigError, match="unknown setting 'formt'"):
            operator(half, tmp_path / "out", formt="csv")
        operator(half, tmp_path / "out", unprotected="leave-out", format="csv", fields=["scene"])
        assert len(list((tmp_path / "out" / "data").iterdir())) == 3

    def test_delegated(self, dataset, tmp_path):
        from fiftyone.operators.delegated import DelegatedOperationService

        out = tmp_path / "out"
        foo.get_operator(URI + "export_release")(dataset, out, delegate=True)
        service = DelegatedOperationService()
        service.execute_queued_operations(limit=1)
        (done,) = service.list_operations(dataset_name=dataset.name)
        assert done.run_state == "completed", done.result
        assert len(list(out.iterdir())) == 6

    def test_an_audit_changes_nothing_in_the_folder(self, dataset, tmp_path):
        operator = foo.get_operator(URI + "export_release")
        operator(dataset, tmp_path / "out")
        (tmp_path / "out" / "x.txt").write_text("ada@example.org")

        def hashes() -> dict[str, str]:
            files = sorted((tmp_path / "out").iterdir())
            return {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in files}

        before = hashes()
        foo.get_operator(URI + "audit_release")(dataset, tmp_path / "out")
        assert not json.loads((tmp_path / "out.audit.json").read_text())["passed"]
        assert hashes() == before

    def test_an_audit_takes_every_setting_and_no_other(self, dataset, tmp_path):
        audit = foo.get_operator(URI + "audit_release")
        dataset.set_values("nick", ["zed"] * 6)
        out = tmp_path / "out"
        foo.get_operator(URI + "export_release")(dataset, out)
        (out / "x.txt").write_text("zed waves")

        def passed(**settings: Any) -> bool:
            audit(dataset, out, **settings)
            return json.loads((tmp_path / "out.audit.json").read_text())["passed"]

        assert passed()
        assert not passed(identity_field="nick")
        assert passed(identity_field="nick", keep_text={"name"})
        with pytest.raises(ConfigError, match="unknown setting 'identity': the settings are"):
            passed(identity="nick")
        with pytest.raises(ConfigError, match="no field 'nobody' on the dataset"):
            passed(identity_field="nobody")

    def test_the_form_of_an_audit_names_people_and_kept_words(self, form, problems, dataset):
        shown = form("audit_release")
        assert {"identity_field", "keep_text"} <= set(shown)
        assert "no field 'nobody' on the dataset" in problems(
            "audit_release", {"identity_field": "nobody"}
        )
