"""MiniGPT-v2's sizes, as the transformers library writes them down."""

from __future__ import annotations

from typing import Any

from transformers import AutoConfig, PretrainedConfig

__all__ = ["EvaVisionConfig", "MiniGPTv2Config"]


class EvaVisionConfig(PretrainedConfig):  # type: ignore[misc]
    """The vision tower: EVA-CLIP's ViT-g/14 without its last block.

    Args:
        hidden_size: width
        intermediate_size: width inside the perceptron; the published ratio is 4.3637
        num_hidden_layers: blocks that are used; the published tower has 40 and drops one
        num_attention_heads: heads
        image_size: side of the input in pixels
        patch_size: side of a patch in pixels
        layer_norm_eps: of the blocks' norms
    """

    model_type = "minigpt_v2_vision"
    base_config_key = "vision_config"

    def __init__(
        self,
        hidden_size: int = 1408,
        intermediate_size: int = 6144,
        num_hidden_layers: int = 39,
        num_attention_heads: int = 16,
        image_size: int = 448,
        patch_size: int = 14,
        layer_norm_eps: float = 1e-6,
        **kwargs: Any,
    ) -> None:
        self.hidden_size = hidden_size
        self.intermediate_size = intermediate_size
        self.num_hidden_layers = num_hidden_layers
        self.num_attention_heads = num_attention_heads
        self.image_size = image_size
        self.patch_size = patch_size
        self.layer_norm_eps = layer_norm_eps
        super().__init__(**kwargs)


class MiniGPTv2Config(PretrainedConfig):  # type: ignore[misc]
    """MiniGPT-v2 (arXiv 2310.09478): a tower, a linear projection and Llama-2 chat.

    Args:
        vision_config: of the tower, or its values; None for the published one
        text_config: of the language model, or its values; None for Llama-2 7B
        joined_tokens: neighbouring patch tokens that make one visual token
        image_token_id: the number that stands in ``input_ids`` where a visual token goes; None
            takes the first one after the vocabulary
    """

    model_type = "minigpt_v2"

    def __init__(
        self,
        vision_config: Any = None,
        text_config: Any = None,
        joined_tokens: int = 4,
        image_token_id: int | None = None,
        **kwargs: Any,
    ) -> None:
        if not isinstance(vision_config, EvaVisionConfig):
            vision_config = EvaVisionConfig(**(vision_config or {}))
        if not isinstance(text_config, PretrainedConfig):
            values = {"model_type": "llama", **(text_config or {})}
            text_config = AutoConfig.for_model(**values)
        self.vision_config = vision_config
        self.text_config = text_config
        self.joined_tokens = joined_tokens
        self.image_token_id = text_config.vocab_size if image_token_id is None else image_token_id
        kwargs.setdefault("tie_word_embeddings", bool(text_config.tie_word_embeddings))
        super().__init__(**kwargs)

    @property
    def image_tokens(self) -> int:
        """Visual tokens of a photo."""
        side = self.vision_config.image_size // self.vision_config.patch_size
        return int(side * side // self.joined_tokens)


MiniGPTv2Config.sub_configs = {"vision_config": EvaVisionConfig, "text_config": AutoConfig}
