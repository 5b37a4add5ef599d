"""Other image-text-to-text models at tiny size, each with its own processor."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from fiftyone_dp2vl.attack.registry import load_attacker
from fiftyone_dp2vl.errors import ConfigError

transformers = pytest.importorskip("transformers")

TEXT: dict[str, Any] = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "head_dim": 16,
    "initializer_range": 0.3,
}
VISION: dict[str, Any] = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "image_size": 32,
    "patch_size": 8,
}
TURN = (
    "{{% for m in messages %}}{begin}{{{{ m['role'] }}}}\n{{% for c in m['content'] %}}"
    "{{% if c['type'] == 'image' %}}{image}{{% else %}}{{{{ c['text'] }}}}{{% endif %}}"
    "{{% endfor %}}{end}\n{{% endfor %}}{{% if add_generation_prompt %}}{begin}assistant\n"
    "{{% endif %}}"
)
Made = tuple[Any, Any]


def images(name: str, **settings: Any) -> Any:
    kind = getattr(transformers, f"{name}Pil", None) or getattr(transformers, name)
    return kind(**settings)


def idefics3(tokenizers: Callable[..., Any]) -> Made:
    """SmolVLM's first release has these classes; its later processor needs one more package."""
    tiles = [f"<row_{row}_col_{column}>" for row in (1, 2) for column in (1, 2)]
    image = ["<image>", "<fake_token_around_image>", "<global-img>", "<end_of_utterance>"]
    tokenizer = tokenizers(
        ["<pad>", "<s>", "</s>", *image, *tiles],
        pad_token="<pad>",
        bos_token="<s>",
        eos_token="</s>",
    )
    config = transformers.Idefics3Config(
        vision_config=VISION,
        text_config={"model_type": "llama", **TEXT, "vocab_size": len(tokenizer)},
        image_token_id=tokenizer.convert_tokens_to_ids("<image>"),
        scale_factor=2,
        pad_token_id=0,
    )
    sizes = {"size": {"longest_edge": 64}, "max_image_size": {"longest_edge": 32}}
    processor = transformers.Idefics3Processor(
        image_processor=images("Idefics3ImageProcessor", **sizes),
        tokenizer=tokenizer,
        image_seq_len=4,
        chat_template=TURN.format(begin="", image="<image>", end="<end_of_utterance>"),
    )
    return transformers.Idefics3ForConditionalGeneration(config), processor


def paligemma(tokenizers: Callable[..., Any]) -> Made:
    tokenizer = tokenizers(
        ["<pad>", "<bos>", "<eos>", "<image>"],
        pad_token="<pad>",
        bos_token="<bos>",
        eos_token="<eos>",
    )
    pictures = images("SiglipImageProcessor", size={"height": 32, "width": 32})
    pictures.image_seq_length = 16
    processor = transformers.PaliGemmaProcessor(image_processor=pictures, tokenizer=tokenizer)
    config = transformers.PaliGemmaConfig(
        vision_config={"model_type": "siglip_vision_model", **VISION},
        # Its processor adds more than a thousand tokens for places and segments.
        text_config={"model_type": "gemma", **TEXT, "vocab_size": len(tokenizer)},
        image_token_id=tokenizer.convert_tokens_to_ids("<image>"),
        projection_dim=32,
        pad_token_id=0,
    )
    return transformers.PaliGemmaForConditionalGeneration(config), processor


def gemma3(tokenizers: Callable[..., Any]) -> Made:
    named = {
        "boi_token": "<start_of_image>",
        "eoi_token": "<end_of_image>",
        "image_token": "<image_soft_token>",
    }
    tokenizer = tokenizers(
        ["<pad>", "<eos>", "<bos>", *named.values(), "<start_of_turn>", "<end_of_turn>"],
        pad_token="<pad>",
        bos_token="<bos>",
        eos_token="<eos>",
        extra_special_tokens=named,
    )
    template = TURN.format(begin="<start_of_turn>", image="<start_of_image>", end="<end_of_turn>")
    processor = transformers.Gemma3Processor(
        image_processor=images("Gemma3ImageProcessor", size={"height": 32, "width": 32}),
        tokenizer=tokenizer,
        image_seq_length=4,
        chat_template="{{ bos_token }}" + template,
    )
    config = transformers.Gemma3Config(
        vision_config=VISION,
        text_config={**TEXT, "vocab_size": len(tokenizer), "sliding_window": 64},
        mm_tokens_per_image=4,
        boi_token_index=tokenizer.boi_token_id,
        eoi_token_index=tokenizer.eoi_token_id,
        image_token_index=tokenizer.image_token_id,
    )
    return transformers.Gemma3ForConditionalGeneration(config), processor


