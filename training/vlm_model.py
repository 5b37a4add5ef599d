"""A LLaVA-format model of an embedded encoder, a projector and a small language model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from transformers import (
    AutoConfig,
    AutoImageProcessor,
    CLIPVisionModel,
    LlamaConfig,
    LlavaConfig,
    LlavaForConditionalGeneration,
    LlavaProcessor,
    SiglipVisionModel,
)
from vlm_recipes import VlmRecipe
from vlm_words import TEMPLATE, build_tokenizer

_INIT = 0.04


def build(
    recipe: VlmRecipe, resume: Path | None = None
) -> tuple[LlavaForConditionalGeneration, LlavaProcessor]:
    """Builds the model, its encoder trained and all else untrained, and its processor.

    Args:
        recipe: what to build.
        resume: folder of a model of the same recipe to take all weights from, or None.
    """
    torch.manual_seed(recipe.seed)
    tokenizer = build_tokenizer()
    sizes = recipe.language
    text = LlamaConfig(
        hidden_size=sizes.width,
        intermediate_size=sizes.mlp,
        num_hidden_layers=sizes.depth,
        num_attention_heads=sizes.heads,
        num_key_value_heads=sizes.heads,
        vocab_size=len(tokenizer),
        max_position_embeddings=1024,
        initializer_range=_INIT,
        tie_word_embeddings=True,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    tower = _tower(recipe.encoder)
    config = LlavaConfig(
        vision_config=tower.config,
        text_config=text,
        image_token_id=tokenizer.convert_tokens_to_ids("<image>"),
        projector_hidden_act="gelu",
        vision_feature_layer=recipe.feature_layer,
        vision_feature_select_strategy=recipe.select,
        tie_word_embeddings=True,
    )
    config._attn_implementation = "eager"
    model = LlavaForConditionalGeneration._from_config(config, attn_implementation="eager")
    model.model.vision_tower.load_state_dict(tower.state_dict())
    model.model.vision_tower.requires_grad_(False)
    for layer in (
        model.model.multi_modal_projector.linear_1,
        model.model.multi_modal_projector.linear_2,
    ):
        torch.nn.init.xavier_uniform_(layer.weight)
        torch.nn.init.zeros_(layer.bias)
    if resume is not None:
        before = LlavaForConditionalGeneration.from_pretrained(resume, dtype=torch.float32)
        model.load_state_dict(before.state_dict())
    return model, processor(recipe, tokenizer, tower.config.patch_size)


def _tower(folder: Path) -> Any:
    kind = AutoConfig.from_pretrained(folder).model_type
    cls = CLIPVisionModel if kind == "clip" else SiglipVisionModel
    return cls.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager")


def processor(recipe: VlmRecipe, tokenizer: Any, patch: int) -> LlavaProcessor:
    """Builds the processor: the encoder's own image processor, our words, our template."""
    return LlavaProcessor(
        image_processor=AutoImageProcessor.from_pretrained(recipe.encoder),
        tokenizer=tokenizer,
        patch_size=patch,
        vision_feature_select_strategy=recipe.select,
        num_additional_image_tokens=1 if recipe.select == "default" else 0,
        chat_template=TEMPLATE,
    )


def save(model: LlavaForConditionalGeneration, words: LlavaProcessor, folder: Path) -> None:
    """Writes model and processor in transformers' format, weights in float16."""
    folder.mkdir(parents=True, exist_ok=True)
    half = LlavaForConditionalGeneration(model.config)
    half.load_state_dict(model.state_dict())
    half.half().save_pretrained(folder)
    words.save_pretrained(folder)
    for file in folder.iterdir():
        file.chmod(0o644)
