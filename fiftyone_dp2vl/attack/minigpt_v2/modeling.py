"""MiniGPT-v2: four neighbouring patch tokens joined, one linear projection, Llama-2 chat.

Built from the published architecture (arXiv 2310.09478). The modules have the names of the
published checkpoints, so that those load without a table of names.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from transformers import AutoModelForCausalLM, PreTrainedModel

from .configuration import MiniGPTv2Config
from .vision import EvaVisionModel

__all__ = ["MiniGPTv2ForConditionalGeneration"]


class MiniGPTv2ForConditionalGeneration(PreTrainedModel):  # type: ignore[misc]
    """The whole model.

    Args:
        config: its sizes
    """

    config_class = MiniGPTv2Config
    main_input_name = "input_ids"
    supports_gradient_checkpointing = True
    _supports_sdpa = True
    _supports_flash_attn = True
    _no_split_modules = ["_Block", "LlamaDecoderLayer"]  # noqa: RUF012  (the library's convention)

    def __init__(self, config: MiniGPTv2Config) -> None:
        super().__init__(config)
        vision: Any = config.vision_config
        self.visual_encoder = EvaVisionModel(vision)
        self.ln_vision = nn.LayerNorm(vision.hidden_size)
        self.llama_proj = nn.Linear(
            vision.hidden_size * config.joined_tokens, config.text_config.hidden_size
        )
        self.llama_model: Any = AutoModelForCausalLM.from_config(config.text_config)
        self.post_init()

    def get_input_embeddings(self) -> Any:
        """Returns the language model's word embeddings."""
        return self.llama_model.get_input_embeddings()

    def set_input_embeddings(self, value: nn.Module) -> None:
        """Replaces the language model's word embeddings."""
        self.llama_model.set_input_embeddings(value)

    def get_output_embeddings(self) -> Any:
        """Returns the language model's head."""
        return self.llama_model.get_output_embeddings()

    def set_output_embeddings(self, value: nn.Module) -> None:
        """Replaces the language model's head."""
        self.llama_model.set_output_embeddings(value)

    def get_decoder(self) -> Any:
        """Returns the language model without its head."""
        return self.llama_model.get_decoder()

    def encode_images(self, pixel_values: Tensor) -> Tensor:
        """Returns what the projection is given.

        Shape:
            ``(B, 3, S, S)`` to ``(B, N / 4, 4 D)``; the class token is dropped.
        """
        tokens: Tensor = self.ln_vision(self.visual_encoder(pixel_values))[:, 1:]
        batch, count, width = tokens.shape
        joined = self.config.joined_tokens
        return tokens.reshape(batch, count // joined, width * joined)

    def get_image_features(self, pixel_values: Tensor) -> Tensor:
        """Returns the visual tokens of the language model, ``(B, N / 4, H)``."""
        features: Tensor = self.llama_proj(self.encode_images(pixel_values))
        return features

    def embed(
        self,
        input_ids: Tensor,
        pixel_values: Tensor | None = None,
        image_features: Tensor | None = None,
    ) -> Tensor:
        """Returns the language model's input: words, with the visual tokens in their places.

        Args:
            input_ids: (B, T)
            pixel_values: (B, 3, S, S), a photo for each row, or None
            image_features: what :meth:`encode_images` returned, instead of pixels

        Raises:
            ValueError: if the places are not as many as the visual tokens
        """
        places = input_ids == self.config.image_token_id
        words: Tensor = self.get_input_embeddings()(input_ids.masked_fill(places, 0))
        if pixel_values is None and image_features is None:
            return words
        if image_features is None:
            assert pixel_values is not None
            image_features = self.encode_images(pixel_values)
        visual = self.llama_proj(image_features.to(self.llama_proj.weight.dtype))
        if int(places.sum()) != visual.shape[0] * visual.shape[1]:
            raise ValueError(
                f"{int(places.sum())} places for visual tokens, "
                f"but {visual.shape[0] * visual.shape[1]} visual tokens"
            )
        return words.masked_scatter(places[..., None], visual.to(words.dtype))

    def forward(
        self,
        input_ids: Tensor | None = None,
        pixel_values: Tensor | None = None,
        attention_mask: Tensor | None = None,
        labels: Tensor | None = None,
        inputs_embeds: Tensor | None = None,
        image_features: Tensor | None = None,
        **kwargs: Any,
    ) -> Any:
        """Returns the language model's output; with ``labels`` also the loss.

        Args:
            input_ids: (B, T), with ``image_token_id`` where visual tokens go
            pixel_values: (B, 3, S, S)
            attention_mask: (B, T)
            labels: (B, T), -100 where nothing is learnt
            inputs_embeds: (B, T, H) instead of ``input_ids`` and the photo
            image_features: what :meth:`encode_images` returned, instead of pixels
            kwargs: passed to the language model
        """
        if inputs_embeds is None:
            assert input_ids is not None
            inputs_embeds = self.embed(input_ids, pixel_values, image_features)
        return self.llama_model(
            inputs_embeds=inputs_embeds, attention_mask=attention_mask, labels=labels, **kwargs
        )

    @torch.no_grad()
    def generate(
        self,
        input_ids: Tensor | None = None,
        pixel_values: Tensor | None = None,
        attention_mask: Tensor | None = None,
        inputs_embeds: Tensor | None = None,
        image_features: Tensor | None = None,
        **kwargs: Any,
    ) -> Any:
        """Returns the new tokens only, (B, N); for the arguments see :meth:`forward`."""
        if inputs_embeds is None:
            assert input_ids is not None
            inputs_embeds = self.embed(input_ids, pixel_values, image_features)
        return self.llama_model.generate(
            inputs_embeds=inputs_embeds, attention_mask=attention_mask, **kwargs
        )
