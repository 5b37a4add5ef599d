"""Attacking a dataset: from fields to an album, from answers to fields and FiftyOne evaluations."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from fiftyone_dp2vl.attack.settings import AttackConfig
from fiftyone_dp2vl.errors import Cancelled, ConfigError, RunError
from fiftyone_dp2vl.measure.cards import CardError
from fiftyone_dp2vl.measure.report import AttackReport
from fiftyone_dp2vl.store import (
    attack_album,
    delete_evaluation,
    evaluate_attack_dataset,
    list_evaluations,
    list_runs,
    load_evaluation,
    load_report,
    protect_dataset,
)

pytestmark = pytest.mark.usefixtures("originals_untouched")

CARS = {"ada": "a red car", "bob": "a green van", "cy": "a blue bicycle"}
PETS = {"ada": "a cat", "bob": "a dog", "cy": "a dog"}


@pytest.fixture
def told(dataset: Any) -> Any:
    """The dataset with facts, and the last photo of each person tagged as a query."""
    people = dataset.values("identity")
    turns = [people[:row].count(person) for row, person in enumerate(people)]
    shown = [("car", CARS), ("pet", PETS), ("car", CARS), (None, None)]
    dataset.set_values("scenario", [shown[turn][0] for turn in turns])
    facts = [(shown[turn][1] or {}).get(who) for who, turn in zip(people, turns, strict=True)]
    dataset.set_values("affiliation", facts)
    dataset.set_values("role", ["query" if turn == 3 else "share" for turn in turns])
    dataset.match({"role": "query"}).tag_samples("query")
    return dataset


@pytest.fixture
def mapping() -> dict[str, Any]:
    return {
        "identity": "identity",
        "affiliation": "affiliation",
        "scenario": "scenario",
        "query": "tag:query",
    }


@pytest.fixture
def proxies(tiny_encoder: str) -> AttackConfig:
    return AttackConfig(attackers=(), proxies=(f"proxy:prototype@{tiny_encoder}",))


@pytest.fixture
def protected(told: Any, quick: dict[str, Any], tmp_path: Path) -> Any:
    protect_dataset(told, "one", output_dir=str(tmp_path / "out"), **quick)
    return told


class TestAlbum:
    def test_fields_become_photos_facts_and_choices(self, told, mapping):
        found = attack_album(told, **mapping)
        album = found.album
        assert found.protected == {}
        assert [len(album.of(role)) for role in ("share", "query", "other")] == [9, 3, 0]
        assert album.people == ["ada", "bob", "cy"]
        assert album.facts["bob"] == {"car": "a green van", "pet": "a dog"}
        assert album.choices == {
            "car": ("a blue bicycle", "a green van", "a red car"),
            "pet": ("a cat", "a dog"),
        }
        photo = album.of("share")[0]
        sample = told[found.samples[photo.key]]
        assert (photo.path, photo.person) == (Path(sample.filepath), sample.identity)
        assert (photo.scenario, photo.affiliation) == (sample.scenario, sample.affiliation)

    def test_classifications_say_the_same(self, told, mapping):
        import fiftyone as fo

        plain = attack_album(told, **mapping)
        for field in ("identity", "affiliation", "scenario"):
            labels = [value and fo.Classification(label=value) for value in told.values(field)]
            told.set_values(f"{field}_label", labels)
        asked = {name: f"{name}_label" for name in ("identity", "affiliation", "scenario")}
        assert attack_album(told, **{**mapping, **asked}) == plain

    @pytest.mark.parametrize("query", ["tag:query", "view:asked", "role=query"])
    def test_query_photos_are_named_in_three_ways(self, told, mapping, query):
        told.save_view("asked", told.match_tags("query"))
        found = attack_album(told, **{**mapping, "query": query})
        asked = {found.samples[photo.key] for photo in found.album.of("query")}
        assert asked == set(told.match_tags("query").values("id"))

    def test_a_share_of_each_person_is_held_out_by_seed(self, told):
        def queries(**more):
            album = attack_album(told, identity="identity", query=0.3, **more).album
            people = [photo.person for photo in album.of("query")]
            assert sorted(people) == ["ada", "ada", "bob", "bob", "cy", "cy"]
            return {photo.key for photo in album.of("query")}

        assert queries() == queries(seed=0)
        assert len({frozenset(queries(seed=seed)) for seed in range(5)}) > 1

    def test_who_has_one_photo_keeps_it(self, told):
        lonely = told.match({"identity": "cy"}).limit(1).values("id")
        view = told.select([*lonely, *told.match({"identity": {"$ne": "cy"}}).values("id")])
        album = attack_album(view, identity="identity").album
        assert [photo.role for photo in album.photos if photo.person == "cy"] == ["share"]

    def test_people_of_whom_nothing_is_shared_are_others(self, told, mapping):
        told.match({"identity": "cy"}).tag_samples("query")
        album = attack_album(told, **mapping).album
        assert {photo.person for photo in album.of("other")} == {"cy"}
        assert album.people == ["ada", "bob"]
        named = attack_album(told, **{**mapping, "others": "identity=cy"}).album
        assert named.of("other") == album.of("other")

    def test_other_people_must_be_others(self, told, mapping):
        told.match({"identity": "cy"}).limit(1).tag_samples("other")
        with pytest.raises(ConfigError, match="1 photos of other people show 'cy', who is on"):
            attack_album(told, **mapping, others="tag:other")

    def test_what_most_photos_say_is_the_fact_and_the_shared_ones_first(self, told, mapping):
        (row,) = told.match({"identity": "ada"}).match_tags("query").values("id")
        told[row].set_field("scenario", "car")
        samples = told.match({"identity": "ada"})
        samples.set_values("scenario", ["car"] * 4)
        samples.set_values("affiliation", ["a van", "a red car", "a van", "a tram"])
        album = attack_album(told, **mapping).album
        assert album.facts["ada"] == {"car": "a van"}
        assert "a tram" in album.choices["car"]

    def test_a_scenario_without_a_choice_is_left_out_or_given_distractors(self, told, mapping):
        told.set_values("affiliation", ["a dog" if s == "pet" else a for s, a in _pairs(told)])
        album = attack_album(told, **mapping).album
        assert set(album.choices) == {"car"}
        assert all(set(facts) == {"car"} for facts in album.facts.values())
        assert {photo.scenario for photo in album.photos} == {"car", ""}
        album = attack_album(told, **mapping, distractors={"pet": ["a goat"]}).album
        assert album.choices["pet"] == ("a dog", "a goat")

    def test_without_a_scenario_field_all_facts_are_of_one_kind(self, told):
        album = attack_album(
            told, identity="identity", affiliation="affiliation", query="tag:query"
        ).album
        assert set(album.choices) == {"affiliation"}

    def test_descriptions_and_faces(self, told, mapping):
        import fiftyone as fo

        told.set_values("texts", [["one", "two"]] * 11 + [None])
        boxes = [[0.1, 0.2, 0.3, 0.4], [0.5, 0.5, 0.1, 0.1]]
        faces = fo.Detections(detections=[fo.Detection(bounding_box=box) for box in boxes])
        told.set_values("faces", [faces.copy() for _ in range(11)] + [None])
        album = attack_album(told, **mapping, description="texts", face="faces").album
        first, last = album.photos[0], album.photos[-1]
        assert first.descriptions == ("one", "two")
        assert first.face == pytest.approx((0.1, 0.2, 0.4, 0.6))
        assert (last.descriptions, last.face) == ((), None)

    def test_a_runs_files_are_the_shared_photos_ones(self, protected, mapping):
        found = attack_album(protected, **mapping, run="one")
        first = found.album.of("share")[0].key
        assert set(found.protected) == {photo.key for photo in found.album.of("share")}
        path = protected[found.samples[first]]["dp2vl_one_path"]
        assert found.protected[first] == Path(path)
        Path(path).unlink()
        with pytest.raises(ConfigError, match="1 protected files of run 'one' are gone"):
            attack_album(protected, **mapping, run="one")

    @pytest.mark.parametrize(
        ("change", "sentence"),
        [
            ({"identity": "who"}, "no field 'who'"),
            ({"identity": "tags"}, "'tags' is of type ListField"),
            ({"affiliation": "nothing"}, "no field 'nothing'"),
            ({"query": "tag:none"}, "names no photo of this view"),
            ({"query": "everything"}, "give tag:NAME, view:NAME or FIELD=VALUE"),
            ({"query": "view:none"}, "no saved view 'none'"),
            ({"query": "none=1"}, "query: no field 'none'"),
            ({"query": 0.9}, "query is 0.9: give a share above 0 and up to 0.5"),
            ({"query": "role=share", "others": "role=query"}, "shared photos show 0 people"),
            ({"run": "none"}, "no run 'none'"),
            ({"scenario": "affiliation"}, "holds no scenario with two different phrases"),
        ],
    )
    def test_what_is_wrong_is_said(self, told, mapping, change, sentence):
        with pytest.raises((ConfigError, RunError), match=sentence):
            attack_album(told, **{**mapping, **change})

    def test_one_file_is_not_both_shared_and_asked_about(self, told, mapping):
        import fiftyone as fo

        sample = told.match_tags("query").first()
        told.add_samples([fo.Sample(filepath=sample.filepath, identity=sample.identity)])
        with pytest.raises(ConfigError, match="is both shared and asked about"):
            attack_album(told, **mapping)

    def test_the_benchmarks_labels_become_its_phrases(self, told):
        told.info = {"benchmark_seed": 1}
        scenarios = ["pet" if s else None for s in told.values("scenario")]
        told.set_values("scenario", scenarios)
        labels = {"ada": "cat", "bob": "dog", "cy": "rabbit"}
        facts = [
            s and labels[who] for s, who in zip(scenarios, told.values("identity"), strict=True)
        ]
        told.set_values("affiliation", facts)
        album = attack_album(
            told,
            identity="identity",
            affiliation="affiliation",
            scenario="scenario",
            query="tag:query",
        ).album
        assert album.facts["ada"] == {"pet": "an orange cat"}
        assert len(album.choices["pet"]) > 3
        assert set(album.questions) == {"pet"}


def _pairs(dataset: Any) -> list[tuple[Any, Any]]:
    return list(zip(dataset.values("scenario"), dataset.values("affiliation"), strict=True))


class TestEvaluation:
    def test_answers_become_predictions_that_fiftyone_compares(
        self, protected, mapping, proxies, tmp_path
    ):
        seen: list[Any] = []
        report = evaluate_attack_dataset(
            protected,
            proxies,
            **mapping,
            run="one",
            evaluation="first",
            output_dir=str(tmp_path / "report"),
            progress=seen.append,
        )
        assert load_report(protected, "first") == report
        record = load_evaluation(protected, "first")
        assert (record.state, record.run) == ("complete", "one")
        assert record.report == tmp_path / "report" / "report.json"
        assert AttackReport.load(record.report) == report
        assert "After protection, the attacker" in record.page.read_text(encoding="utf-8")
        assert record.summary[0].startswith("After protection, the attacker")
        assert report.protection["run"] == "one"
        assert report.protection["quality"]["worst_linf"] <= 8

        asked = protected.match_tags("query").values("id")
        for arm in ("clean", "protected"):
            view = protected.exists(f"dp2vl_attack_first_{arm}")
            assert sorted(view.values("id")) == sorted(asked)
            chosen = dict(zip(*view.values(["id", f"dp2vl_attack_first_{arm}.label"]), strict=True))
            told = {a.photo: a.chosen[arm] for a in report.answers if a.ask == "identity"}
            assert chosen == told
            results = protected.load_evaluation_results(f"dp2vl_attack_first_eval_{arm}")
            accuracy = report.find(
                "accuracy", arm=arm, ask="identity", scenario="all", epoch="final"
            )
            assert results.metrics()["accuracy"] == pytest.approx(accuracy.value)
        info = protected.get_evaluation_info("dp2vl_attack_first_eval_protected")
        assert info.config.gt_field == "dp2vl_attack_first_truth"
        assert seen[-1].done == seen[-1].total
        assert all(0 <= step.done <= step.total for step in seen)

    def test_without_a_run_the_clean_photos_are_attacked(self, told, mapping, proxies):
        report = evaluate_attack_dataset(told, proxies, **mapping)
        assert report.protection == {}
        record = load_evaluation(told, "eval1")
        assert record.eval_keys == ("dp2vl_attack_eval1_eval_clean",)
        assert not told.has_sample_field("dp2vl_attack_eval1_protected")
        assert record.summary[0].startswith("Nothing was protected")

    def test_deleting_one_removes_its_own_and_nothing_else(self, protected, mapping, proxies):
        def state():
            protected.reload()
            return {
                "schema": sorted(protected.get_field_schema(flat=True)),
                "evaluations": protected.list_evaluations(),
                "runs": protected.list_runs(),
                "samples": json.dumps(
                    [
                        {k: v for k, v in s.to_dict(include_private=True).items() if "mod" not in k}
                        for s in protected
                    ],
                    default=str,
                    sort_keys=True,
                ),
            }

        evaluate_attack_dataset(protected, proxies, **mapping, run="one", evaluation="kept")
        before = state()
        evaluate_attack_dataset(protected, proxies, **mapping, run="one", evaluation="gone")
        folder = Path(load_evaluation(protected, "gone").directory)
        assert [r.evaluation for r in list_evaluations(protected)] == ["kept", "gone"]
        deleted = delete_evaluation(protected, "gone")
        assert deleted.evaluation == "gone"
        assert state() == before
        assert not folder.exists()
        assert load_report(protected, "kept").rows
        assert [run.run for run in list_runs(protected)] == ["one"]
        with pytest.raises(RunError, match=r"no evaluation 'gone'.*are kept"):
            delete_evaluation(protected, "gone")

    def test_a_file_of_somebody_else_stays(self, told, mapping, proxies, tmp_path):
        folder = tmp_path / "report"
        evaluate_attack_dataset(told, proxies, **mapping, evaluation="a", output_dir=str(folder))
        (folder / "mine.txt").write_text("mine")
        delete_evaluation(told, "a")
        assert [path.name for path in folder.iterdir()] == ["mine.txt"]

    def test_names(self, told, mapping, proxies):
        for number in (1, 2):
            evaluate_attack_dataset(told, proxies, **mapping)
            assert list_evaluations(told)[-1].evaluation == f"eval{number}"
        with pytest.raises(RunError, match="'eval1' is there already"):
            evaluate_attack_dataset(told, proxies, **mapping, evaluation="eval1")
        with pytest.raises(RunError, match="evaluation name 'a b' cannot name a field"):
            evaluate_attack_dataset(told, proxies, **mapping, evaluation="a b")
        told.set_values("dp2vl_attack_mine_truth", ["x"] * 12)
        with pytest.raises(RunError, match="'dp2vl_attack_mine_truth' exists on the dataset"):
            evaluate_attack_dataset(told, proxies, **mapping, evaluation="mine")

    def test_cancelling_leaves_no_record_and_the_next_call_goes_on(
        self, protected, mapping, proxies, tmp_path
    ):
        cells = tmp_path / "cells"
        steps: list[Any] = []

        def stop() -> bool:
            return any(step.done >= 100 for step in steps)

        with pytest.raises(Cancelled):
            evaluate_attack_dataset(
                protected,
                proxies,
                **mapping,
                run="one",
                cache=str(cells),
                progress=steps.append,
                cancel=stop,
            )
        assert list_evaluations(protected) == []
        assert not [name for name in protected.get_field_schema() if "attack" in name]
        finished = {path: path.stat().st_mtime_ns for path in cells.rglob("*.json")}
        assert finished
        resumed = evaluate_attack_dataset(
            protected, proxies, **mapping, run="one", cache=str(cells)
        )
        assert {path: path.stat().st_mtime_ns for path in finished} == finished
        fresh = evaluate_attack_dataset(
            protected, proxies, **mapping, run="one", cache=str(tmp_path / "other")
        )
        assert resumed.rows == fresh.rows

    def test_what_an_interruption_left_is_replaced(self, told, mapping, proxies, monkeypatch):
        from fiftyone_dp2vl.store import attack

        def fail(*args: Any) -> None:
            told.set_values("dp2vl_attack_a_truth", ["half"] * 12)
            raise OSError("the disk is full")

        with monkeypatch.context() as broken:
            broken.setattr(attack, "store_predictions", fail)
            with pytest.raises(OSError, match="disk is full"):
                evaluate_attack_dataset(told, proxies, **mapping, evaluation="a")
        assert load_evaluation(told, "a").state == "writing"
        evaluate_attack_dataset(told, proxies, **mapping, evaluation="a")
        assert load_evaluation(told, "a").state == "complete"
        assert len(told.exists("dp2vl_attack_a_truth")) == 3

    def test_a_lost_report_is_one_sentence(self, told, mapping, proxies):
        evaluate_attack_dataset(told, proxies, **mapping, evaluation="a")
        load_evaluation(told, "a").report.unlink()
        with pytest.raises(CardError, match="is missing"):
            load_report(told, "a")

    def test_scenarios_without_a_choice_are_said_not_to_be_tested(self, told, mapping, proxies):
        told.set_values("affiliation", ["a dog" if s == "pet" else a for s, a in _pairs(told)])
        report = evaluate_attack_dataset(told, proxies, **mapping)
        assert "Scenarios with one phrase only allow no choice: pet." in report.not_tested

    def test_a_vision_language_model_attacks(self, protected, mapping, tiny_llava):
        recipe = {"epochs": 2, "learning_rate": 1e-2, "lora_rank": 4, "precision": "fp32"}
        config = AttackConfig(attackers=(tiny_llava,), proxies=(), finetune=recipe)
        report = evaluate_attack_dataset(
            protected, config, **mapping, run="one", evaluation="vlm", device="cpu"
        )
        arms = {"none", "clean", "random signs", "jpeg", "protected"}
        assert {arm.name for arm in report.arms} == arms
        confidence = protected.values("dp2vl_attack_vlm_protected.confidence")
        assert sum(value is not None for value in confidence) == 3
        assert all(0 <= value <= 1 for value in confidence if value is not None)
