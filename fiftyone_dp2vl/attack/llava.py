"""LLaVA 1.5 and LLaVA-NeXT, as transformers holds them, and the small model in the package."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from ..errors import ConfigError, ModelNotFoundError
from .adapters import Parts
from .config import FineTuneConfig
from .hf import Prompt, TransformersAttacker
from .loading import describe, load_pretrained
from .recipes import recipe_for
from .registry import EMBEDDED_VLM, AttackerRequest
from .views import Seen

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = ["EMBEDDED_RECIPE", "LlavaAttacker", "load_embedded", "load_llava"]

EMBEDDED_RECIPE = FineTuneConfig(
    epochs=12,
    batch_size=48,
    learning_rate=5e-3,
    projector_learning_rate=1e-3,
    lora_rank=16,
    lora_alpha=32,
    projector="full",
)
"""For the small model in the package; chosen on development people with clean photos."""

_SMALL = 50_000_000
"""Parameters below which a model learns at the rates of :data:`EMBEDDED_RECIPE`."""

_VICUNA = "USER: {image}\n{question} ASSISTANT:"
"""LLaVA-1.5's template, for checkpoints that come without one."""


class LlavaAttacker(TransformersAttacker):
    """A model of the LLaVA 1.5 or NeXT classes."""

    packs = True

    @property
    def parts(self) -> Parts:
        """See :class:`.hf.TransformersAttacker`."""
        return Parts(
            "model.language_model", "model.multi_modal_projector", "model.vision_tower", "lm_head"
        )

    @property
    def _next(self) -> bool:
        return hasattr(self.model.model, "image_newline")

    def prompt(self, question: str) -> str:
        """Writes a question in the checkpoint's chat template, or in LLaVA-1.5's."""
        if getattr(self.processor, "chat_template", None):
            return super().prompt(question)
        return _VICUNA.format(image=self._image_token, question=question)

    @property
    def _image_token(self) -> str:
        return str(self.tokenizer.convert_ids_to_tokens(self.model.config.image_token_id))

    def prompt_ids(self, picture: Image, question: str) -> Prompt:
        """Writes the question's tokens around as many image tokens as the photo takes."""
        text = self.prompt(question)
        special = not text.startswith(self.tokenizer.bos_token or "\0")
        ids = self.tokenizer(text, add_special_tokens=special)["input_ids"]
        token = self.model.config.image_token_id
        count = self._count(picture)
        return Prompt([i for t in ids for i in ([token] * count if t == token else [t])])

    def _count(self, picture: Image) -> int:
        if self._next:
            made = self._process(picture, self._image_token)
            return int((made["input_ids"] == self.model.config.image_token_id).sum())
        known: int | None = self.__dict__.get("_image_tokens")
        if known is None:  # every photo is brought to one size
            made = self._process(picture, self._image_token)
            known = int((made["input_ids"] == self.model.config.image_token_id).sum())
            self._image_tokens = known
        return known

    def look(self, picture: Image) -> Seen:
        """Returns pixel values, and for NeXT the photo's size."""
        made = dict(self.processor.image_processor(picture, return_tensors="pt"))
        return {name: made[name] for name in ("pixel_values", "image_sizes") if name in made}

    def see(self, looks: Sequence[Seen]) -> list[Seen]:
        """Returns the tokens that the projector is given; they do not change while it learns."""
        if self._next:
            return [
                {"features": self._features(look)[None], "image_sizes": look["image_sizes"]}
                for look in looks
            ]
        together = self._features({"pixel_values": torch.cat([k["pixel_values"] for k in looks])})
        return [{"features": one[None]} for one in together]

    def _features(self, look: Mapping[str, Tensor]) -> Tensor:
        """Returns what the model itself hands to its projector, whatever layers it reads."""
        config = self.model.config
        with _tapped(self.model.model.multi_modal_projector) as taken:
            self.model.model.get_image_features(
                **{name: value.to(self.device) for name, value in look.items()},
                vision_feature_layer=config.vision_feature_layer,
                vision_feature_select_strategy=config.vision_feature_select_strategy,
            )
        return taken[0]

    def inputs(
        self,
        ids: Tensor,
        mask: Tensor,
        positions: Tensor | None,
        along: Mapping[str, Tensor],
        seen: Sequence[Seen],
    ) -> dict[str, Any]:
        """Puts projected features in the image tokens' places; pixels if the tower is trained."""
        if "features" not in seen[0]:
            return super().inputs(ids, mask, positions, along, seen)
        embedded = self.model.get_input_embeddings()(ids)
        images = torch.cat(self._projected(seen)).to(embedded.dtype)
        places = (ids == self.model.config.image_token_id)[..., None].expand_as(embedded)
        given: dict[str, Any] = {
            "inputs_embeds": embedded.masked_scatter(places, images),
            "attention_mask": mask,
        }
        if positions is not None:
            given["position_ids"] = positions
        return given

    def _projected(self, seen: Sequence[Seen]) -> list[Tensor]:
        core = self.model.model
        if not self._next:
            together = torch.cat([s["features"] for s in seen]).to(self.device)
            return list(core.multi_modal_projector(together))
        features = [core.multi_modal_projector(s["features"][0].to(self.device)) for s in seen]
        packed, _ = core.pack_image_features(
            features,
            torch.cat([s["image_sizes"] for s in seen]),
            vision_feature_select_strategy=self.model.config.vision_feature_select_strategy,
            image_newline=core.image_newline,
        )
        return list(packed)

    def collate(self, seen: Sequence[Seen]) -> dict[str, Tensor]:
        """Joins pixel values; NeXT's photos may be cut into different numbers of tiles."""
        if self._next:
            most = max(s["pixel_values"].shape[1] for s in seen)
            seen = [{**s, "pixel_values": _fill(s["pixel_values"], most)} for s in seen]
        return super().collate(seen)


