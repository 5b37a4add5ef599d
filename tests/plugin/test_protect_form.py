"""What the form of ``protect`` leads a user to, before anything runs."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from stopping import stop_after

from fiftyone_dp2vl.config import OutputConfig, ProtectionConfig, SelectionConfig
from fiftyone_dp2vl.errors import Cancelled, ConfigError
from fiftyone_dp2vl.media import hash_photo
from fiftyone_dp2vl.runs import select
from fiftyone_dp2vl.store import list_runs, protect_dataset
from fiftyone_dp2vl.store.chosen import count_chosen
from fiftyone_dp2vl.store.estimates import estimate_run
from fiftyone_dp2vl.store.settings import Settings

ONE = "choose 'erase'"


@pytest.fixture
def params(tiny_encoder):
    return {"encoders": [tiny_encoder]}


class TestWhoIsOnAPhoto:
    def test_the_one_obvious_field_is_proposed(self, form, dataset, params):
        dataset.set_values("caption", ["words"] * 12)
        assert form("protect", params)["group_field"]["default"] == "identity"

    def test_two_obvious_fields_are_a_choice(self, form, dataset, params):
        dataset.set_values("person", ["words"] * 12)
        assert form("protect", params)["group_field"]["default"] is None

    def test_the_default_needs_no_names(self, form, problems, dataset, params):
        text = form("protect", params)["nameless"]["view"]["label"]
        assert text.startswith("Nobody is named")
        assert text.endswith("with their names: choose a field that says who is on a photo")
        assert "nameless" not in form("protect", {**params, "group_field": "identity"})
        one = dataset.limit(1)._serialize()
        assert "nameless" not in form("protect", params, view=one)
        assert problems("protect", params, view=one) == []

    def test_without_names_one_sentence_says_what_to_choose(self, form, params):
        params = {**params, "strategy": "swap"}
        shown = form("protect", params)
        text = shown["nameless"]["view"]["label"]
        assert text.startswith("Without names photos are grouped by likeness")
        assert "choose a field that says who is on a photo" in text
        assert "strategy 'erase'" in text
        assert "strategy" in shown
        assert "nameless" not in form("protect", {**params, "group_field": "identity"})
        assert "nameless" not in form("protect", {**params, "strategy": "erase"})
        assert "strategy" in form("protect", {**params, "strategy": "erase"})

    def test_the_default_strategy_is_the_first_choice(self, form, params):
        shown = form("protect", {**params, "advanced": True})["strategy"]
        assert shown["default"] == shown["type"]["values"][0] == "auto"

    def test_one_person_is_told_and_the_advice_works(self, form, problems, dataset, params):
        view = dataset.match({"identity": "ada"})._serialize()
        params = {**params, "strategy": "swap"}
        given = {**params, "group_field": "identity"}
        (problem,) = problems("protect", given, view=view)
        assert ONE in problem
        assert "strategy" in form("protect", given, view=view)
        assert problems("protect", {**given, "strategy": "erase"}, view=view) == []
        assert problems("protect", params, view=view) == []  # the likeness makes two groups

    def test_one_photo_is_told_and_the_advice_works(
        self, problems, generate, dataset, quick, tmp_path
    ):
        params = {**quick, "strategy": "swap", "output_dir": str(tmp_path / "out")}
        view = dataset.limit(1)._serialize()
        (problem,) = problems("protect", params, view=view)
        assert ONE in problem
        assert list_runs(dataset) == []
        generate("protect", {**params, "strategy": "erase"}, view=view)
        dataset.reload()
        assert dataset.count_values("dp2vl_run1_status") == {"protected": 1, None: 11}

    def test_a_draw_that_leaves_one_person_is_told(
        self, problems, generate, dataset, params, quick, tmp_path
    ):
        given = {**params, "strategy": "swap", "group_field": "identity", "ratio": 0.05}
        (problem,) = problems("protect", given)
        assert ONE in problem
        # of two photos the form cannot know: they are drawn by what is in their files
        assert problems("protect", {**given, "ratio": 2 / 12}) == []
        contents = [hash_photo(path) for path in dataset.values("filepath")]
        people = dict(zip(contents, dataset.values("identity"), strict=True))
        one, several = (
            next(seed for seed in range(99) if len(self._drawn(people, seed)) == count)
            for count in (1, 2)
        )
        given = {**given, **quick, "ratio": 2 / 12, "output_dir": str(tmp_path / "out")}
        with pytest.raises(ConfigError, match=ONE):
            generate("protect", {**given, "seed": one})
        assert list_runs(dataset) == []
        assert not (tmp_path / "out").exists()
        generate("protect", {**given, "seed": several})
        dataset.reload()
        shown = dataset.match({"dp2vl_run1_status": "protected"}).values("identity")
        assert set(shown) == self._drawn(people, several)

    def _drawn(self, people, seed):
        config = SelectionConfig(ratio=2 / 12, seed=seed)
        return {people[key] for key in select(list(people), None, config)}

    def test_the_same_share_of_nobody(self, problems, params):
        (problem,) = problems("protect", {**params, "stratify": True})
        assert "stratify needs groups" in problem


class TestWhatItCosts:
    @pytest.mark.parametrize("ratio", [0.0, 0.1, 0.26, 0.5, 1.0])
    @pytest.mark.parametrize("stratify", [False, True])
    def test_photos_are_counted_as_the_run_draws_them(
        self, dataset, quick, tmp_path, ratio, stratify
    ):
        settings = Settings(
            ProtectionConfig(), SelectionConfig(ratio=ratio, stratify=stratify), OutputConfig()
        )
        told = estimate_run(dataset, settings, directory=tmp_path, group_field="identity").protected
        ids, people = dataset.values(["id", "identity"])
        assert told == len(select(ids, people, settings.selection))
        assert count_chosen(dataset, settings.selection, "identity") == told

    def test_the_form_says_it(self, form, params):
        given = {**params, "ratio": 0.1, "stratify": True, "group_field": "identity"}
        assert form("protect", given)["estimate"]["view"]["label"].startswith("3 of 12 photos")


class TestWhatCannotBe:
    @pytest.mark.parametrize(
        ("encoder", "words"),
        [
            ("hf:openai/no-such-model", "is not in this machine's cache of the hub"),
            ("open_clip:ViT-L-14-336/nosuch", "no tag of ViT-L-14-336: the tags are openai"),
            ("hf:openai/clip?layer=zz", "layer is 'zz'"),
            ("hf:openai/clip?leyer=1", "unknown option 'leyer'"),
            ("hf:nonsense", "no id of a model on the hub"),
        ],
    )
    @pytest.mark.parametrize("operator", ["protect", "compute_embeddings"])
    def test_an_encoder_that_cannot_be_loaded(self, problems, operator, encoder, words):
        given = {"encoders": [encoder]} if operator == "protect" else {"encoder": encoder}
        (problem,) = problems(operator, given)
        assert words in problem

    def test_a_model_to_be_fetched_is_told_where_the_hub_may_be_asked(
        self, form, problems, monkeypatch
    ):
        from huggingface_hub import constants

        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        given = {"encoders": ["hf:some/model"], "group_field": "identity"}
        text = form("protect", given)["fetching"]["view"]["label"]
        assert text == "Not on this machine, to be fetched from the model hub: hf:some/model"
        (problem,) = problems("protect", {**given, "local_files_only": True})
        assert "is not in this machine's cache" in problem
        assert "fetching" in form("compute_embeddings", {"encoder": "hf:some/model"})
        given = {"encoder": "hf:some/model", "local_files_only": True}
        assert len(problems("compute_embeddings", given)) == 1

    @pytest.mark.parametrize(
        ("given", "words"),
        [
            ({"device": "gpu"}, "device 'gpu' is not usable here"),
            ({"device": 1.5}, "device is 1.5: give a text such as 'cpu'"),
            ({"workers": -1}, "workers is -1: give a whole number of at least 1"),
            ({"batch_size": 0}, "batch_size is 0: give a whole number of at least 1"),
            ({"batch_size": -1}, "batch_size is -1: give a whole number of at least 1"),
            ({"steps": "2"}, "steps is '2': give a whole number such as 60"),
            ({"seed": 1.5}, "seed is 1.5: give a whole number such as 0"),
        ],
    )
    def test_what_a_run_cannot_work_with(self, problems, dataset, params, given, words):
        # said in the form, and by the SDK before anything is recorded
        (problem,) = problems("protect", {**params, **given})
        assert problem.startswith(words)
        with pytest.raises(ConfigError) as caught:
            protect_dataset(dataset, **params, **given)
        assert str(caught.value) == problem
        assert list_runs(dataset) == []

    def test_a_gpu_that_is_not_there(self, problems, dataset, params):
        if torch.cuda.is_available():
            pytest.skip("this machine has one")
        (problem,) = problems("protect", {**params, "device": "cuda"})
        assert problem == "device 'cuda' is not usable here: this machine has cpu"

    @pytest.mark.parametrize(
        ("given", "words"),
        [
            ({"field": "filepath"}, "field 'filepath' holds StringField values: choose another"),
            ({"batch_size": 0}, "batch_size is 0: give a whole number of at least 1"),
            ({"batch_size": -1}, "batch_size is -1: give a whole number of at least 1"),
        ],
    )
    def test_embeddings_that_cannot_be_stored_or_computed(
        self, problems, dataset, tiny_encoder, given, words
    ):
        import fiftyone.operators as foo

        (problem,) = problems("compute_embeddings", {"encoder": tiny_encoder, **given})
        assert problem.startswith(words)
        operator = foo.get_operator("@dp2vl/fiftyone_dp2vl/compute_embeddings")
        with pytest.raises(ConfigError) as caught:
            operator(dataset, encoder=tiny_encoder, **given)
        assert str(caught.value) == problem

    def test_a_field_that_the_view_hides(self, problems, dataset, tiny_encoder):
        view = dataset.exclude_fields("identity")._serialize()
        given = {"encoder": tiny_encoder, "field": "identity"}
        (problem,) = problems("compute_embeddings", given, view=view)
        assert "holds StringField values" in problem

    @pytest.mark.parametrize(
        ("view", "words"),
        [
            ("album", "'album' is no dataset or view: give fiftyone.load_dataset('album')"),
            (None, "a NoneType is no dataset or view: give one of photos"),
        ],
    )
    def test_a_name_is_no_dataset(self, view, words):
        import fiftyone.operators as foo

        embed = foo.get_operator("@dp2vl/fiftyone_dp2vl/compute_embeddings")
        for call in (protect_dataset, embed):
            with pytest.raises(ConfigError) as caught:
                call(view)
            assert str(caught.value) == words

    @pytest.mark.parametrize(
        ("more", "words"),
        [
            ({"transforms": ["swirl:1-2"]}, "transform 'swirl:1-2'"),
            ({"strategy": "pray"}, "no strategy 'pray'"),
        ],
    )
    def test_what_only_python_can_say(self, dataset, quick, more, words):
        import fiftyone.operators as foo

        from fiftyone_dp2vl.errors import ConfigError

        operator = foo.get_operator("@dp2vl/fiftyone_dp2vl/protect")
        with pytest.raises(ConfigError, match=words):
            operator(dataset, **quick, **more)
        assert list_runs(dataset) == []


class TestARunThatStopped:
    @pytest.fixture
    def given(self, quick):
        return {**quick, "group_field": "identity"}

    @pytest.fixture
    def stopped(self, dataset, given, tmp_path):
        with pytest.raises(Cancelled):
            protect_dataset(
                dataset,
                output_dir=str(tmp_path / "out"),
                cancel=stop_after(31),
                **given,
            )
        return dataset

    def test_it_is_proposed_and_gone_on_with(self, stopped, form, generate, quick, given):
        # as a form opens, and as it is once it holds what it proposes
        assert form("protect", quick)["run"]["default"] == "run1"
        shown = form("protect", given)
        assert shown["run"]["default"] == "run1"
        assert shown["unfinished"]["view"]["label"] == (
            "Run run1 was not finished: this goes on with it"
        )
        generate("protect", given)
        stopped.reload()
        (record,) = list_runs(stopped)
        assert (record.run, record.state) == ("run1", "complete")

    def test_other_settings_are_told(self, stopped, form, problems, given):
        other = {**given, "epsilon": "4"}
        assert form("protect", other)["run"]["default"] == "run2"
        (problem,) = problems("protect", {**other, "run": "run1"})
        assert problem == (
            "run 'run1' was begun with other settings (epsilon: 8.0 became 4.0): give the same to "
            "go on with it, or choose another name"
        )


def test_jpeg_is_said_to_be_lossy(generate, dataset, quick, tmp_path):
    out = str(tmp_path / "out")
    messages = generate("protect", {**quick, "run": "one", "format": "jpeg", "output_dir": out})
    told = [m["body"]["params"].get("message", "") for m in messages if "body" in m]
    assert any("JPEG is lossy: dp2vl_one_linf may exceed the budget" in text for text in told)
    dataset.reload()
    assert "may exceed the budget" in dataset.get_field("dp2vl_one_linf").description
    assert Path(dataset.first()["dp2vl_one_path"]).suffix == ".jpg"


def test_a_datasets_name_is_no_dataset():
    import fiftyone.operators as foo

    protect = foo.get_operator("@dp2vl/fiftyone_dp2vl/protect")
    with pytest.raises(ConfigError, match=r"'album' is no dataset or view: give fiftyone.load_d"):
        protect("album")
