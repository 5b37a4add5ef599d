"""Who is mistaken for whom, and where the aims lie."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
import torch

from fiftyone_dp2vl.config import ProtectionConfig
from fiftyone_dp2vl.errors import ConfigError
from fiftyone_dp2vl.protection import get_strategy, list_strategies, register_strategy, settled
from fiftyone_dp2vl.protection.clusters import k_means
from fiftyone_dp2vl.protection.strategies import Space, Weights


def space(people: int = 5, photos: int = 6, dim: int = 8) -> Space:
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(people), photos)
    centres = rng.normal(size=(people, dim)) * 4
    features = torch.from_numpy(centres[groups] + rng.normal(size=(len(groups), dim))).float()
    bank = torch.from_numpy(rng.normal(size=(20, dim)) + 10).float()
    return Space(features, groups, bank, np.zeros(len(groups), dtype=np.int64))


@pytest.mark.parametrize("name", ["mislead", "swap"])
def test_spread_strategies_plant_no_consistent_wrong_name(name):
    groups = np.repeat(np.arange(10), 6)
    aim = get_strategy(name).assign(groups, np.zeros(len(groups)), np.random.default_rng(0))
    assert not (aim == groups).any()
    for person in range(10):
        visitors = Counter(groups[aim == person].tolist())
        assert len(visitors) == 6
        assert max(visitors.values()) == 1


def test_the_consistent_strategies_are_a_derangement():
    groups = np.repeat(np.arange(10), 6)
    aim = get_strategy("mislead_one").assign(
        groups, np.zeros(len(groups)), np.random.default_rng(0)
    )
    assert all(len(set(aim[groups == person])) == 1 for person in range(10))
    assert sorted({int(a) for a in aim}) == list(range(10))
    assert not (aim == groups).any()


def test_nobody_lies_where_no_person_is():
    where = space()
    place = get_strategy("nobody").place(where, np.random.default_rng(0))
    lengths = (place.aims - place.centre).norm(dim=1)
    typical = (where.centres - where.mean).norm(dim=1).mean()
    assert torch.allclose(lengths, typical.expand_as(lengths), rtol=1e-4)
    assert len(place.aims) > 20


def test_a_photo_at_its_aim_has_no_loss_left():
    where, rng = space(), np.random.default_rng(0)
    for name in ("negation", "swap", "nobody"):
        strategy = get_strategy(name)
        groups = where.groups
        aim = torch.from_numpy(strategy.assign(groups, np.zeros(len(groups)), rng))
        place = strategy.place(where, rng)
        own = torch.from_numpy(groups)
        z0 = where.features[:, None]
        point = strategy.point(z0[:, 0], place, own, aim)
        weights = Weights(1, 1)
        assert strategy.loss(point[:, None], z0, place, own, aim, weights).abs().max() < 1e-5
        assert strategy.loss(z0, z0, place, own, aim, weights).max() > 0.1


def test_swap_keeps_what_is_not_the_person():
    where, rng = space(), np.random.default_rng(0)
    strategy = get_strategy("swap")
    aim = strategy.assign(where.groups, np.zeros(len(where.groups)), rng)
    place = strategy.place(where, rng)
    own = torch.from_numpy(where.groups)
    point = strategy.point(where.features, place, own, torch.from_numpy(aim))
    residual = where.features - where.centres[own]
    assert torch.allclose(point - where.centres[torch.from_numpy(aim)], residual, atol=1e-4)


class TestErase:
    """What is common and what is the photo's own are to vanish, neither more nor less."""

    @pytest.fixture(params=[30, 1], ids=["album", "one photo"])
    def loss(self, request):
        where, strategy = space(), get_strategy("erase")
        z0 = where.features[: request.param]
        where = Space(z0, where.groups[: len(z0)], where.bank, where.aim[: len(z0)])
        place = strategy.place(where, np.random.default_rng(0))
        own = torch.zeros(len(z0), dtype=torch.long)
        # by least squares, as the strategy does not
        spanned = torch.stack((z0 - place.centre, place.own.expand_as(z0)), dim=2).double()
        in_plane = spanned @ torch.linalg.pinv(spanned, rtol=1e-3)
        aim = place.aims[own].double()
        picture = aim - torch.einsum("bde,be->bd", in_plane, aim)
        size = picture.norm(dim=1, keepdim=True)
        photo = torch.nn.functional.normalize(spanned[:, :, 0], dim=1) * size
        common = torch.nn.functional.normalize(spanned[:, :, 1], dim=1) * size

        def measure(of_photo=0.0, of_all=0.0, missed=0.0):
            """At some rest of the photo's and the common part, and short of the picture."""
            z = place.centre + (1 - missed) * picture + of_photo * photo + of_all * common
            z = z.float()[:, None]
            return strategy.loss(z, z0[:, None], place, own, own, Weights(1, 1))

        return measure

    def test_nothing_is_left_at_its_point(self, loss):
        assert loss().abs().max() < 1e-5

    def test_too_far_costs_as_much_as_too_short_and_more_than_a_missed_picture(self, loss):
        for part in ("of_photo", "of_all"):
            assert torch.allclose(loss(**{part: 0.2}), loss(**{part: -0.2}), rtol=1e-3)
            assert torch.allclose(loss(**{part: 0.2}), 10 * loss(missed=0.2), rtol=1e-3)

    def test_pictures_belong_to_photos_and_are_many(self):
        strategy, rng = get_strategy("erase"), np.random.default_rng(0)
        draws = rng.random(500)
        aim = strategy.assign(np.zeros(500, dtype=np.int64), draws, rng)
        assert set(aim) == set(range(strategy.pictures))
        some = strategy.assign(np.arange(40), draws[100:140], rng)
        assert (some == aim[100:140]).all()


def test_dataset_level_strategies_have_one_aim():
    for name in ("centroid", "negated_centroid", "prototype"):
        strategy = get_strategy(name)
        assert strategy.dataset_level
        assert len(strategy.place(space(), np.random.default_rng(0)).aims) == 1


def test_k_means_finds_separate_clusters():
    points = torch.cat([torch.randn(20, 3) * 0.1 + c for c in (0.0, 5.0, -5.0)])
    _, rows = k_means(points, 3, np.random.default_rng(0))
    assert sorted(len(set(rows[i : i + 20])) for i in (0, 20, 40)) == [1, 1, 1]
    assert len(set(rows)) == 3


def test_auto_settles_on_what_it_does_to_a_run():
    auto, names = ProtectionConfig(), [f"person {i}" for i in range(10)]
    assert settled(auto, [*names, *names, None]).strategy == "swap"
    for few in ([], [None] * 20, names[:9] * 3):
        assert settled(auto, few).strategy == "erase"
    chosen = ProtectionConfig(strategy="repel")
    assert settled(chosen, names) == chosen


def test_names_are_taken_once_and_described():
    with pytest.raises(ConfigError, match="exists already"):
        register_strategy(type(get_strategy("swap")))
    assert all(len(text) > 20 for text in list_strategies().values())
