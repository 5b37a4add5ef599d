"""Any other image-text-to-text model of transformers, through its processor and chat template."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..encoders.weights import find_model, read_config
from ..errors import ConfigError
from .adapters import Parts
from .hf import Prompt, TransformersAttacker
from .loading import describe, load_pretrained
from .recipes import recipe_for
from .registry import AttackerRequest
from .views import Seen

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = ["AutoAttacker", "find_parts", "load_auto"]

_LANGUAGE = ("language_model", "text_model")
_TOWER = ("vision_tower", "vision_model", "vision_encoder", "image_tower", "visual")
_PROJECTOR = (
    "multi_modal_projector",
    "connector",
    "modality_projection",
    "mm_projector",
    "embed_vision",
    "aligner",
)
_OWN_PREFIX = {
    **dict.fromkeys(("llava", "llava_next"), "llava:"),
    **dict.fromkeys(("qwen2_vl", "qwen2_5_vl", "qwen3_vl"), "qwen_vl:"),
}
_PACKING = frozenset({"idefics3", "smolvlm", "internvl"})
"""Kinds whose language model attends causally, with one position a token: questions about a photo
can share its tokens."""


class AutoAttacker(TransformersAttacker):
    """A model of any ``AutoModelForImageTextToText`` class whose parts can be told."""

    @property
    def parts(self) -> Parts:
        """See :class:`.hf.TransformersAttacker`."""
        return find_parts(self.model)

    @property
    def _prefix_sees_itself(self) -> bool:
        """Whether the prompt attends to all of itself, as in PaliGemma."""
        return bool(self.model.config.model_type == "paligemma")

    def prompt(self, question: str) -> str:
        """Writes a question in the chat template; PaliGemma has none and wants the text alone."""
        if self._prefix_sees_itself:
            return f"<image>{question}"
        return super().prompt(question)

    def prompt_ids(self, picture: Image, question: str) -> Prompt:
        """Returns a photo and a question as the processor writes them."""
        ids, along = super().prompt_ids(picture, question)
        along = {name: values for name, values in along.items() if name != "labels"}
        if "token_type_ids" in along and self._prefix_sees_itself:
            # 0 is the prompt and 1 the answer. What is not given for an answer counts as 0, so
            # that the two are exchanged until they are used.
            along["token_type_ids"] = [1] * len(ids)
        return Prompt(ids, along)

    def inputs(
        self,
        ids: Tensor,
        mask: Tensor,
        positions: Tensor | None,
        along: Mapping[str, Tensor],
        seen: Sequence[Seen],
    ) -> dict[str, Any]:
        """Returns the model's arguments, by the processor's names."""
        given = super().inputs(ids, mask, positions, along, seen)
        if "token_type_ids" in given and self._prefix_sees_itself:
            given["token_type_ids"] = 1 - given["token_type_ids"]
        return given

    def collate(self, seen: Sequence[Seen]) -> dict[str, Tensor]:
        """Joins image tensors; photos that were cut into fewer tiles get empty ones."""
        joined = {}
        for name in seen[0]:
            values = [look[name] for look in seen]
            sizes = [max(size) for size in zip(*(v.shape[1:] for v in values), strict=True)]
            joined[name] = torch.cat([_fill(v, sizes) for v in values]).to(self.device)
        return joined

    def generate(self, inputs: Mapping[str, Any], max_tokens: int) -> Tensor:
        """Returns new token ids; whatever ends a turn in this family ends the answer."""
        ends = self.model.generation_config.eos_token_id
        ends = [] if ends is None else [ends] if isinstance(ends, int) else list(ends)
        made: Tensor = self.model.generate(
            **inputs,
            do_sample=False,
            max_new_tokens=max_tokens,
            pad_token_id=self.pad,
            eos_token_id=sorted({*ends, self.tokenizer.eos_token_id}),
        )
        return made[:, inputs["input_ids"].shape[1] :]


class _PackingAttacker(AutoAttacker):
    packs = True


def _fill(value: Tensor, sizes: Sequence[int]) -> Tensor:
    missing = [wanted - have for wanted, have in zip(sizes, value.shape[1:], strict=True)]
    if not any(missing):
        return value
    return functional.pad(value, [n for size in reversed(missing) for n in (0, size)])


def find_parts(model: Any) -> Parts:
    """Returns where a model's parts lie, by the conventions of transformers.

    Raises:
        ConfigError: if the language model, the vision tower or the projector cannot be told
    """
    names = {module: name for name, module in model.named_modules() if name}
    decoder = model.get_decoder() if hasattr(model, "get_decoder") else None
    tower = _named(names, _TOWER)
    language = names.get(decoder, "")
    if not language or tower.startswith(f"{language}."):
        language = _named(names, _LANGUAGE)
    projector = _named(names, _PROJECTOR)
    for part, found, known in (
        ("language model", language, _LANGUAGE),
        ("vision tower", tower, _TOWER),
        ("projector", projector, _PROJECTOR),
    ):
        if not found:
            raise ConfigError(
                f"the {part} of {type(model).__name__} cannot be told: it is called none of "
                f"{', '.join(known)}; register an attacker of its own for it"
            )
    head = names.get(model.get_output_embeddings(), "")
    return Parts(language, projector, tower, "" if head.startswith(f"{language}.") else head)


def _named(names: Mapping[nn.Module, str], known: Sequence[str]) -> str:
    """Returns the outermost module that is called one of the known names, the first of them."""
    for stem in known:
        found = [name for name in names.values() if name.rpartition(".")[2] == stem]
        if found:
            return min(found, key=lambda name: (name.count("."), name))
    return ""


def load_auto(request: AttackerRequest) -> AutoAttacker:
    """Loads ``auto:FOLDER`` or ``auto:ID``: for example SmolVLM, InternVL, PaliGemma or Gemma 3.

    Raises:
        ModelNotFoundError: if the model is not here and cannot be fetched
        ConfigError: if transformers has no such model, or its parts or its template are unknown
    """
    import transformers
    from transformers.models.auto.modeling_auto import MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES

    folder = find_model(request.target, local_files_only=request.local_files_only)
    kind = str(read_config(folder).get("model_type"))
    if kind in _OWN_PREFIX:
        raise ConfigError(
            f"{request.target} is a {kind!r} model: name it with {_OWN_PREFIX[kind]} instead"
        )
    if kind not in MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES:
        raise ConfigError(
            f"{request.target} is a {kind!r} model, which this release of transformers cannot "
            "question about photos: install a newer one, or register an attacker of its own"
        )
    if kind == "paligemma" and int(transformers.__version__.partition(".")[0]) < 5:
        raise ConfigError(
            "PaliGemma needs transformers 5 or newer: older ones let prompts see "
            "the answers that are scored"
        )
    loaded = load_pretrained(
        request, {kind: transformers.AutoModelForImageTextToText}, family="image-text-to-text"
    )
    if kind != "paligemma" and not getattr(loaded.processor, "chat_template", None):
        raise ConfigError(
            f"{request.target} comes without a chat template: save one with its processor"
        )
    parts = find_parts(loaded.model)
    recipe = recipe_for("auto")
    extra = {
        "model_type": kind,
        "recipe_source": recipe.source,
        "parts": {name: getattr(parts, name) for name in ("language", "projector", "tower")},
    }
    attacker = _PackingAttacker if kind in _PACKING else AutoAttacker
    return attacker(
        loaded.model,
        loaded.processor,
        describe(request, loaded, "auto", extra),
        recipe.personal,
        load_quantized=loaded.quantized,
    )
