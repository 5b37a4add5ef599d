"""Proxies: their names, features of one's own, and the map back from protected features."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fiftyone_dp2vl.attack import AttackAlbum, proxies
from fiftyone_dp2vl.attack.evaluate import evaluate_attack
from fiftyone_dp2vl.attack.proxies import (
    KINDS,
    feature_map,
    list_features,
    nearest_cosines,
    parse_proxy,
    register_features,
    told_facts,
)
from fiftyone_dp2vl.attack.proxy_cell import FeatureBox
from fiftyone_dp2vl.attack.settings import AttackConfig
from fiftyone_dp2vl.errors import ConfigError


@pytest.fixture
def own_features(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets a test register features that no other test sees."""
    monkeypatch.setattr(proxies, "_registered", {})


def mean_colour(paths: Sequence[Path]) -> np.ndarray:
    return np.stack([np.asarray(Image.open(p).convert("RGB")).mean(axis=(0, 1)) for p in paths])


def test_names_are_read() -> None:
    proxy = parse_proxy("proxy:knn@hf:some/model?layer=-2")
    assert (proxy.kind, proxy.features, proxy.tokens) == ("knn", "hf:some/model?layer=-2", False)
    assert parse_proxy("proxy:linear-tokens@embedded").tokens
    for name in ("proxy:knn", "proxy:svm@embedded", "knn@embedded", "proxy:knn@", "embedded"):
        with pytest.raises(ConfigError, match="proxy:KIND@ENCODER"):
            parse_proxy(name)


@pytest.mark.usefixtures("own_features")
def test_features_of_ones_own() -> None:
    register_features("colour", mean_colour, description="mean colour", face=True)
    assert list_features() == {"colour": "mean colour"}
    proxy = parse_proxy("proxy:knn@colour")
    assert proxy.face
    assert proxy.facts()["vision"] == "mean colour"
    with pytest.raises(ConfigError, match="already"):
        register_features("colour", mean_colour)
    with pytest.raises(ConfigError, match="cannot name"):
        register_features("a@b", mean_colour)
    with pytest.raises(ConfigError, match="no tokens"):
        parse_proxy("proxy:knn-tokens@colour")


@pytest.mark.usefixtures("own_features")
def test_a_filled_slot_attacks_and_is_told(album: AttackAlbum, tmp_path: Path) -> None:
    register_features("colour", mean_colour, face=True)
    names = tuple(f"proxy:{kind}@colour" for kind in KINDS)
    config = AttackConfig(attackers=(), proxies=names, setting="both")
    report = evaluate_attack(album, config, cache=tmp_path / "cache")
    assert list(report.attackers) == list(names)
    for name in names:
        rows = report.select(figure="accuracy", attacker=name, arm="clean", ask="identity")
        assert [row.value for row in rows] == [1.0, 1.0]
    assert any(sentence.startswith("A9") for sentence in report.tested)
    assert not any(sentence.startswith("A9") for sentence in report.not_tested)
    assert any("No vision-language model" in sentence for sentence in report.not_tested)
    assert [arm.name for arm in report.arms] == ["clean", "random signs", "jpeg"]
    assert report.protection == {}


def test_features_are_computed_once(tiny_encoder: str, album: AttackAlbum) -> None:
    proxy = parse_proxy(f"proxy:linear@{tiny_encoder}")
    paths = [photo.path for photo in album.photos]
    box = FeatureBox()
    first = box(proxy, paths)
    twice = box(proxy, [paths[2], paths[0], paths[2]])
    np.testing.assert_array_equal(twice, first[[2, 0, 2]])
    tokens = box(parse_proxy(f"proxy:linear-tokens@{tiny_encoder}"), paths)
    assert tokens.shape[1] != first.shape[1]
    assert proxy.facts()["weights_sha256"]


def test_a_linear_change_of_features_is_learned_back() -> None:
    rng = np.random.default_rng(0)
    before = rng.normal(size=(60, 10))
    turn = np.linalg.qr(rng.normal(size=(10, 10)))[0]
    after = before @ turn + 3
    undo = feature_map(before[:50], after[:50], strength=1e-6)
    np.testing.assert_allclose(undo(after[50:]), before[50:], atol=1e-3)
    # told nothing but that photos moved together, it only moves them back together
    stiff = feature_map(before[:50], after[:50], strength=1e9)
    moved = stiff(after[50:]) - after[50:]
    np.testing.assert_allclose(moved, np.broadcast_to(moved[0], moved.shape), atol=1e-6)


def test_nearest_cosines_tell_strangers() -> None:
    train = np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, -1.0]])
    near = nearest_cosines(train, np.array([[2.0, 0.1], [1.0, -1.0]]))
    assert near[0] > 0.99
    assert near[1] < 0.75


def test_only_told_facts_are_known() -> None:
    facts = {"Ada": {"pet": "a dog"}}
    assert told_facts(facts, "Ada", "pet", {("Ada", "pet")}) == "a dog"
    assert told_facts(facts, "Ada", "pet", set()) == ""
    assert told_facts(facts, "Bob", "pet", {("Bob", "pet")}) == ""
