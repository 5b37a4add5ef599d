"""LLaVA-format checkpoints: our tokens are what the model's own projector is given."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

from fiftyone_dp2vl.encoders import Encoder, load_encoder
from fiftyone_dp2vl.errors import ConfigError

transformers = pytest.importorskip("transformers")

VISION = {
    "hidden_size": 48,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "intermediate_size": 64,
    "image_size": 32,
    "patch_size": 8,
}


def build(layer: int | list[int], strategy: str, tower: str) -> Any:
    vision_class = {
        "clip": transformers.CLIPVisionConfig,
        "siglip": transformers.SiglipVisionConfig,
    }
    config = transformers.LlavaConfig(
        vision_config=vision_class[tower](**VISION),
        text_config=transformers.LlamaConfig(
            hidden_size=32,
            intermediate_size=32,
            num_hidden_layers=1,
            num_attention_heads=2,
            num_key_value_heads=2,
            vocab_size=64,
        ),
        vision_feature_layer=layer,
        vision_feature_select_strategy=strategy,
        image_token_id=63,
    )
    return transformers.LlavaForConditionalGeneration(config).eval()


def given_to_projector(model: Any, inputs: torch.Tensor) -> torch.Tensor:
    seen: list[torch.Tensor] = []
    hook = model.model.multi_modal_projector.register_forward_pre_hook(
        lambda module, args: seen.append(args[0])
    )
    model.get_image_features(
        pixel_values=inputs,
        vision_feature_layer=model.config.vision_feature_layer,
        vision_feature_select_strategy=model.config.vision_feature_select_strategy,
    )
    hook.remove()
    return seen[0]


@pytest.mark.parametrize(
    ("layer", "strategy", "tower", "blocks"),
    [
        (-2, "default", "clip", 3),
        (-1, "full", "clip", 4),
        (1, "default", "clip", 1),
        ([-4, -2], "default", "clip", 3),
        (-2, "full", "siglip", 3),
        (-1, "default", "siglip", 4),
    ],
)
def test_tokens_are_what_the_projector_is_given(
    layer: int | list[int],
    strategy: str,
    tower: str,
    blocks: int,
    saved: Callable[..., str],
    check: Callable[[Encoder], None],
) -> None:
    model = build(layer, strategy, tower)
    encoder = load_encoder("llava:" + saved(model))
    check(encoder)
    inputs = torch.randn(2, 3, 32, 32)
    features = encoder.encode(inputs)
    theirs = given_to_projector(model, inputs)
    torch.testing.assert_close(features.tokens, theirs, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(features.pooled, theirs.mean(dim=1), atol=1e-4, rtol=1e-4)
    assert len(encoder.tower.encoder.layers) == blocks  # what nothing reads is dropped
    assert encoder.info.family == "llava"


def test_the_checkpoints_own_border_is_obeyed(saved: Callable[..., str]) -> None:
    processor = transformers.LlavaImageProcessor(
        do_pad=True, size={"height": 32, "width": 32}, do_center_crop=False
    )
    encoder = load_encoder("llava:" + saved(build(-2, "default", "clip"), processor))
    assert encoder.spec.mode == "pad"
    assert encoder.spec.pad_value == (122 / 255, 116 / 255, 104 / 255)


def test_the_border_can_be_asked_for(saved: Callable[..., str]) -> None:
    folder = saved(build(-2, "default", "clip"), transformers.CLIPImageProcessor(crop_size=32))
    assert load_encoder(f"llava:{folder}").spec.mode == "crop"
    assert load_encoder(f"llava:{folder}?mode=pad").spec.mode == "pad"
    with pytest.raises(ConfigError, match="mode is 'stretch'"):
        load_encoder(f"llava:{folder}?mode=stretch")


def test_names_of_older_checkpoints(saved: Callable[..., str]) -> None:
    from safetensors.torch import load_file, save_file

    folder = saved(build(-2, "default", "clip"))
    path = f"{folder}/model.safetensors"
    before = load_encoder(f"llava:{folder}").info.weights_sha256
    tensors = {}
    for name, value in load_file(path).items():
        stem = name.removeprefix("model.").removeprefix("vision_tower.")
        stem = stem.removeprefix("vision_model.")
        old = f"vision_tower.vision_model.{stem}" if "vision_tower" in name else name
        tensors[old] = value
    save_file(tensors, path)
    assert load_encoder(f"llava:{folder}/").info.weights_sha256 == before


def test_another_kind_is_refused(saved: Callable[..., str]) -> None:
    model = transformers.CLIPVisionModel(transformers.CLIPVisionConfig(**VISION))
    with pytest.raises(ConfigError, match="llava: reads LLaVA-format"):
        load_encoder("llava:" + saved(model))
