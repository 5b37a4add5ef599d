"""CLIP, SigLIP, SigLIP 2 and DINO as transformers saves them, against its own models."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from fiftyone_dp2vl.encoders import Encoder, load_encoder
from fiftyone_dp2vl.errors import ConfigError, DP2VLError

transformers = pytest.importorskip("transformers")

TEXT = {
    "hidden_size": 16,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 16,
    "vocab_size": 64,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "pad_token_id": 0,
}
VISION = {
    "hidden_size": 48,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "intermediate_size": 64,
    "image_size": 32,
    "patch_size": 8,
}
Saved = Callable[..., str]
Check = Callable[[Encoder], None]


def close(ours: torch.Tensor, theirs: torch.Tensor) -> None:
    torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=1e-4)


@pytest.fixture
def clip() -> Any:
    config = transformers.CLIPConfig(text_config=TEXT, vision_config=VISION, projection_dim=24)
    return transformers.CLIPModel(config)


def test_clip_is_read_where_llava_reads_it(clip: Any, saved: Saved, check: Check) -> None:
    encoder = load_encoder("hf:" + saved(clip))
    check(encoder)
    inputs = torch.randn(2, 3, 32, 32)
    features = encoder.encode(inputs)
    close(
        features.tokens,
        clip.vision_model(inputs, output_hidden_states=True).hidden_states[-2][:, 1:],
    )
    close(features.pooled, clip.get_image_features(inputs).pooler_output)
    assert encoder.spec.mode == "crop"
    assert encoder.spec.size == (32, 32)


@pytest.mark.parametrize("layer", ["0", "1", "-1", "-3", "last"])
def test_any_layer_of_clip(clip: Any, saved: Saved, layer: str) -> None:
    encoder = load_encoder(f"hf:{saved(clip)}?layer={layer}")
    inputs = torch.randn(2, 3, 32, 32)
    states = clip.vision_model(inputs, output_hidden_states=True).hidden_states
    close(encoder.encode(inputs).tokens, states[-1 if layer == "last" else int(layer)][:, 1:])


def test_several_layers_are_concatenated(clip: Any, saved: Saved) -> None:
    encoder = load_encoder(f"hf:{saved(clip)}?layer=1,-2")
    inputs = torch.randn(2, 3, 32, 32)
    states = clip.vision_model(inputs, output_hidden_states=True).hidden_states
    close(encoder.encode(inputs).tokens, torch.cat([states[1], states[-2]], dim=-1)[:, 1:])


@pytest.mark.parametrize("kind", ["CLIPVisionModel", "CLIPVisionModelWithProjection"])
def test_clip_without_its_text_model(kind: str, saved: Saved, check: Check) -> None:
    model = getattr(transformers, kind)(transformers.CLIPVisionConfig(**VISION, projection_dim=24))
    encoder = load_encoder("hf:" + saved(model))
    check(encoder)
    inputs = torch.randn(2, 3, 32, 32)
    out = model(inputs)
    close(encoder.encode(inputs).pooled, out[0] if "Projection" in kind else out.pooler_output)


def test_clip_at_another_size_than_it_was_trained_at(clip: Any, saved: Saved) -> None:
    processor = transformers.CLIPImageProcessor(size={"shortest_edge": 48}, crop_size=48)
    encoder = load_encoder("hf:" + saved(clip, processor))
    inputs = encoder.preprocess([torch.rand(3, 60, 80)])
    assert inputs.shape == (1, 3, 48, 48)
    theirs = clip.get_image_features(inputs, interpolate_pos_encoding=True).pooler_output
    close(encoder.encode(inputs).pooled, theirs)


def test_siglip(saved: Saved, check: Check) -> None:
    config = transformers.SiglipConfig(text_config=TEXT, vision_config=VISION)
    model = transformers.SiglipModel(config)
    encoder = load_encoder("hf:" + saved(model))
    check(encoder)
    inputs = torch.randn(2, 3, 32, 32)
    features, theirs = encoder.encode(inputs), model.vision_model(inputs)
    close(features.tokens, theirs.last_hidden_state)
    close(features.pooled, theirs.pooler_output)
    assert encoder.spec.mode == "squash"


def test_siglip2_naflex(saved: Saved, check: Check) -> None:
    vision = {**VISION, "num_patches": 16}
    vision.pop("image_size")
    config = transformers.Siglip2Config(text_config=TEXT, vision_config=vision)
    model = transformers.Siglip2Model(config)
    processor = transformers.Siglip2ImageProcessor(patch_size=8, max_num_patches=20)
    encoder = load_encoder("hf:" + saved(model, processor))
    check(encoder)
    photos = [torch.randint(0, 256, (3, *size)) for size in ((50, 70), (40, 90))]
    official = processor([p.to(torch.uint8) for p in photos], return_tensors="pt")
    packed = encoder.preprocess([photo / 255 for photo in photos])
    assert packed.grid.tolist() == official["spatial_shapes"].tolist()
    theirs = model.vision_model(**official)
    features = encoder.encode(
        packed._replace(
            patches=official["pixel_values"], mask=official["pixel_attention_mask"].bool()
        )
    )
    close(features.tokens, theirs.last_hidden_state)
    close(features.pooled, theirs.pooler_output)
    assert (
        packed.patches - official["pixel_values"][:, : packed.patches.shape[1]]
    ).abs().max() < 0.05


def test_dinov2(saved: Saved, check: Check) -> None:
    model = transformers.Dinov2Model(
        transformers.Dinov2Config(
            hidden_size=48, num_hidden_layers=2, num_attention_heads=4, image_size=28, patch_size=14
        )
    )
    processor = transformers.BitImageProcessor(size={"shortest_edge": 64}, crop_size=56)
    encoder = load_encoder("hf:" + saved(model, processor))
    check(encoder)
    inputs = torch.randn(2, 3, 56, 56)
    features, theirs = encoder.encode(inputs), model(inputs)
    close(features.tokens, theirs.last_hidden_state[:, 1:])
    close(features.pooled, theirs.pooler_output)
    assert (encoder.spec.shortest, encoder.spec.size) == (64, (56, 56))


def test_dinov2_as_a_torch_file_and_with_a_weight_missing(saved: Saved) -> None:
    from safetensors.torch import load_file

    model = transformers.Dinov2Model(
        transformers.Dinov2Config(
            hidden_size=48, num_hidden_layers=2, num_attention_heads=4, image_size=28, patch_size=14
        )
    )
    folder = Path(saved(model))
    tensors = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    torch.save(tensors, folder / "pytorch_model.bin")
    encoder = load_encoder(f"hf:{folder}")
    inputs = torch.randn(1, 3, 224, 224)
    close(encoder.encode(inputs).pooled, model(inputs).pooler_output)
    tensors.pop("layernorm.weight")
    torch.save(tensors, folder / "pytorch_model.bin")
    with pytest.raises(DP2VLError, match=r"layernorm\.weight is missing"):
        load_encoder(f"hf:{folder}/")


def test_dinov3_leaves_out_register_tokens(saved: Saved, check: Check) -> None:
    model = transformers.DINOv3ViTModel(
        transformers.DINOv3ViTConfig(
            hidden_size=48,
            num_hidden_layers=2,
            num_attention_heads=4,
            intermediate_size=64,
            image_size=32,
            patch_size=8,
            num_register_tokens=4,
        )
    )
    encoder = load_encoder("hf:" + saved(model))
    check(encoder)
    inputs = torch.randn(2, 3, 32, 32)
    features, theirs = encoder.encode(inputs), model(inputs)
    close(features.tokens, theirs.last_hidden_state[:, 5:])
    close(features.pooled, theirs.pooler_output)


def test_flops_are_those_of_a_real_pass(clip: Any, saved: Saved) -> None:
    from torch.utils.flop_counter import FlopCounterMode

    encoder = load_encoder("hf:" + saved(clip))
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        encoder(torch.rand(1, 3, 32, 32))
    inputs = torch.rand(1, 3, 32, 32)
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        encoder.encode(inputs)
    assert encoder.info.flops == pytest.approx(counter.get_total_flops(), rel=0.01)
    assert next(encoder.parameters()).device.type == "cpu"


def test_encode_compiles_as_one_graph(clip: Any, saved: Saved) -> None:
    encoder = load_encoder("hf:" + saved(clip))
    compiled = torch.compile(encoder.encode, backend="eager", fullgraph=True)
    inputs = torch.randn(2, 3, 32, 32, requires_grad=True)
    close(compiled(inputs).tokens, encoder.encode(inputs).tokens)


def test_a_model_of_another_kind_is_refused(saved: Saved) -> None:
    model = transformers.ViTModel(
        transformers.ViTConfig(
            hidden_size=16,
            num_hidden_layers=1,
            num_attention_heads=2,
            intermediate_size=16,
            image_size=16,
            patch_size=8,
        )
    )
    with pytest.raises(ConfigError, match="'vit' model"):
        load_encoder("hf:" + saved(model))


def test_a_checkpoint_with_a_weight_missing_is_refused(clip: Any, saved: Saved) -> None:
    from safetensors.torch import load_file, save_file

    folder = saved(clip)
    tensors = load_file(f"{folder}/model.safetensors")
    tensors.pop("vision_model.post_layernorm.weight")
    save_file(tensors, f"{folder}/model.safetensors")
    with pytest.raises(DP2VLError, match=r"post_layernorm\.weight is missing"):
        load_encoder("hf:" + folder)
