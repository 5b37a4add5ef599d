"""The dual encoder that is kept, and the training heads that are dropped."""

from __future__ import annotations

import torch
from recipes import Architecture
from torch import Tensor, nn
from transformers import CLIPConfig, CLIPModel, CLIPTextConfig, CLIPVisionConfig
from vocabulary import LENGTH

from fiftyone_dp2vl.benchmark.people import ATTRIBUTE_VALUES

MEAN = (0.48145466, 0.4578275, 0.40821073)
STD = (0.26862954, 0.26130258, 0.27577711)


def build_model(architecture: Architecture, words: int, end_id: int) -> CLIPModel:
    """Builds an untrained encoder that starts to learn at once.

    transformers' own initialisation is meant for very long training. Sin-cos positions and
    Xavier weights reach the same loss in a fraction of the steps.
    """
    a = architecture
    vision = CLIPVisionConfig(
        hidden_size=a.width,
        intermediate_size=a.mlp,
        num_hidden_layers=a.depth,
        num_attention_heads=a.heads,
        image_size=a.image,
        patch_size=a.patch,
        hidden_act=a.activation,
        projection_dim=a.projection,
    )
    text = CLIPTextConfig(
        vocab_size=words,
        hidden_size=a.text_width,
        intermediate_size=a.text_width * 4,
        num_hidden_layers=a.text_depth,
        num_attention_heads=a.text_heads,
        max_position_embeddings=LENGTH,
        hidden_act="gelu",
        projection_dim=a.projection,
        pad_token_id=0,
        bos_token_id=3,
        eos_token_id=end_id,
    )
    config = CLIPConfig(
        text_config=text.to_dict(),
        vision_config=vision.to_dict(),
        projection_dim=a.projection,
        logit_scale_init_value=2.66,
    )
    config._attn_implementation = "eager"
    model = CLIPModel._from_config(config, attn_implementation="eager")
    for module in model.modules():
        if isinstance(module, nn.Linear):
            nn.init.xavier_uniform_(module.weight)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    embeddings = model.vision_model.embeddings
    kernel = embeddings.patch_embedding.weight
    nn.init.xavier_uniform_(kernel.view(kernel.shape[0], -1))
    with torch.no_grad():
        embeddings.position_embedding.weight.copy_(_sin_cos(a.image // a.patch, a.width))
        nn.init.normal_(embeddings.class_embedding, std=0.02)
    return model


def _sin_cos(side: int, width: int) -> Tensor:
    quarter = width // 4
    frequency = 100.0 ** (-torch.arange(quarter) / quarter)
    steps = torch.arange(side)[:, None] * frequency
    waves = torch.cat([steps.sin(), steps.cos()], dim=1)
    rows = waves[:, None].expand(side, side, -1)
    columns = waves[None].expand(side, side, -1)
    grid = torch.cat([rows, columns], dim=-1).reshape(side * side, -1)
    grid = nn.functional.pad(grid, (0, width - grid.shape[1]))
    return torch.cat([torch.zeros(1, width), grid]) * 0.5


class Heads(nn.Module):
    """Training-time classifiers: attributes and affiliations, from tokens and from the pool."""

    def __init__(self, width: int, affiliations: int, people: int) -> None:
        super().__init__()
        self.sizes = [len(values) for values in ATTRIBUTE_VALUES]
        self.token_attributes = nn.Linear(width, sum(self.sizes))
        self.token_things = nn.Linear(width, affiliations + 1)
        self.pooled_attributes = nn.Linear(width, sum(self.sizes))
        self.proxies = nn.Parameter(torch.randn(people, width) * 0.05)


def encode(model: CLIPModel, pixels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Encodes normalised pixels (B, 3, S, S).

    Returns:
        Patch tokens (B, T, D) of the layer before the last, as a VLM's projector reads them;
        the pooled token (B, D); the projected embedding (B, P), not normalised.
    """
    seen = model.vision_model(pixel_values=pixels, output_hidden_states=True)
    patches = seen.hidden_states[-2][:, 1:]
    pooled = seen.pooler_output
    return patches, pooled, model.visual_projection(pooled)


def encode_text(model: CLIPModel, ids: Tensor, mask: Tensor) -> Tensor:
    """Encodes captions (B, L) to projected embeddings (B, P), not normalised."""
    read = model.text_model(input_ids=ids, attention_mask=mask)
    return model.text_projection(read.pooler_output)
