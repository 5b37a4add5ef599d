"""Qwen-VL towers: packed patches as the processor writes them, tokens as the model uses them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

from fiftyone_dp2vl.encoders import Encoder, load_encoder
from fiftyone_dp2vl.errors import ConfigError

transformers = pytest.importorskip("transformers")

TEXT = {
    "hidden_size": 32,
    "intermediate_size": 32,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "num_key_value_heads": 2,
    "vocab_size": 64,
    "head_dim": 16,
    "rope_parameters": {"rope_type": "default", "mrope_section": [2, 3, 3], "rope_theta": 1e4},
}
VISION: dict[str, dict[str, Any]] = {
    "qwen2_vl": {"depth": 2, "embed_dim": 32, "hidden_size": 32, "num_heads": 2, "mlp_ratio": 2},
    "qwen2_5_vl": {
        "depth": 2,
        "hidden_size": 32,
        "out_hidden_size": 32,
        "num_heads": 2,
        "intermediate_size": 48,
        "window_size": 56,
        "fullatt_block_indexes": [1],
    },
    "qwen3_vl": {
        "depth": 3,
        "hidden_size": 32,
        "out_hidden_size": 32,
        "num_heads": 2,
        "intermediate_size": 48,
        "num_position_embeddings": 16,
        "patch_size": 16,
        "deepstack_visual_indexes": [0, 1],
    },
}
PREFIX = {"qwen2_vl": "Qwen2VL", "qwen2_5_vl": "Qwen2_5_VL", "qwen3_vl": "Qwen3VL"}


def build(family: str) -> tuple[Any, Any]:
    config_class = getattr(transformers, PREFIX[family] + "Config")
    config = config_class(text_config=TEXT, vision_config=VISION[family])
    model = getattr(transformers, PREFIX[family] + "ForConditionalGeneration")(config).eval()
    patch = config.vision_config.patch_size
    processor = transformers.Qwen2VLImageProcessor(
        patch_size=patch, min_pixels=4 * patch * patch * 4, max_pixels=4 * patch * patch * 16
    )
    return model, processor


def photos() -> list[torch.Tensor]:
    return [torch.randint(0, 256, (3, *size)).to(torch.uint8) for size in ((70, 120), (200, 90))]


@pytest.mark.parametrize("family", list(PREFIX))
def test_tokens_are_what_the_language_model_is_given(
    family: str, saved: Callable[..., str], check: Callable[[Encoder], None]
) -> None:
    model, processor = build(family)
    encoder = load_encoder(f"{family}:{saved(model, processor)}")
    check(encoder)
    given = photos()
    official = processor(given, return_tensors="pt")
    packed = encoder.preprocess([photo / 255 for photo in given])
    assert packed.grid.tolist() == official["image_grid_thw"].tolist()
    # White noise is the worst there is for rounding between the passes: 4 levels of 255.
    assert (packed.patches - official["pixel_values"]).abs().max() < 4 / 255 / 0.26

    features = encoder.encode(packed._replace(patches=official["pixel_values"]))
    with torch.no_grad():
        theirs = model.get_image_features(**official).pooler_output
    assert features.mask is not None
    for index, tokens in enumerate(theirs):
        count = len(tokens)
        assert int(features.mask[index].sum()) == count
        torch.testing.assert_close(features.tokens[index, :count], tokens, atol=1e-4, rtol=1e-4)
        torch.testing.assert_close(features.pooled[index], tokens.mean(dim=0), atol=1e-4, rtol=1e-4)
        assert (features.tokens[index, count:] == 0).all()


def test_qwen3_inner_layers_on_request(saved: Callable[..., str]) -> None:
    model, processor = build("qwen3_vl")
    encoder = load_encoder(f"qwen3_vl:{saved(model, processor)}?deepstack=true")
    official = processor(photos()[:1], return_tensors="pt")
    packed = encoder.preprocess([photos()[0] / 255])
    features = encoder.encode(packed._replace(patches=official["pixel_values"]))
    with torch.no_grad():
        out = model.get_image_features(**official)
    theirs = torch.cat([out.pooler_output[0], *(layer[0] for layer in out.deepstack_features)], -1)
    torch.testing.assert_close(features.tokens[0], theirs, atol=1e-4, rtol=1e-4)


def test_fewer_pixels_on_request(saved: Callable[..., str]) -> None:
    folder = saved(*build("qwen2_vl"))
    encoder = load_encoder(f"qwen2_vl:{folder}?max_pixels=3136")
    assert encoder.preprocess([torch.rand(3, 400, 400)]).grid.tolist() == [[1, 4, 4]]
    with pytest.raises(ConfigError, match="max_pixels is 'few'"):
        load_encoder(f"qwen2_vl:{folder}?max_pixels=few")


def test_the_prefix_must_be_the_models_own(saved: Callable[..., str]) -> None:
    folder = saved(*build("qwen2_vl"))
    with pytest.raises(ConfigError, match="is a 'qwen2_vl' model"):
        load_encoder(f"qwen3_vl:{folder}")
    assert load_encoder(f"local:{folder}").family == "qwen2_vl"