def _fill(tiles: Tensor, count: int) -> Tensor:
    empty = tiles.new_zeros(1, count - tiles.shape[1], *tiles.shape[2:])
    return torch.cat([tiles, empty], dim=1)


@contextmanager
def _tapped(module: nn.Module) -> Iterator[list[Tensor]]:
    """Collects what a module is given."""
    taken: list[Tensor] = []
    hook = module.register_forward_pre_hook(lambda _, given: taken.append(given[0].detach()))
    try:
        yield taken
    finally:
        hook.remove()


def load_llava(request: AttackerRequest) -> LlavaAttacker:
    """Loads ``llava:FOLDER`` or ``llava:ID``: LLaVA 1.5 or LLaVA-NeXT.

    Raises:
        ModelNotFoundError: if the model is not here and cannot be fetched
        ConfigError: if the model is of another kind
    """
    import transformers

    loaded = load_pretrained(
        request,
        {
            "llava": transformers.LlavaForConditionalGeneration,
            "llava_next": transformers.LlavaNextForConditionalGeneration,
        },
        family="LLaVA",
    )
    if loaded.model.config.vision_config.model_type == "pixtral":
        raise ConfigError(f"{request.target} has a tower for photos of any size: use auto:")
    _complete(loaded.processor, loaded.model.config)
    recipe = recipe_for(str(loaded.model.config.model_type))
    told = {"published_recipe": recipe.published.to_dict(), "recipe_source": recipe.source}
    return LlavaAttacker(
        loaded.model,
        loaded.processor,
        describe(request, loaded, "llava", told),
        EMBEDDED_RECIPE if loaded.parameters < _SMALL else recipe.personal,
        load_quantized=loaded.quantized,
    )


def _complete(processor: Any, config: Any) -> None:
    """Fills in what processors of older checkpoints do not say."""
    if getattr(processor, "patch_size", None) is None:
        processor.patch_size = config.vision_config.patch_size
    if getattr(processor, "vision_feature_select_strategy", None) is None:
        processor.vision_feature_select_strategy = config.vision_feature_select_strategy
        processor.num_additional_image_tokens = int(
            config.vision_config.model_type.startswith("clip")
        )


def load_embedded(request: AttackerRequest) -> LlavaAttacker:
    """Loads the model that comes with the package.

    Raises:
        ModelNotFoundError: if the package was installed without it
    """
    if not (EMBEDDED_VLM / "config.json").is_file():
        raise ModelNotFoundError(
            f"the embedded model is not at {EMBEDDED_VLM}: install the package again, or train it "
            "with the script in training/"
        )
    return load_llava(replace(request, target=str(EMBEDDED_VLM), local_files_only=True))
