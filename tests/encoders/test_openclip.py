"""open_clip's towers, saved as open_clip saves them, against open_clip's own models."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from fiftyone_dp2vl.encoders import Encoder, load_encoder
from fiftyone_dp2vl.errors import ConfigError, ModelNotFoundError

open_clip = pytest.importorskip("open_clip")

TEXT = {"context_length": 8, "vocab_size": 64, "width": 16, "heads": 2, "layers": 1}
VIT = {"image_size": 32, "patch_size": 8, "width": 48, "head_width": 12, "layers": 3}


def timm_tower(name: str, **more: Any) -> dict[str, Any]:
    return {"timm_model_name": name, "timm_model_pretrained": False, "image_size": 64, **more}


TOWERS: dict[str, dict[str, Any]] = {
    "vit": {"vision_cfg": VIT},
    "quickgelu": {"vision_cfg": VIT, "quick_gelu": True},
    # bigG and g: another width of the inner layers
    "bigG": {"vision_cfg": {**VIT, "mlp_ratio": 4.9231}},
    "norm after an average": {
        "vision_cfg": {**VIT, "pool_type": "avg", "final_ln_after_pool": True, "no_ln_pre": True}
    },
    "coca": {
        "vision_cfg": {
            **VIT,
            "attentional_pool": True,
            "attn_pooler_queries": 5,
            "attn_pooler_heads": 4,
            "output_tokens": True,
        }
    },
    "resnet": {
        "vision_cfg": {"image_size": 64, "layers": [1, 1, 1, 1], "width": 8, "patch_size": None}
    },
    "siglip": {
        "vision_cfg": timm_tower("vit_tiny_patch16_siglip_tiny", timm_pool="map", timm_proj="none"),
    },
    "eva": {"vision_cfg": timm_tower("eva02_tiny", timm_pool="token", timm_proj="linear")},
    "convnext": {"vision_cfg": timm_tower("convnext_test", timm_pool="", timm_proj="linear")},
    "swin": {"vision_cfg": timm_tower("swin_tiny", timm_pool="avg", timm_proj="linear")},
}


@pytest.fixture(scope="module", autouse=True)
def tiny_timm_models() -> None:
    """Gives timm tiny models of the architectures that open_clip's large towers have."""
    from timm.models import register_model
    from timm.models.convnext import ConvNeXt
    from timm.models.eva import Eva
    from timm.models.swin_transformer import SwinTransformer
    from timm.models.vision_transformer import VisionTransformer

    sizes = {"img_size": 64, "patch_size": 16, "embed_dim": 48, "depth": 3, "num_heads": 4}
    kept = ("num_classes", "global_pool", "drop_rate", "drop_path_rate")

    def make(name: str, build: Callable[..., Any], **fixed: Any) -> None:
        def entry(pretrained: bool = False, **kwargs: Any) -> Any:
            model = build(**{**fixed, **{k: kwargs[k] for k in kept if k in kwargs}})
            model.default_cfg = {"pool_size": None if "conv" not in name else (2, 2)}
            return model

        entry.__name__ = name
        entry.__module__ = "timm.models.eva"
        register_model(entry)

    make("vit_tiny_patch16_siglip_tiny", VisionTransformer, class_token=False, **sizes)
    make(
        "eva02_tiny",
        Eva,
        use_rot_pos_emb=True,
        use_abs_pos_emb=True,
        swiglu_mlp=True,
        ref_feat_shape=(4, 4),
        **sizes,
    )
    make("convnext_test", ConvNeXt, depths=(1, 1, 1, 1), dims=(8, 16, 24, 32))
    make(
        "swin_tiny",
        SwinTransformer,
        img_size=64,
        embed_dim=12,
        depths=(1, 1),
        num_heads=(2, 4),
        window_size=4,
    )


def save(folder: Path, tower: str, **preprocessing: Any) -> tuple[Any, str]:
    """Builds the whole model through open_clip and writes what its push to the hub writes."""
    from safetensors.torch import save_file

    folder.mkdir()
    config = {"embed_dim": 24, "text_cfg": TEXT, **TOWERS[tower]}
    if tower == "coca":
        config["multimodal_cfg"] = {"width": 16, "heads": 2, "layers": 1, "dim_head": 8}
        config["custom_text"] = True
    settings = {"mean": [0.5] * 3, "std": [0.5] * 3, **preprocessing}
    stored = {"model_cfg": config, "preprocess_cfg": settings}
    (folder / "open_clip_config.json").write_text(json.dumps(stored))
    model = open_clip.create_model(f"local-dir:{folder}").eval()
    tensors = {n: t.contiguous().clone() for n, t in model.state_dict().items()}
    save_file(tensors, folder / "open_clip_model.safetensors")
    (folder / "README.md").write_text("---\ntags:\n- clip\nlicense: mit\n---\n# A model\n")
    return model, str(folder)


