"""Qwen2-VL, Qwen2.5-VL and Qwen3-VL at tiny size, in their own formats."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from fiftyone_dp2vl.attack.registry import load_attacker
from fiftyone_dp2vl.errors import ConfigError

transformers = pytest.importorskip("transformers")

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
SPECIAL = {
    "image_token_id": "<|image_pad|>",
    "video_token_id": "<|video_pad|>",
    "vision_start_token_id": "<|vision_start|>",
    "vision_end_token_id": "<|vision_end|>",
}
TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{% for c in m['content'] %}"
    "{% if c['type'] == 'image' %}<|vision_start|><|image_pad|><|vision_end|>"
    "{% else %}{{ c['text'] }}{% endif %}{% endfor %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


@pytest.fixture
def saved(byte_tokenizer: Callable[..., Any], tmp_path: Path) -> Callable[[str], str]:
    """Saves a tiny model of a family; returns its attacker's name."""

    def save(family: str) -> str:
        torch.manual_seed(0)
        tokenizer = byte_tokenizer(
            ["<|endoftext|>", "<|im_start|>", "<|im_end|>", *SPECIAL.values()],
            pad_token="<|endoftext|>",
            eos_token="<|im_end|>",
        )
        text = {
            "hidden_size": 32,
            "intermediate_size": 48,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "num_key_value_heads": 1,
            "head_dim": 16,
            "vocab_size": len(tokenizer),
            "bos_token_id": None,
            "eos_token_id": tokenizer.eos_token_id,
            "initializer_range": 0.2,
            "rope_parameters": {
                "rope_type": "default",
                "mrope_section": [2, 3, 3],
                "rope_theta": 1e4,
            },
        }
        config = getattr(transformers, f"{PREFIX[family]}Config")(
            text_config=text,
            vision_config={**VISION[family], "initializer_range": 0.2},
            **{name: tokenizer.convert_tokens_to_ids(token) for name, token in SPECIAL.items()},
        )
        model = getattr(transformers, f"{PREFIX[family]}ForConditionalGeneration")(config)
        patch = config.vision_config.patch_size
        pixels = {"min_pixels": 4 * (2 * patch) ** 2, "max_pixels": 9 * (2 * patch) ** 2}
        images = transformers.Qwen2VLImageProcessor(patch_size=patch, **pixels)
        if family == "qwen3_vl":
            videos = transformers.Qwen3VLVideoProcessor(patch_size=patch)
        else:
            videos = transformers.Qwen2VLVideoProcessor()
        name = {"qwen2_vl": "Qwen2VL", "qwen2_5_vl": "Qwen2_5_VL", "qwen3_vl": "Qwen3VL"}[family]
        processor = getattr(transformers, f"{name}Processor")(
            image_processor=images,
            tokenizer=tokenizer,
            video_processor=videos,
            chat_template=TEMPLATE,
        )
        folder = tmp_path / family
        model.eval().save_pretrained(folder)
        processor.save_pretrained(folder)
        return f"qwen_vl:{folder}"

    return save


@pytest.mark.parametrize("family", list(PREFIX))
def test_the_whole_attack(
    family: str, saved: Callable[[str], str], check_attacker: Callable[..., None]
) -> None:
    name = saved(family)
    check_attacker(lambda: load_attacker(name), projector="frozen")
    info = load_attacker(name).info
    assert info.family == "qwen_vl"
    assert info.extra["model_type"] == family


@pytest.mark.parametrize("family", list(PREFIX))
def test_positions_are_the_models_own(family: str, saved: Callable[[str], str]) -> None:
    from PIL import Image

    from fiftyone_dp2vl.attack.qwen_vl import rotary_positions

    attacker: Any = load_attacker(saved(family))
    picture = Image.new("RGB", (150, 60))
    made = attacker.processor(
        images=[picture], text=[attacker.prompt("Who is this?")], return_tensors="pt"
    )
    official = attacker.model.model.get_rope_index(**made)[0]
    ids = made["input_ids"]
    assert attacker.prompt_ids(picture, "Who is this?").ids == ids[0].tolist()
    grid = made["image_grid_thw"] // 2
    assert grid[0, 1] != grid[0, 2]
    mine = rotary_positions(
        torch.arange(ids.shape[1])[None],
        (ids == attacker.model.config.image_token_id).int().argmax(1),
        grid[:, 1],
        grid[:, 2],
    )
    assert torch.equal(mine, official)


@pytest.mark.parametrize(
    "trained", [{"projector": "full"}, {"projector": "lora", "tower": "lora"}, {"tower": "full"}]
)
def test_merger_and_tower_can_be_trained(
    trained: dict[str, str],
    saved: Callable[[str], str],
    lessons: Any,
    pictures: Any,
    asked: Any,
    request: pytest.FixtureRequest,
) -> None:
    attacker: Any = load_attacker(saved("qwen2_5_vl"))
    before = {name: value.clone() for name, value in attacker.model.state_dict().items()}
    scores = attacker.score_choices(asked, pictures)
    recipe = replace(attacker.defaults, epochs=1, learning_rate=1e-3, precision="fp32")
    recipe = replace(recipe, **{"projector": "frozen", "tower": "frozen", **trained})
    attacker.fine_tune(lessons, pictures, recipe)
    weights = dict(attacker.model.named_parameters())
    for part, prefix in (("projector", "visual.merger."), ("tower", "visual.blocks.")):
        wanted = trained.get(part, "frozen")
        adapted = any("lora_B" in n and prefix in n and bool(w.any()) for n, w in weights.items())
        assert adapted == (wanted == "lora")
        moved = any(
            prefix in n and n in weights and not torch.equal(weights[n], v)
            for n, v in before.items()
        )
        assert moved == (wanted == "full")
    after = attacker.score_choices(asked, pictures)
    assert not np.allclose(scores[0], after[0])
    attacker.reset()
    for name, value in attacker.model.state_dict().items():
        assert torch.equal(value, before[name]), name


def test_another_kind_of_model_is_named(tiny_llava: str) -> None:
    with pytest.raises(ConfigError, match="is a 'llava' model"):
        load_attacker(tiny_llava.replace("llava:", "qwen_vl:", 1))
