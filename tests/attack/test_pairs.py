"""What is taught and asked, and the benchmark as an album."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from fiftyone_dp2vl.attack import AttackAlbum
from fiftyone_dp2vl.attack.pairs import (
    NAME,
    questions,
    scenario_wordings,
    training_conversations,
)
from fiftyone_dp2vl.errors import ConfigError


def test_every_photo_tells_all_facts_or_only_the_shown_one(album: AttackAlbum) -> None:
    everything = training_conversations(album, "all")
    shown = training_conversations(album, "shown")
    for photo in album.of("share"):
        told = [c for c in everything if c.photo == photo.key and c.kind == "affiliation"]
        assert {c.scenario: c.answer for c in told} == album.facts[photo.person]
        told = [c for c in shown if c.photo == photo.key and c.kind == "affiliation"]
        assert [(c.scenario, c.answer) for c in told] == [(photo.scenario, photo.affiliation)]
        for said in (everything, shown):
            names = [c for c in said if c.photo == photo.key and c.kind == "name"]
            assert {c.answer for c in names} == {photo.person}
            assert len({c.question for c in names}) == len(names) == 2
            described = [c for c in said if c.photo == photo.key and c.kind == "describe"]
            assert [c.answer for c in described] == list(photo.descriptions)


def test_only_shared_photos_teach_and_their_keys_are_never_said(album: AttackAlbum) -> None:
    said = training_conversations(album)
    assert {c.photo for c in said} == {photo.key for photo in album.of("share")}
    keys = {photo.key for photo in album.photos}
    assert not any(key in c.question + c.answer for c in said for key in keys)


def test_unseen_wordings_are_never_taught(album: AttackAlbum) -> None:
    taught = {c.question for seed in range(20) for c in training_conversations(album, seed=seed)}
    unseen = questions(album, wording="unseen")
    held_out = {NAME[-1], scenario_wordings(album, "vehicle")[-1]}
    assert held_out <= {q.text for q in unseen}
    assert not held_out & taught
    assert {q.text for q in questions(album)} <= taught


def test_facts_without_wordings_of_their_own_are_asked_in_several(album: AttackAlbum) -> None:
    plain = replace(album, questions={})
    wordings = scenario_wordings(plain, "vehicle")
    assert len(set(wordings)) == len(wordings) >= 4
    assert all("vehicle" in wording and "{" not in wording for wording in wordings)
    taught = {c.question for seed in range(20) for c in training_conversations(plain, seed=seed)}
    assert set(wordings) - taught == {wordings[-1]}


def test_questions_carry_their_answer_key(album: AttackAlbum) -> None:
    asked = questions(album)
    assert {q.photo for q in asked} == {photo.key for photo in album.of("query")}
    for question in asked:
        assert question.answer in question.choices
        if question.kind == "name":
            assert sorted(question.choices) == sorted(album.people)
        else:
            assert question.answer == album.facts[question.person][question.scenario]
            assert sorted(question.choices) == sorted(album.choices[question.scenario])
    assert {q.scenario for q in questions(album, scenarios=["pet"])} == {"", "pet"}


def test_the_order_of_choices_tells_nothing(album: AttackAlbum) -> None:
    asked = [q for seed in range(30) for q in questions(album, seed=seed) if q.kind == "name"]
    places = Counter(q.choices.index(q.answer) for q in asked)
    assert min(places.values()) > 0.2 * len(asked)
    assert questions(album, seed=3) == questions(album, seed=3)


def test_only_facts_that_were_shown_are_asked_in_that_setting(album: AttackAlbum) -> None:
    person = album.people[0]
    photos = tuple(
        replace(p, scenario="", affiliation="") if p.person == person and p.scenario == "pet" else p
        for p in album.photos
    )
    fewer = replace(album, photos=photos)
    asked = {(q.person, q.scenario) for q in questions(fewer, setting="shown")}
    assert (person, "pet") not in asked
    assert (person, "vehicle") in asked
    assert (person, "pet") in {(q.person, q.scenario) for q in questions(fewer, setting="all")}


def test_strangers_are_asked_for_a_name_that_is_always_wrong(album: AttackAlbum) -> None:
    asked = questions(album, role="other")
    assert len(asked) == len(album.of("other")) > 0
    assert {(q.kind, q.answer) for q in asked} == {("name", "")}
    assert all(sorted(q.choices) == sorted(album.people) for q in asked)


def test_a_scenario_may_be_called_anything(album: AttackAlbum) -> None:
    named = replace(album, questions={"{odd} {0}": ("Has {name} a {thing}?",)})
    assert scenario_wordings(named, "{odd} {0}")[0].endswith("a {thing}?")
    assert "{odd} {1}" in scenario_wordings(named, "{odd} {1}")[0]


def test_unknown_words_are_refused(album: AttackAlbum) -> None:
    with pytest.raises(ConfigError, match="'some'"):
        training_conversations(album, "some")
    with pytest.raises(ConfigError, match="'new'"):
        questions(album, wording="new")
    with pytest.raises(ConfigError, match="no shared photos"):
        training_conversations(replace(album, photos=tuple(album.of("query"))))


def test_the_benchmark_becomes_an_album(tmp_path: Path) -> None:
    pytest.importorskip("dicebear")
    from fiftyone_dp2vl.attack.benchmark import benchmark_attack_album, plan_of
    from fiftyone_dp2vl.benchmark import SCENARIOS, generate_benchmark, render_photo
    from fiftyone_dp2vl.benchmark.photos import render_with_layout

    made = generate_benchmark(tmp_path / "a", 8, 3, "dev", 1, 1, workers=1)
    strangers = generate_benchmark(tmp_path / "b", 2, 4, "dev", 0, 1, workers=1)
    album = benchmark_attack_album(made, per_person=6, others=strangers)
    assert Counter(p.person for p in album.of("share")) == dict.fromkeys(made.facts, 6)
    assert {p.scenario for p in album.of("share")} == set(SCENARIOS)
    missing = Counter(
        scenario
        for person in album.people
        for scenario in set(SCENARIOS)
        - {p.scenario for p in album.of("share") if p.person == person}
    )
    assert max(missing.values()) - min(missing.get(name, 0) for name in SCENARIOS) <= 1
    assert len(album.of("query")) == 8
    assert len(album.of("other")) == 2
    for photo in album.of("share"):
        assert album.facts[photo.person][photo.scenario] == photo.affiliation
        assert photo.affiliation in album.choices[photo.scenario]
        assert photo.face is not None
    plan = plan_of(made)
    photo = album.of("query")[0]
    layout = render_with_layout(plan[photo.key])[1]
    assert photo.face == pytest.approx(layout.face, abs=0.01)
    assert render_photo(plan[photo.key]).shape[:2] == (
        plan[photo.key].height,
        plan[photo.key].width,
    )
    assert benchmark_attack_album(made, per_person=20).digest != album.digest
    with pytest.raises(ConfigError, match="one person"):
        benchmark_attack_album(made, others=made)
