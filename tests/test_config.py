"""Configurations: validated, serialisable, compared in words."""

from __future__ import annotations

import dataclasses
import subprocess
import sys

import numpy as np
import pytest

from fiftyone_dp2vl.config import (
    OutputConfig,
    ProtectionConfig,
    SelectionConfig,
    parse_epsilon,
    require_count,
)
from fiftyone_dp2vl.errors import ConfigError


@pytest.mark.parametrize("kind", [ProtectionConfig, SelectionConfig, OutputConfig])
def test_round_trip_keeps_the_fingerprint(kind):
    config = kind()
    again = kind.from_dict(config.to_dict())
    assert again == config
    assert again.fingerprint() == config.fingerprint()


def test_every_setting_changes_the_fingerprint():
    base = ProtectionConfig()
    other = {
        "encoders": ("embedded", "second"),
        "strategy": "mislead",
        "epsilon": 4,
        "optimizer": "adam",
        "transforms": (),
        "precision": "fp32",
        "crop_scale": 0.5,
        "crop_probability": 0.5,
        "momentum": 0.5,
        "grid_pixels": 4096,
    }
    for field in dataclasses.fields(ProtectionConfig):
        value = other.get(field.name, getattr(base, field.name))
        if field.name not in other:
            value = value + 1
        changed = dataclasses.replace(base, **{field.name: value})
        assert changed.fingerprint() != base.fingerprint(), field.name
        assert [line.split(":")[0] for line in base.difference(changed)] == [field.name]


@pytest.mark.parametrize(
    ("value", "expected"), [("subtle", 4), ("standard", 8), ("strong", 16), ("3.5", 3.5), (0, 0)]
)
def test_budgets_have_names(value, expected):
    assert parse_epsilon(value) == expected


@pytest.mark.parametrize("value", [8 / 255, "0.03", 0.99])
def test_a_budget_of_no_grey_level_is_taken_for_the_wrong_unit(value):
    with pytest.raises(ConfigError, match="units of 1/255, such as 8 and not 8/255"):
        ProtectionConfig(epsilon=value)


@pytest.mark.parametrize(
    "settings",
    [
        {"epsilon": -1},
        {"epsilon": "huge"},
        {"epsilon": float("nan")},
        {"steps": 0},
        {"encoders": ()},
        {"encoders": ("a", "a")},
        {"optimizer": "sgd"},
        {"crop_scale": 0},
        {"grid_pixels": 10_000_000},
        {"token_weight": 0, "pooled_weight": 0},
        {"precision": "fp8"},
        {"seed": -1},
        {"lanes": 0},
        {"momentum": 1},
        {"token_weight": 1e39},
        {"seed": 2**64},
        {"epsilon": True},
        {"epsilon": 10**400},
    ],
)
def test_values_out_of_range_are_refused_with_a_sentence(settings):
    with pytest.raises(ConfigError) as caught:
        ProtectionConfig(**settings)
    assert len(str(caught.value)) > 20
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("kind", "settings", "sentence"),
    [
        (ProtectionConfig, {"steps": "2"}, "steps is '2': give a whole number such as 60"),
        (ProtectionConfig, {"steps": 2.5}, "steps is 2.5: give a whole number such as 60"),
        (ProtectionConfig, {"steps": True}, "steps is True: give a whole number such as 60"),
        (ProtectionConfig, {"steps": None}, "steps is None: give a whole number such as 60"),
        (ProtectionConfig, {"lanes": "8"}, "lanes is '8': give a whole number such as 8"),
        (ProtectionConfig, {"seed": 1.5}, "seed is 1.5: give a whole number such as 0"),
        (ProtectionConfig, {"seed": np.array([1, 2])}, "seed is array([1, 2]): give a whole"),
        (ProtectionConfig, {"lanes": np.zeros((9, 9))}, "lanes is a ndarray: give a whole number"),
        (ProtectionConfig, {"token_weight": float("inf")}, "token_weight is inf: give a finite"),
        (ProtectionConfig, {"repel_weight": float("nan")}, "repel_weight is nan: give a finite"),
        (ProtectionConfig, {"step_size": 10**400}, "step_size is a int: give a finite number"),
        (ProtectionConfig, {"strategy": 3}, "strategy is 3: give a text such as 'auto'"),
        (ProtectionConfig, {"encoders": [3]}, "encoders is [3]: give a list of texts such as"),
        (ProtectionConfig, {"transforms": {}}, "transforms is {}: give a list of texts such as"),
        (SelectionConfig, {"ratio": "0.5"}, "ratio is '0.5': give a finite number such as 1.0"),
        (SelectionConfig, {"stratify": "no"}, "stratify is 'no': give True or False"),
        (OutputConfig, {"jpeg_quality": "9"}, "jpeg_quality is '9': give a whole number such as"),
        (OutputConfig, {"format": None}, "format is None: give a text such as 'png'"),
    ],
)
def test_values_of_another_type_are_refused_with_a_sentence(kind, settings, sentence):
    for make in (lambda: kind(**settings), lambda: kind.from_dict(settings)):
        with pytest.raises(ConfigError) as caught:
            make()
        assert str(caught.value).startswith(sentence)
        assert "\n" not in str(caught.value)


def test_one_name_stands_for_a_list_of_one():
    config = ProtectionConfig(encoders="embedded", transforms="jpeg:40-95@0.5")
    assert config == ProtectionConfig()
    assert config.fingerprint() == ProtectionConfig().fingerprint()
    assert ProtectionConfig(encoders=["a", "b"]).encoders == ("a", "b")


def test_scalars_of_numpy_and_of_json_are_taken_for_what_they_are():
    config = ProtectionConfig(
        steps=np.int64(20), seed=2.0, token_weight=np.float32(0.5), encoders=(np.str_("embedded"),)
    )
    plain = ProtectionConfig(steps=20, seed=2, token_weight=0.5)
    assert config == plain
    assert config.fingerprint() == plain.fingerprint()
    assert type(config.seed) is int
    assert SelectionConfig(stratify=np.bool_(True)).stratify is True


def test_fingerprints_stay_what_they_were():
    # written into journals, datasets and result cards
    assert ProtectionConfig().fingerprint() == "b409d243e56602c6"
    assert ProtectionConfig(step_size=2).fingerprint() == "bab998693e5fdad8"
    assert SelectionConfig(ratio=1).fingerprint() == "7d500fd3f86559ea"
    assert OutputConfig().fingerprint() == "019b3573431491f2"


@pytest.mark.parametrize("value", [0, -1, 1.5, "4", True, np.zeros(2)])
def test_what_counts_nothing_is_refused(value):
    with pytest.raises(ConfigError, match=r"workers is .*: give a whole number of at least 1"):
        require_count("workers", value)
    for good in (None, 1, np.int32(4)):
        require_count("workers", good)


def test_unknown_settings_are_refused():
    with pytest.raises(ConfigError, match="unknown selection setting 'share'"):
        SelectionConfig.from_dict({"share": 0.5})


def test_the_configuration_needs_no_torch():
    code = "import sys, fiftyone_dp2vl.config; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