def before_pooling(model: Any, inputs: torch.Tensor) -> torch.Tensor:
    """Returns the tokens that the model's own pooling is given, caught on their way."""
    visual, seen = model.visual, []
    if hasattr(visual, "trunk"):
        features = visual.trunk.forward_features(inputs)
        if features.ndim == 3:
            return features[:, visual.trunk.num_prefix_tokens :]
        return (
            features.flatten(1, 2)
            if features.shape[1] == features.shape[2] == 8
            else (features.flatten(2).mT)
        )
    if hasattr(visual, "attnpool"):
        hook = visual.attnpool.register_forward_pre_hook(lambda m, args: seen.append(args[0]))
    elif visual.attn_pool is not None:
        hook = visual.attn_pool.register_forward_pre_hook(lambda m, args: seen.append(args[0]))
    else:
        visual.output_tokens = True
        return visual(inputs)[1]
    visual(inputs)
    hook.remove()
    return seen[0].flatten(2).mT if seen[0].ndim == 4 else seen[0][:, 1:]


@pytest.mark.parametrize("tower", list(TOWERS))
def test_tokens_are_what_the_tower_pools(
    tower: str, tmp_path: Path, check: Callable[[Encoder], None]
) -> None:
    model, folder = save(tmp_path / "model", tower)
    encoder = load_encoder(f"open_clip:{folder}")
    check(encoder)
    inputs = torch.randn(2, 3, *encoder.spec.size)  # type: ignore[misc]
    features = encoder.encode(inputs)
    with torch.no_grad():
        pooled = model.encode_image(inputs)
        pooled = pooled[0] if isinstance(pooled, tuple) else pooled
        tokens = before_pooling(model, inputs)
    torch.testing.assert_close(features.tokens, tokens, atol=1e-4, rtol=1e-4)
    if tower == "coca":  # CoCa's own function returns the embedding normalised
        pooled = pooled * features.pooled.norm(dim=-1, keepdim=True)
    torch.testing.assert_close(features.pooled, pooled, atol=1e-4, rtol=1e-4)
    assert encoder.info.license == "mit"
    assert not any("text" in name for name, _ in encoder.named_parameters())


@pytest.mark.parametrize(("tower", "layer"), [("vit", -2), ("vit", 1), ("eva", -2)])
def test_any_block_of_a_transformer(tower: str, layer: int, tmp_path: Path) -> None:
    model, folder = save(tmp_path / "model", tower)
    encoder = load_encoder(f"open_clip:{folder}?layer={layer}")
    inputs = torch.randn(2, 3, *encoder.spec.size)  # type: ignore[misc]
    index = 3 + 1 + layer if layer < 0 else layer
    seen: list[torch.Tensor] = []
    visual = model.visual
    blocks = visual.trunk.blocks if tower == "eva" else visual.transformer.resblocks
    hook = blocks[index - 1].register_forward_hook(lambda m, args, out: seen.append(out))
    with torch.no_grad():
        model.encode_image(inputs)
    hook.remove()
    features = encoder.encode(inputs)
    torch.testing.assert_close(features.tokens, seen[0][:, 1:], atol=1e-4, rtol=1e-4)
    with torch.no_grad():
        torch.testing.assert_close(
            features.pooled, model.encode_image(inputs), atol=1e-4, rtol=1e-4
        )


def test_an_architecture_by_name_with_a_file(tmp_path: Path) -> None:
    open_clip.add_model_config(_config_file(tmp_path))
    model = open_clip.create_model("tiny-of-the-test").eval()
    file = tmp_path / "weights.pt"
    torch.save({"state_dict": {f"module.{n}": t for n, t in model.state_dict().items()}}, file)
    encoder = load_encoder(f"open_clip:tiny-of-the-test/{file}")
    inputs = torch.randn(1, 3, 32, 32)
    with torch.no_grad():
        theirs = model.encode_image(inputs)
    torch.testing.assert_close(encoder.encode(inputs).pooled, theirs, atol=1e-4, rtol=1e-4)
    with pytest.raises(ConfigError, match="names no weights"):
        load_encoder("open_clip:tiny-of-the-test")
    with pytest.raises(ModelNotFoundError, match="is no file and no tag"):
        load_encoder("open_clip:tiny-of-the-test/laion9b")


def _config_file(folder: Path) -> Path:
    file = folder / "tiny-of-the-test.json"
    file.write_text(json.dumps({"embed_dim": 24, "text_cfg": TEXT, "vision_cfg": VIT}))
    return file


def test_the_models_preprocessing_is_read(tmp_path: Path) -> None:
    _, folder = save(tmp_path / "model", "vit", resize_mode="squash", interpolation="bilinear")
    spec = load_encoder(f"local:{folder}").spec
    assert (spec.mode, spec.interpolation, spec.mean) == ("squash", "bilinear", (0.5, 0.5, 0.5))


def test_a_known_tag_that_is_not_here_says_how_to_bring_it() -> None:
    with pytest.raises(ModelNotFoundError, match=r"hf download timm/vit_base_patch32_clip_224"):
        load_encoder("open_clip:ViT-B-32/openai", local_files_only=True)


def test_an_unknown_architecture_is_refused() -> None:
    with pytest.raises(ConfigError, match="no architecture 'ViT-XXL'"):
        load_encoder("open_clip:ViT-XXL")
