from __future__ import annotations

import pytest

from fiftyone_dp2vl.errors import ConfigError
from fiftyone_dp2vl.store.names import RunNames, check_run_name, clean_field, encoder_slugs
from fiftyone_dp2vl.store.settings import split_settings


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("embedded", "embedded"),
        ("open_clip:ViT-L-14-336/openai", "vit_l_14_336_openai"),
        ("hf:google/siglip2-so400m-patch14-384", "google_siglip2_so400m_patch14_384"),
        ("local:/models/mine", "mine"),
        ("hf:/models/mine?layer=-2", "mine_layer_2"),
        ("hf:~/models/Ünï", "n"),
    ],
)
def test_slugs_can_be_part_of_a_field(name: str, slug: str):
    assert encoder_slugs([name]) == {name: slug}
    assert f"dp2vl_{slug}_clean".isidentifier()


def test_slugs_of_like_named_encoders_differ():
    slugs = encoder_slugs(["local:/a/clip", "local:/b/clip", "hf:/c/clip"])
    assert list(slugs.values()) == ["clip", "clip_2", "clip_3"]


@pytest.mark.parametrize("run", ["", "1st", "two words", "a-b", "class", "x" * 41, "ü"])
def test_run_names_that_cannot_name_a_field_are_refused(run: str):
    with pytest.raises(ConfigError, match="run name"):
        check_run_name(run)


def test_two_runs_share_no_name():
    encoders = ["embedded", "open_clip:ViT-B-32/openai"]
    first, second = RunNames("a", encoders), RunNames("b", encoders)
    assert len(set(first.fields())) == len(first.fields())
    assert not set(first.fields()) & set(second.fields())
    keys = [key for n in (first, second) for e in encoders for key in n.brain_keys(e)]
    assert len(set(keys)) == 8
    assert not set(keys) & set(first.fields() + second.fields())
    assert clean_field("embedded") == "dp2vl_embedded_clean"


def test_flat_settings_reach_their_configuration():
    chosen = split_settings({"ratio": 0.5, "epsilon": "subtle", "format": "webp", "seed": 3})
    assert chosen.selection.ratio == 0.5
    assert chosen.protection.epsilon == 4
    assert chosen.output.format == "webp"
    assert chosen.protection.seed == chosen.selection.seed == 3
    with pytest.raises(ConfigError, match="unknown setting 'epsilom'"):
        split_settings({"epsilom": 8})
