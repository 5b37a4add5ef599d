from __future__ import annotations

from itertools import combinations

import pytest

from fiftyone_dp2vl.benchmark.people import SPLITS, sample_identities, split_of


def distance(one: tuple[str, ...], other: tuple[str, ...]) -> int:
    return sum(a != b for a, b in zip(one, other, strict=True))


def test_same_seed_same_people() -> None:
    assert sample_identities(30, 7) == sample_identities(30, 7)
    assert sample_identities(30, 7) != sample_identities(30, 8)


def test_fewer_people_are_the_first_of_more() -> None:
    assert sample_identities(40, 7)[:15] == sample_identities(15, 7)


def test_any_two_people_of_any_split_differ_in_two_attributes() -> None:
    everybody = [p for split in SPLITS for p in sample_identities(150, 3, split)]
    assert min(distance(a.attributes, b.attributes) for a, b in combinations(everybody, 2)) >= 2


def test_no_training_person_is_met_again() -> None:
    training = {p.attributes for p in sample_identities(2400, 1, "train")}
    for split in ("train_heldout", "dev", "eval"):
        for seed in range(5):
            others = sample_identities(50, seed, split)
            assert not training & {p.attributes for p in others}
            assert all(split_of(p.attributes) == split for p in others)


def test_names_are_unique_and_do_not_depend_on_looks() -> None:
    people = sample_identities(400, 7)
    assert len({p.name for p in people}) == 400
    assert people[0].name != sample_identities(1, 8)[0].name


def test_excluded_looks_are_not_drawn() -> None:
    first = sample_identities(20, 7)
    again = sample_identities(20, 7, exclude={p.key for p in first})
    assert not {p.key for p in first} & {p.key for p in again}


def test_unknown_split_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown split"):
        sample_identities(1, 7, "test")
