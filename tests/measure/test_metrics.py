"""The metrics on data whose answer is known."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from fiftyone_dp2vl import measure
from fiftyone_dp2vl.errors import ConfigError

PEOPLE = [f"p{i:02d}" for i in range(20)]


def people_features(spread: float, photos: int, seed: int, width: int = 64):
    """Photos around one random centre a person; the centres do not depend on ``seed``."""
    centres = np.random.default_rng(99).normal(size=(len(PEOPLE), width))
    noise = np.random.default_rng(seed).normal(size=(len(PEOPLE), photos, width))
    return (centres[:, None] + spread * noise).reshape(-1, width), np.repeat(PEOPLE, photos)


@pytest.mark.parametrize("name", sorted(measure.PROBES))
def test_probe_knows_separable_people(name):
    train, people = people_features(0.1, 6, 1)
    query, truth = people_features(0.1, 4, 2)
    result = measure.PROBES[name](train, people, torch.tensor(query), truth)
    assert result.accuracy == 1.0
    assert result.commonest_wrong == 0.0
    assert result.chance == 0.05


@pytest.mark.parametrize("name", sorted(measure.PROBES))
def test_probe_is_at_chance_on_features_without_identity(name):
    rng = np.random.default_rng(0)
    people, truth = np.repeat(PEOPLE, 6), np.repeat(PEOPLE, 50)
    result = measure.PROBES[name](
        rng.normal(size=(120, 32)), people, rng.normal(size=(1000, 32)), truth
    )
    assert abs(result.accuracy - 0.05) < 0.025


def test_probe_scale_of_a_feature_does_not_matter():
    train, people = people_features(2.0, 6, 1)
    query, truth = people_features(2.0, 4, 2)
    scale = np.logspace(-3, 3, train.shape[1])
    plain = measure.identity_probe(train, people, query, truth)
    scaled = measure.identity_probe(train * scale, people, query * scale, truth)
    assert (plain.answers == scaled.answers).mean() > 0.98


def test_probe_accuracy_weighs_people_equally():
    result = measure.ProbeResult(np.array(["a"] * 9 + ["b"]), np.array(["a"] * 9 + ["a"]), 2)
    assert result.accuracy == 0.5


def test_probe_refuses_a_stranger_and_a_mismatch():
    train, people = people_features(0.1, 2, 1)
    with pytest.raises(ConfigError, match="never shared"):
        measure.identity_probe(train, people, train[:1], ["somebody"])
    with pytest.raises(ConfigError, match="widths"):
        measure.identity_probe(train, people, train[:, :5], people)
    with pytest.raises(ConfigError, match="not finite"):
        measure.identity_probe(train * np.nan, people, train, people)


def test_commonest_wrong_share_counts_the_consistent_wrong_name():
    truth = ["a"] * 4 + ["b"] * 4
    answers = ["b", "b", "b", "a", "b", "a", "c", "d"]
    shares = measure.commonest_wrong_shares(truth, answers)
    assert shares == {"a": 0.75, "b": 0.25}
    assert measure.commonest_wrong_share(truth, answers) == 0.5


def test_inverted_attacker_reads_what_was_pushed_away():
    """Photos mirrored at everybody's mean: the own name is the least likely one."""
    train, people = people_features(0.1, 6, 1)
    query, truth = people_features(0.1, 4, 2)
    mirrored = 2 * train.mean(axis=0) - train
    for probe in (measure.identity_probe, measure.class_mean_probe):
        result = probe(mirrored, people, query, truth)
        assert result.accuracy == 0.0
        assert result.inverted_accuracy > 0.9
        assert probe(train, people, query, truth).inverted_accuracy == 0.0
    assert measure.knn_probe(train, people, query, truth).inverted_accuracy is None


def test_expected_commonest_share_by_hand():
    # 1 query, 20 people: 19 guesses in 20 are wrong and each is its own commonest
    assert abs(measure.expected_commonest_share(1, 20) - 0.95) < 0.02
    # 2 queries, 2 people: both wrong (share 1) 1/4, one wrong (1/2) 1/2
    assert abs(measure.expected_commonest_share(2, 2) - 0.5) < 0.03


def test_directional_consistency_of_a_common_shift_and_of_scatter():
    rng = np.random.default_rng(3)
    clean = rng.normal(size=(200, 128))
    assert measure.directional_consistency(clean, clean + rng.normal(size=128)) == pytest.approx(1)
    scattered = clean + rng.normal(size=clean.shape)
    assert abs(measure.directional_consistency(clean, scattered, leave_one_out=True)) < 0.02
    # the plain figure carries the bias of 1 / sqrt(N) that its docstring names
    plain = measure.directional_consistency(clean, scattered)
    assert plain == pytest.approx(1 / np.sqrt(200), rel=0.2)
    assert measure.directional_consistency(clean, clean) == 0.0