def internvl(tokenizers: Callable[..., Any]) -> Made:
    named = {
        "start_image_token": "<img>",
        "end_image_token": "</img>",
        "context_image_token": "<IMG_CONTEXT>",
        "video_token": "<video>",
    }
    tokenizer = tokenizers(
        ["<pad>", "<|im_start|>", "<|im_end|>", *named.values()],
        pad_token="<pad>",
        eos_token="<|im_end|>",
        extra_special_tokens=named,
    )
    side = {"height": 32, "width": 32}
    processor = transformers.InternVLProcessor(
        image_processor=images(
            "GotOcr2ImageProcessor", size=side, max_patches=2, crop_to_patches=True
        ),
        tokenizer=tokenizer,
        video_processor=transformers.InternVLVideoProcessor(size=side),
        image_seq_length=4,
        chat_template=TURN.format(begin="<|im_start|>", image="<IMG_CONTEXT>\n", end="<|im_end|>"),
    )
    config = transformers.InternVLConfig(
        vision_config={**VISION, "image_size": [32, 32], "patch_size": [8, 8]},
        text_config={"model_type": "qwen2", **TEXT, "vocab_size": len(tokenizer)},
        image_token_id=tokenizer.convert_tokens_to_ids("<IMG_CONTEXT>"),
        image_seq_length=4,
    )
    return transformers.InternVLForConditionalGeneration(config), processor


MAKERS = {"idefics3": idefics3, "paligemma": paligemma, "gemma3": gemma3, "internvl": internvl}


@pytest.fixture
def saved(byte_tokenizer: Callable[..., Any], tmp_path: Path) -> Callable[[str], str]:
    """Saves a tiny model of a family; returns its attacker's name."""

    def save(family: str) -> str:
        torch.manual_seed(0)
        model, processor = MAKERS[family](byte_tokenizer)
        folder = tmp_path / family
        model.eval().save_pretrained(folder)
        processor.save_pretrained(folder)
        return f"auto:{folder}"

    return save


@pytest.mark.parametrize("family", list(MAKERS))
def test_the_whole_attack(
    family: str, saved: Callable[[str], str], check_attacker: Callable[..., None]
) -> None:
    name = saved(family)
    check_attacker(lambda: load_attacker(name))
    attacker: Any = load_attacker(name)
    assert attacker.info.extra["model_type"] == family
    weights = dict(attacker.model.named_parameters())
    parts = attacker.info.extra["parts"]
    whole = {n for n in weights if n.startswith(tuple(f"{p}." for p in parts.values()))}
    assert set(weights) - whole <= {"lm_head.weight"}


def test_a_family_with_its_own_prefix_is_sent_there(tiny_llava: str) -> None:
    with pytest.raises(ConfigError, match="name it with llava: instead"):
        load_attacker(tiny_llava.replace("llava:", "auto:", 1))


def test_a_model_without_a_tower_is_refused() -> None:
    from fiftyone_dp2vl.attack.auto import find_parts

    config = transformers.FuyuConfig(
        vocab_size=64,
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=1,
        num_attention_heads=2,
        patch_size=8,
        text_config={
            "model_type": "persimmon",
            "vocab_size": 64,
            "hidden_size": 32,
            "intermediate_size": 48,
            "num_hidden_layers": 1,
            "num_attention_heads": 2,
        },
    )
    with pytest.raises(ConfigError, match="vision tower of FuyuForCausalLM cannot be told"):
        find_parts(transformers.FuyuForCausalLM(config))


def test_a_missing_chat_template_is_said(saved: Callable[[str], str]) -> None:
    name = saved("gemma3")
    Path(name.partition(":")[2], "chat_template.jinja").unlink()
    with pytest.raises(ConfigError, match="without a chat template"):
        load_attacker(name)
