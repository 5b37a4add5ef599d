"""The dual encoder that is kept, and the training heads that are dropped."""

from __future__ import annotations

import torch
from recipes import Architecture
from torch import Tensor, nn
from transformers import (
    CLIPConfig,
    CLIPModel,
    CLIPTextConfig,
    CLIPVisionConfig,
    SiglipVisionConfig,
    SiglipVisionModel,
)
from vocabulary import LENGTH

from fiftyone_dp2vl.benchmark.people import ATTRIBUTE_VALUES

NORMS = {
    "clip": ((0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)),
    "siglip": ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
}
"""Mean and standard deviation that each family normalises with."""

AnyEncoder = CLIPModel | SiglipVisionModel


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
    _initialise(model, a)
    with torch.no_grad():
        nn.init.normal_(model.vision_model.embeddings.class_embedding, std=0.02)
    return model


def build_tower(architecture: Architecture) -> SiglipVisionModel:
    """Builds an untrained vision tower in SigLIP's format; initialised as `build_model` does."""
    a = architecture
    config = SiglipVisionConfig(
        hidden_size=a.width,
        intermediate_size=a.mlp,
        num_hidden_layers=a.depth,
        num_attention_heads=a.heads,
        image_size=a.image,
        patch_size=a.patch,
        hidden_act=a.activation,
    )
    model = SiglipVisionModel._from_config(config, attn_implementation="eager")
    _initialise(model, a)
    return model


def tower_of(model: AnyEncoder) -> nn.Module:
    """The vision tower; releases of transformers differ in how deep it lies."""
    return getattr(model, "vision_model", model)  # type: ignore[no-any-return]


def _initialise(model: AnyEncoder, a: Architecture) -> None:
    for module in model.modules():
        if isinstance(module, nn.Linear):
            nn.init.xavier_uniform_(module.weight)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    embeddings = tower_of(model).embeddings
    kernel = embeddings.patch_embedding.weight
    nn.init.xavier_uniform_(kernel.view(kernel.shape[0], -1))
    places = embeddings.position_embedding.weight
    with torch.no_grad():
        places.copy_(_sin_cos(a.image // a.patch, a.width)[-len(places) :])


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
        self.pooled_things = nn.Linear(width, affiliations)
        self.proxies = nn.Parameter(torch.randn(people, width) * 0.05)


def encode(model: AnyEncoder, pixels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Encodes normalised pixels (B, 3, S, S).

    Returns:
        Patch tokens (B, T, D) as a VLM's projector reads them (CLIP: the layer before the last;
        SigLIP: the last, normed); the pooled token (B, D); the embedding (B, P), not
        normalised, which for SigLIP is the pooled token.
    """
    seen = tower_of(model)(pixel_values=pixels, output_hidden_states=True)
    if isinstance(model, CLIPModel):
        patches = seen.hidden_states[-2][:, 1:]
        return patches, seen.pooler_output, model.visual_projection(seen.pooler_output)
    return seen.last_hidden_state, seen.pooler_output, seen.pooler_output


def encode_text(model: CLIPModel, ids: Tensor, mask: Tensor) -> Tensor:
    """Encodes captions (B, L) to projected embeddings (B, P), not normalised."""
    read = model.text_model(input_ids=ids, attention_mask=mask)
    return model.text_projection(read.pooler_output)
