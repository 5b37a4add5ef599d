"""Configurations: validated, serialisable, compared in words."""

from __future__ import annotations

import dataclasses
import subprocess
import sys

import pytest

from fiftyone_dp2vl.config import OutputConfig, ProtectionConfig, SelectionConfig, parse_epsilon
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
    ],
)
def test_values_out_of_range_are_refused_with_a_sentence(settings):
    with pytest.raises(ConfigError) as caught:
        ProtectionConfig(**settings)
    assert len(str(caught.value)) > 20
    assert "\n" not in str(caught.value)


def test_unknown_settings_are_refused():
    with pytest.raises(ConfigError, match="unknown selection setting 'share'"):
        SelectionConfig.from_dict({"share": 0.5})


def test_the_configuration_needs_no_torch():
    code = "import sys, fiftyone_dp2vl.config; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
