"""Qwen2-VL, Qwen2.5-VL and Qwen3-VL, as transformers holds them.

A photo keeps its own resolution and takes as many tokens as it needs. Positions have three numbers
a token (time, row, column): what follows a photo counts on from its larger side.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from .adapters import Parts
from .hf import Prompt, TransformersAttacker
from .loading import describe, load_pretrained
from .recipes import recipe_for
from .registry import AttackerRequest
from .views import Seen

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = ["PARTS", "QwenVLAttacker", "load_qwen_vl", "rotary_positions"]

PARTS = Parts("model.language_model", "model.visual.merger", "model.visual.blocks", "lm_head")


def rotary_positions(depths: Tensor, first: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """Returns the three positions of every token of a text with one photo.

    Args:
        depths: how many tokens stand before each in its own sequence, (B, L)
        first: depth of the photo's first token, (B,)
        rows: of the photo's grid of tokens, (B,)
        columns: of it, (B,)

    Returns:
        (3, B, L) int64: time, row and column
    """
    first, rows, columns = first[:, None], rows[:, None], columns[:, None]
    inside = (depths - first).clamp(min=0)
    after = depths - rows * columns + torch.maximum(rows, columns)
    picture = torch.stack(
        [first.expand_as(depths), first + inside // columns, first + inside % columns]
    )
    text = torch.where(depths < first, depths, after).expand(3, -1, -1)
    shown = (depths >= first) & (depths < first + rows * columns)
    return torch.where(shown, picture, text)


class QwenVLAttacker(TransformersAttacker):
    """A model of the Qwen2-VL, Qwen2.5-VL or Qwen3-VL classes.

    The projector is the merger at the tower's end, with Qwen3-VL's inner mergers left as they are;
    the tower is its blocks.
    """

    packs = True

    @property
    def parts(self) -> Parts:
        """See :class:`.hf.TransformersAttacker`."""
        return PARTS

    @property
    def decodes_together(self) -> bool:
        """See :class:`.hf.TransformersAttacker`: the model itself counts on in three numbers."""
        return False

    @property
    def _tower_as_loaded(self) -> bool:
        # What is remembered of a photo comes out of the merger.
        adaptation = self._adaptation
        return super()._tower_as_loaded and (
            adaptation is None or adaptation.config.projector == "frozen"
        )

    @property
    def _merge(self) -> int:
        return int(self.model.config.vision_config.spatial_merge_size)

    def prompt_ids(self, picture: Image, question: str) -> Prompt:
        """Writes the question around as many image tokens as the photo takes."""
        image = self.model.config.image_token_id
        patches = self.processor.image_processor.get_number_of_image_patches(
            picture.height, picture.width, {}
        )
        count = int(patches) // self._merge**2
        ids = self.tokenizer(self.prompt(question), add_special_tokens=False)["input_ids"]
        full = [i for t in ids for i in ([image] * count if t == image else [t])]
        if "mm_token_type_ids" not in self.processor.model_input_names:
            return Prompt(full)  # older releases find the photo by themselves
        return Prompt(full, {"mm_token_type_ids": [int(i == image) for i in full]})

    def look(self, picture: Image) -> Seen:
        """Returns the photo's patches (N, P) and its grid (1, 3)."""
        made = self.processor.image_processor(images=[picture], return_tensors="pt")
        return {name: made[name] for name in ("pixel_values", "image_grid_thw")}

    def see(self, looks: Sequence[Seen]) -> list[Seen]:
        """Adds the language model's tokens, with Qwen3-VL those of inner layers too."""
        found = []
        for look in looks:
            tokens, inner = self._visual(look["pixel_values"], look["image_grid_thw"])
            more = {f"inner_{number}": layer for number, layer in enumerate(inner)}
            found.append({**look, "tokens": tokens, **more})
        return found

    def _visual(self, pixels: Tensor, grid: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Returns tokens (N, D) of all photos in a row, and of each inner layer that is read."""
        visual = self.model.model.visual
        out = visual(pixels.to(self.device, visual.dtype), grid_thw=grid.to(self.device))
        if hasattr(out, "pooler_output"):
            return out.pooler_output, list(getattr(out, "deepstack_features", None) or [])
        tokens, inner = out if isinstance(out, tuple) else (out, [])
        return tokens, list(inner)

    def inputs(
        self,
        ids: Tensor,
        mask: Tensor,
        positions: Tensor | None,
        along: Mapping[str, Tensor],
        seen: Sequence[Seen],
    ) -> dict[str, Any]:
        """Puts the photos' tokens in their places; for generation leaves that to the model."""
        joined = self.collate(seen)
        grid = joined["image_grid_thw"]
        if positions is None:
            pixels = {n: joined[n] for n in ("pixel_values", "image_grid_thw")}
            return {"input_ids": ids, "attention_mask": mask, **along, **pixels}
        if "tokens" in joined:
            tokens = joined["tokens"]
            inner = [joined[n] for n in sorted(joined) if n.startswith("inner_")]
        else:
            tokens, inner = self._visual(joined["pixel_values"], grid)
        places = ids == self.model.config.image_token_id
        words = self.model.get_input_embeddings()(ids)
        given: dict[str, Any] = {
            "inputs_embeds": words.masked_scatter(places[..., None], tokens.to(words.dtype)),
            "attention_mask": mask,
            "position_ids": rotary_positions(
                positions,
                places.int().argmax(dim=1),
                grid[:, 1] // self._merge,
                grid[:, 2] // self._merge,
            ),
        }
        if inner:
            given["visual_pos_masks"] = places
            given["deepstack_visual_embeds"] = [layer.to(words.dtype) for layer in inner]
        return given

    def logits(self, inputs: Mapping[str, Any], keep: Tensor) -> Tensor:
        """Returns the logits (B, K, V) at the positions ``keep``."""
        out = self.model.model.language_model(**inputs, use_cache=False)
        logits: Tensor = self.model.lm_head(out.last_hidden_state[:, keep])
        return logits


def load_qwen_vl(request: AttackerRequest) -> QwenVLAttacker:
    """Loads ``qwen_vl:FOLDER`` or ``qwen_vl:ID``: Qwen2-VL, Qwen2.5-VL or Qwen3-VL.

    Raises:
        ModelNotFoundError: if the model is not here and cannot be fetched
        ConfigError: if the model is of another kind
    """
    import transformers

    loaded = load_pretrained(
        request,
        {
            "qwen2_vl": transformers.Qwen2VLForConditionalGeneration,
            "qwen2_5_vl": transformers.Qwen2_5_VLForConditionalGeneration,
            "qwen3_vl": transformers.Qwen3VLForConditionalGeneration,
        },
        family="Qwen-VL",
    )
    recipe = recipe_for(loaded.model.config.model_type)
    extra = {
        "model_type": loaded.model.config.model_type,
        "published_recipe": recipe.published.to_dict(),
        "recipe_source": recipe.source,
    }
    return QwenVLAttacker(
        loaded.model,
        loaded.processor,
        describe(request, loaded, "qwen_vl", extra),
        recipe.personal,
        load_quantized=loaded.quantized,
    )
