"""Intervals cover what they say, when people differ more than their photos do."""

from __future__ import annotations

import numpy as np
import pytest

from fiftyone_dp2vl.errors import ConfigError
from fiftyone_dp2vl.measure import bootstrap_interval, seed_interval


def simulate(rng, seeds=1, people=20, photos=6):
    """Answers right with a probability that is each person's own; the true mean is .5."""
    skill = rng.beta(1.0, 1.0, size=(seeds, people, 1))
    right = (rng.random((seeds, people, photos)) < skill).astype(float)
    who = np.broadcast_to(np.arange(seeds * people).reshape(seeds, people, 1), right.shape)
    run = np.broadcast_to(np.arange(seeds)[:, None, None], right.shape)
    return right.ravel(), who.ravel(), run.ravel()


@pytest.mark.parametrize("seeds", [1, 3])
def test_bootstrap_covers_the_truth(seeds):
    rng = np.random.default_rng(0)
    hits = 0
    for k in range(120):
        right, who, run = simulate(rng, seeds)
        low, high = bootstrap_interval(right, who, run, draws=300, seed=k)
        hits += low <= 0.5 <= high
    # 95 % nominal; three binomial standard errors of 120 trials are 6 points. With three seeds
    # the outer level is coarse, so a little less is allowed
    assert hits / 120 > (0.89 if seeds == 1 else 0.80)


def test_people_who_are_in_every_repetition_count_once():
    right, who, run = simulate(np.random.default_rng(3), people=10)
    once = bootstrap_interval(right, who, run)
    thrice = bootstrap_interval(np.tile(right, 3), np.tile(who, 3), np.repeat([0, 1, 2], len(who)))
    assert thrice.high - thrice.low == pytest.approx(once.high - once.low, rel=0.1)
    others = np.concatenate([who + 100 * k for k in range(3)])
    narrow = bootstrap_interval(np.tile(right, 3), others, np.repeat([0, 1, 2], len(who)))
    assert narrow.high - narrow.low < 0.8 * (once.high - once.low)
    wrong = bootstrap_interval(np.zeros(180), np.tile(who, 3), np.repeat([0, 1, 2], len(who)))
    assert wrong.high == pytest.approx(1 - 0.025 ** (1 / 10))


def test_resampling_photos_alone_would_not():
    """Guards the test above: treating photos as independent is visibly too narrow."""
    rng = np.random.default_rng(0)
    hits = 0
    for k in range(120):
        right, _, _ = simulate(rng, people=10, photos=20)
        low, high = bootstrap_interval(right, np.arange(len(right)), draws=200, seed=k)
        hits += low <= 0.5 <= high
    assert hits / 120 < 0.8


def test_unequal_people_and_photos():
    values = np.array([1.0, 1, 1, 1, 1, 1, 0, 1, 0])
    people = ["a"] * 6 + ["b"] + ["a", "c"]
    seeds = [0] * 7 + [1] * 2
    low, high = bootstrap_interval(values, people, seeds)
    assert 0 <= low < 0.5 < high <= 1


def test_all_right_is_not_certainty():
    low, high = bootstrap_interval(np.ones(120), np.repeat(np.arange(20), 6))
    assert high == 1.0
    assert low == pytest.approx(0.025 ** (1 / 20))
    low, high = bootstrap_interval(np.zeros(120), np.repeat(np.arange(20), 6))
    assert low == 0.0
    assert high == pytest.approx(1 - 0.025 ** (1 / 20))


def test_seeded():
    right, who, _ = simulate(np.random.default_rng(1))
    assert bootstrap_interval(right, who, seed=4) == bootstrap_interval(right, who, seed=4)
    assert bootstrap_interval(right, who, seed=4) != bootstrap_interval(right, who, seed=5)


def test_seed_interval_by_hand():
    low, high = seed_interval([1.0, 2.0, 3.0])
    assert (low + high) / 2 == pytest.approx(2.0)
    assert high - 2.0 == pytest.approx(4.3027 / np.sqrt(3), rel=1e-4)  # t of 2 degrees, 97.5 %
    with pytest.raises(ConfigError):
        seed_interval([1.0])


def test_refuses_missing_values():
    with pytest.raises(ConfigError):
        bootstrap_interval([1.0, float("nan")], ["a", "b"])
