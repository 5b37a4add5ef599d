"""EVA-CLIP's ViT-g/14 as MiniGPT-v2 reads it: no pooling, no final norm, the last block dropped."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import PreTrainedModel

from .configuration import EvaVisionConfig

__all__ = ["EvaVisionModel"]


class _Attention(nn.Module):
    """Attention whose keys have no bias: one matrix for all three, two biases."""

    def __init__(self, config: EvaVisionConfig) -> None:
        super().__init__()
        width = config.hidden_size
        self.heads = config.num_attention_heads
        self.qkv = nn.Linear(width, 3 * width, bias=False)
        self.q_bias = nn.Parameter(torch.zeros(width))
        self.v_bias = nn.Parameter(torch.zeros(width))
        self.proj = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        # Called as a module, so that adapters and 4-bit layers in its place are used.
        q, k, v = self.qkv(x).chunk(3, dim=-1)
        q, k, v = (
            part.unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for part in (q + self.q_bias, k, v + self.v_bias)
        )
        mixed = functional.scaled_dot_product_attention(q, k, v)
        out: Tensor = self.proj(mixed.transpose(1, 2).flatten(2))
        return out


class _Perceptron(nn.Module):
    def __init__(self, config: EvaVisionConfig) -> None:
        super().__init__()
        self.fc1 = nn.Linear(config.hidden_size, config.intermediate_size)
        self.fc2 = nn.Linear(config.intermediate_size, config.hidden_size)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.fc2(functional.gelu(self.fc1(x)))
        return out


class _Block(nn.Module):
    def __init__(self, config: EvaVisionConfig) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        self.attn = _Attention(config)
        self.norm2 = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        self.mlp = _Perceptron(config)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attn(self.norm1(x))
        out: Tensor = x + self.mlp(self.norm2(x))
        return out


class _PatchEmbedding(nn.Module):
    def __init__(self, config: EvaVisionConfig) -> None:
        super().__init__()
        patch = config.patch_size
        self.proj = nn.Conv2d(3, config.hidden_size, kernel_size=patch, stride=patch)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.proj(x).flatten(2).transpose(1, 2)
        return out


class EvaVisionModel(PreTrainedModel):  # type: ignore[misc]
    """The tower; its weights have the names of the published ``eva_vit_g.pth``.

    Args:
        config: its sizes

    Shape:
        ``(B, 3, S, S)``, normalised, to ``(B, 1 + N, D)``: the class token first.
    """

    config_class = EvaVisionConfig
    main_input_name = "pixel_values"
    supports_gradient_checkpointing = True
    _supports_sdpa = True
    _no_split_modules = ["_Block"]  # noqa: RUF012  (the library's own convention)

    def __init__(self, config: EvaVisionConfig) -> None:
        super().__init__(config)
        self.patch_embed = _PatchEmbedding(config)
        patches = (config.image_size // config.patch_size) ** 2
        self.cls_token = nn.Parameter(torch.zeros(1, 1, config.hidden_size))
        self.pos_embed = nn.Parameter(torch.zeros(1, 1 + patches, config.hidden_size))
        self.blocks = nn.ModuleList([_Block(config) for _ in range(config.num_hidden_layers)])
        self.gradient_checkpointing = False
        self.post_init()

    def _init_weights(self, module: nn.Module) -> None:
        super()._init_weights(module)
        if isinstance(module, EvaVisionModel):
            nn.init.normal_(module.cls_token, std=0.02)
            nn.init.normal_(module.pos_embed, std=0.02)

    def get_input_embeddings(self) -> nn.Module:
        """Returns the patch convolution."""
        return self.patch_embed.proj

    def forward(self, pixel_values: Tensor) -> Tensor:
        """Returns the tokens after the last block that is used."""
        x = self.patch_embed(pixel_values.to(self.pos_embed.dtype))
        x = torch.cat([self.cls_token.expand(len(x), -1, -1), x], dim=1) + self.pos_embed
        for block in self.blocks:
            if self.gradient_checkpointing and self.training:
                x = self._gradient_checkpointing_func(block.__call__, x)
            else:
                x = block(x)
        out: Any = x
        tokens: Tensor = out
        return tokens