def test_paired_cosine_and_natural_range():
    clean, people = people_features(0.3, 5, 1)
    assert measure.paired_cosine(clean, 3 * clean) == pytest.approx(np.ones(len(clean)))
    assert measure.paired_cosine(clean, -clean) == pytest.approx(-np.ones(len(clean)))
    natural = measure.natural_cosine(clean, people)
    assert natural.pairs == 20 * 10
    assert 0.85 < natural.low < natural.median < natural.high < 1
    shuffled = measure.natural_cosine(clean, np.random.default_rng(0).permutation(people))
    assert shuffled.median < 0.3


def test_token_cosine_obeys_the_mask():
    clean = torch.randn(3, 4, 8, generator=torch.Generator().manual_seed(0))
    protected = clean.clone()
    protected[:, 2:] *= -1
    assert measure.token_cosine(clean, protected) == pytest.approx([0, 0, 0], abs=1e-6)
    mask = torch.tensor([[True, True, False, False]] * 3)
    assert measure.token_cosine(clean, protected, mask) == pytest.approx([1, 1, 1])


def test_centroid_shift_is_in_units_of_the_spread():
    rng = np.random.default_rng(0)
    clean = rng.normal(size=(500, 100))
    shift = np.full(100, 0.5)
    result = measure.centroid_shift(clean, clean + shift)
    assert result.distance == pytest.approx(5.0)
    assert result.relative == pytest.approx(0.5, rel=0.03)


def test_linear_separability_sees_a_shift_and_not_the_null():
    rng = np.random.default_rng(0)
    clean = rng.normal(size=(80, 200))
    shifted = clean + 0.1 * rng.normal(size=clean.shape) + np.eye(200)[0] * 6
    seen = measure.linear_separability(clean, shifted)
    assert seen.accuracy > 0.9
    assert seen.p_value == pytest.approx(1 / 501)
    p_values = [
        measure.linear_separability(
            rng.normal(size=(30, 50)), rng.normal(size=(30, 50)), permutations=99, seed=k
        ).p_value
        for k in range(40)
    ]
    # uniform under the null: 5 % fall below .05, and half below .5
    assert np.mean(np.array(p_values) <= 0.05) <= 0.2
    assert 0.25 < np.mean(np.array(p_values) <= 0.5) < 0.75


def test_linear_separability_never_parts_twins():
    # twins at the same place: a probe that saw a photo's twin would be wrong about it every
    # time, and one that mixed folds with labels would be right; grouped folds give a coin toss
    clean = np.random.default_rng(1).normal(size=(60, 30))
    same = measure.linear_separability(clean, clean.copy())
    assert same.accuracy == pytest.approx(0.5)
    assert same.p_value > 0.5


def test_mmd_under_the_null_and_under_a_shift():
    rng = np.random.default_rng(5)
    p_values, squares = [], []
    for k in range(60):
        null = mmd = measure.mmd_test(
            rng.normal(size=(25, 10)), rng.normal(size=(35, 10)), permutations=99, seed=k
        )
        p_values.append(null.p_value)
        squares.append(mmd.squared)
    assert np.mean(np.array(p_values) <= 0.05) <= 0.15
    assert 0.3 < np.mean(np.array(p_values) <= 0.5) < 0.7
    # unbiased: the mean is 0 within its own error
    assert abs(np.mean(squares)) < 3 * np.std(squares) / np.sqrt(len(squares))
    x = rng.normal(size=(40, 10))
    for paired in (False, True):
        moved = measure.mmd_test(x, rng.normal(size=(40, 10)) + 1, paired=paired)
        assert moved.squared > 0.05
        assert moved.p_value == pytest.approx(1 / 501)


def test_mmd_of_twins_holds_its_level():
    rng = np.random.default_rng(6)
    p_values = []
    for k in range(60):
        x = rng.normal(size=(30, 8))
        y = x + 0.2 * rng.normal(size=x.shape)
        # exchangeable twins: which of the two is called clean is a coin toss
        swap = rng.random(30) < 0.5
        x, y = np.where(swap[:, None], y, x), np.where(swap[:, None], x, y)
        p_values.append(measure.mmd_test(x, y, paired=True, permutations=99, seed=k).p_value)
    assert np.mean(np.array(p_values) <= 0.05) <= 0.15
    assert 0.3 < np.mean(np.array(p_values) <= 0.5) < 0.7


def test_silhouette_of_tight_and_of_mixed_people():
    features, people = people_features(0.1, 5, 1)
    assert measure.silhouette(features, people) > 0.9
    mixed = np.random.default_rng(0).permutation(people)
    assert measure.silhouette(features, mixed) < 0
