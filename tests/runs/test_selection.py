from __future__ import annotations

import itertools
import math
import random
from collections import Counter

import pytest
from hypothesis import given, settings, strategies as st

from fiftyone_dp2vl.config import SelectionConfig
from fiftyone_dp2vl.errors import ConfigError
from fiftyone_dp2vl.runs import select

KEYS = [f"{number:024x}" for number in range(1000)]


def test_a_tenth_is_part_of_a_fifth() -> None:
    shares = [
        set(select(KEYS, None, SelectionConfig(ratio=r))) for r in (0, 0.1, 0.2, 0.5, 0.51, 1)
    ]
    assert [len(share) for share in shares] == [0, 100, 200, 500, 510, 1000]
    for smaller, larger in itertools.pairwise(shares):
        assert smaller < larger


def test_seed_decides_and_order_does_not() -> None:
    first = select(KEYS, None, SelectionConfig(ratio=0.3, seed=1))
    shuffled = random.Random(0).sample(KEYS, len(KEYS))
    assert select(shuffled, None, SelectionConfig(ratio=0.3, seed=1)) == first == sorted(first)
    assert select(KEYS, None, SelectionConfig(ratio=0.3, seed=2)) != first


def test_every_person_is_covered() -> None:
    groups = [f"person{min(number, 990) // 10}" for number in range(1000)]
    config = SelectionConfig(ratio=0.01, stratify=True)
    found = dict(zip(KEYS, groups, strict=True))
    chosen = select(KEYS, groups, config)
    assert set(groups) == {found[key] for key in chosen}
    more = select(KEYS, groups, SelectionConfig(ratio=0.31, stratify=True))
    assert set(chosen) < set(more)
    assert set(Counter(found[key] for key in more).values()) == {4}


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.sampled_from("abcde"), min_size=1, max_size=40),
    st.floats(0, 1),
    st.floats(0, 1),
    st.integers(0, 5),
)
def test_nested_in_each_group(people: list[str], r1: float, r2: float, seed: int) -> None:
    low, high = sorted((r1, r2))
    keys = [f"k{number}" for number in range(len(people))]
    small = select(keys, people, SelectionConfig(ratio=low, stratify=True, seed=seed))
    large = select(keys, people, SelectionConfig(ratio=high, stratify=True, seed=seed))
    assert set(small) <= set(large)
    sizes = Counter(people)
    chosen = Counter(people[keys.index(key)] for key in large)
    assert all(chosen[name] == math.ceil(high * size - 1e-9) for name, size in sizes.items())


def test_refusals() -> None:
    with pytest.raises(ConfigError, match="comes twice"):
        select(["a", "b", "a"], None, SelectionConfig())
    with pytest.raises(ConfigError, match="needs groups"):
        select(["a"], [None], SelectionConfig(stratify=True))
