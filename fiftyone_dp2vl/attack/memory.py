"""How much memory a fine-tuning takes, told before any weight is loaded.

Weights, adapters, gradients and optimiser state are counted from a model without data (torch's
meta device). What a forward pass keeps for the backward one is measured on tensors without data:
one and two layers of the language model are run, and the difference is a layer's share.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import ConfigError
from .adapters import Parts, linear_layers
from .config import FineTuneConfig
from .recipes import LINEAR, recipe_for

__all__ = ["REAL_SIZES", "MemoryEstimate", "estimate_memory"]

REAL_SIZES: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "llava-1.5-7b": {
            "model_type": "llava",
            "vision_config": {
                "model_type": "clip_vision_model",
                "hidden_size": 1024,
                "intermediate_size": 4096,
                "num_hidden_layers": 24,
                "num_attention_heads": 16,
                "image_size": 336,
                "patch_size": 14,
                "projection_dim": 768,
                "vocab_size": 32000,
            },
            "text_config": {
                "model_type": "llama",
                "hidden_size": 4096,
                "intermediate_size": 11008,
                "num_hidden_layers": 32,
                "num_attention_heads": 32,
                "num_key_value_heads": 32,
                "vocab_size": 32064,
            },
        },
        "qwen2-vl-7b": {
            "model_type": "qwen2_vl",
            "tie_word_embeddings": False,
            "vision_config": {
                "depth": 32,
                "embed_dim": 1280,
                "hidden_size": 3584,
                "num_heads": 16,
                "mlp_ratio": 4,
                "patch_size": 14,
                "spatial_merge_size": 2,
                "temporal_patch_size": 2,
            },
            "text_config": {
                "hidden_size": 3584,
                "intermediate_size": 18944,
                "num_hidden_layers": 28,
                "num_attention_heads": 28,
                "num_key_value_heads": 4,
                "vocab_size": 152064,
                "rope_parameters": {
                    "rope_type": "default",
                    "mrope_section": [16, 24, 24],
                    "rope_theta": 1e6,
                },
            },
        },
        "minigpt-v2-7b": {"model_type": "minigpt_v2"},
    }
)
"""Published sizes of the victims of 7 billion weights: what their ``config.json`` says."""

_NF4_BYTES = 0.5 + 1 / 64 + 4 / (64 * 256)
"""A weight in 4-bit NormalFloat: half a byte, 8-bit scales of 64, and the scales' own of 256
(double quantisation; QLoRA, arXiv 2305.14314)."""
_TOWER_BYTES = 34
"""Bytes a token, layer and unit of width that a trained tower keeps (arXiv 2205.05198, without
attention scores, which fused attention does not keep)."""


@dataclass(frozen=True)
class MemoryEstimate:
    """Bytes on the device that trains, without the driver's own and without fragmentation.

    Attributes:
        weights: the model's, those trained whole in float32
        adapters: LoRA's, in float32
        gradients: of everything that is trained, in float32
        optimizer: AdamW's two moments, in float32
        activations: kept for the backward pass at its largest
        parameters: number of the model's weights
        trained: number of weights that are trained
    """

    weights: int
    adapters: int
    gradients: int
    optimizer: int
    activations: int
    parameters: int
    trained: int

    @property
    def total(self) -> int:
        """All of it."""
        return self.weights + self.adapters + self.gradients + self.optimizer + self.activations


def estimate_memory(
    model: str | Any,
    config: FineTuneConfig,
    tokens: int,
    *,
    answer_tokens: int = 32,
    weight_bytes: int = 2,
) -> MemoryEstimate:
    """Estimates the memory of a fine-tuning.

    Args:
        model: a name of :data:`REAL_SIZES`, or a model's configuration of transformers
        config: the recipe
        tokens: of a row: the photo's, the question's, the answer's
        answer_tokens: of a row, at which the vocabulary's logits are computed
        weight_bytes: of a frozen weight: 2 in bfloat16, 4 in float32

    Raises:
        ConfigError: if the name is unknown, or the model's parts cannot be told
    """
    settings = _settings(model)
    with torch.device("meta"):
        whole = _build(settings, torch.float32)
    parts = _parts(whole)
    targets = _targets(whole, parts, config)
    full = _trained_whole(whole, parts, config)
    quantized = set(linear_layers(whole, parts.language)) if config.quantize else set()
    weights = 0.0
    for name, weight in whole.named_parameters():
        size: float = weight_bytes
        if name in full:
            size = 4
        elif name.rpartition(".")[0] in quantized and weight.ndim == 2:
            size = _NF4_BYTES
        weights += size * weight.numel()
    layers = dict(whole.named_modules())
    lora = sum(config.lora_rank * sum(layers[name].weight.shape) for name in targets)
    trained = lora + sum(full.values())
    rows = config.micro_batch_size or config.batch_size
    head: Any = whole.get_output_embeddings()
    # Logits, their float32 copy, and the normalised ones.
    said = rows * answer_tokens * head.weight.shape[0] * (2 + 4 + 4)
    kept = _language_activations(settings, config, rows, tokens, targets)
    kept += _tower_activations(whole, parts, config, rows, tokens) + said
    if quantized:  # one layer at a time is unpacked
        kept += 2 * max(layers[name].weight.numel() for name in quantized)
    return MemoryEstimate(
        weights=round(weights),
        adapters=4 * lora,
        gradients=4 * trained,
        optimizer=8 * trained,
        activations=kept,
        parameters=sum(weight.numel() for weight in whole.parameters()),
        trained=trained,
    )


def _settings(model: str | Any) -> Any:
    from transformers import AutoConfig

    if not isinstance(model, str):
        return model
    if model not in REAL_SIZES:
        raise ConfigError(f"no sizes of {model!r} are known: give {', '.join(REAL_SIZES)}")
    values = dict(REAL_SIZES[model])
    if values["model_type"] == "minigpt_v2":
        from .minigpt_v2 import MiniGPTv2Config

        return MiniGPTv2Config()
    return AutoConfig.for_model(**values)


def _build(settings: Any, dtype: torch.dtype) -> Any:
    from transformers import AutoModelForImageTextToText

    if settings.model_type != "minigpt_v2":
        return AutoModelForImageTextToText.from_config(settings, dtype=dtype)
    from .minigpt_v2 import MiniGPTv2ForConditionalGeneration

    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        return MiniGPTv2ForConditionalGeneration(settings)
    finally:
        torch.set_default_dtype(before)


def _parts(model: Any) -> Parts:
    from .auto import find_parts

    kind = model.config.model_type
    if kind == "minigpt_v2":
        from .minigpt_v2.attacker import PARTS

        return PARTS
    if kind in ("qwen2_vl", "qwen2_5_vl", "qwen3_vl"):
        from .qwen_vl import PARTS as QWEN_PARTS

        return QWEN_PARTS
    return find_parts(model)


def _targets(model: nn.Module, parts: Parts, config: FineTuneConfig) -> list[str]:
    """Returns the layers that get adapters."""
    if not config.lora_rank:
        return []
    kind: Any = model.config
    wanted = recipe_for(kind.model_type).targets
    names = linear_layers(model, parts.language)
    if wanted != (LINEAR,):
        names = [name for name in names if name.endswith(tuple(f".{t}" for t in wanted))]
    for part in ("projector", "tower"):
        if getattr(config, part) == "lora":
            names += linear_layers(model, getattr(parts, part))
    return names


def _trained_whole(model: nn.Module, parts: Parts, config: FineTuneConfig) -> dict[str, int]:
    """Returns the weights that are trained themselves, and their sizes."""
    chosen = [] if config.lora_rank else [parts.language, parts.head]
    chosen += [getattr(parts, p) for p in ("projector", "tower") if getattr(config, p) == "full"]
    return {
        name: weight.numel()
        for part in filter(None, chosen)
        for name, weight in model.get_submodule(part).named_parameters(prefix=part)
    }


def _language_activations(
    settings: Any, config: FineTuneConfig, rows: int, tokens: int, targets: list[str]
) -> int:
    """Returns the bytes that the language model keeps for the backward pass."""
    text = settings.get_text_config()
    one, two = (_kept(_shallow(settings, n), config, rows, tokens, targets) for n in (1, 2))
    layer, depth = two - one, int(text.num_hidden_layers)
    if config.gradient_checkpointing:
        # Every layer's input, and all of the layer that is being computed again.
        return int(one + depth * rows * tokens * text.hidden_size * 2)
    return int(one + (depth - 1) * layer)


def _shallow(settings: Any, depth: int) -> Any:
    shallow = copy.deepcopy(settings)
    text = shallow.get_text_config()
    kinds = getattr(text, "layer_types", None)
    text.num_hidden_layers = depth
    if kinds:
        text.layer_types = list(kinds)[:depth]
    vision = shallow.vision_config  # which is built and not run
    setattr(vision, "depth" if hasattr(vision, "depth") else "num_hidden_layers", 1)
    return shallow


def _kept(settings: Any, config: FineTuneConfig, rows: int, tokens: int, targets: list[str]) -> int:
    """Returns what one forward pass of the language model keeps besides weights, in bytes."""
    from torch._subclasses.fake_tensor import FakeTensorMode

    held: dict[int, Tensor] = {}
    with FakeTensorMode():
        model = _build(settings, torch.bfloat16)
        parts = _parts(model)
        language = model.get_submodule(parts.language).train()
        if config.lora_rank:
            language.requires_grad_(False)
        weights = {w.untyped_storage()._cdata for w in language.parameters()}

        def keep(value: Tensor) -> Tensor:
            place = value.untyped_storage()._cdata
            if place not in weights:
                held[place] = value
            return value

        width = settings.get_text_config().hidden_size
        start = torch.empty(rows, tokens, width, dtype=torch.bfloat16, requires_grad=True)
        with (
            torch.autocast("cpu", torch.bfloat16),
            torch.autograd.graph.saved_tensors_hooks(keep, lambda value: value),
        ):
            language(inputs_embeds=start, use_cache=False)
        kept: int = sum(value.untyped_storage().nbytes() for value in held.values())
        layers = dict(model.named_modules())
        here = [n for n in targets if n in layers and n.startswith(f"{parts.language}.")]
        # An adapter keeps its own copy of the layer's input, what lies between its halves, and
        # dropout's mask, a byte each on a GPU.
        inputs = sum(int(layers[name].weight.shape[1]) for name in here)
        kept += rows * tokens * 2 * (inputs + config.lora_rank * len(here))
        if config.lora_dropout:
            kept += rows * tokens * inputs
    return kept


def _tower_activations(
    model: Any, parts: Parts, config: FineTuneConfig, rows: int, tokens: int
) -> int:
    """Returns the bytes that a trained tower keeps; a frozen one is run without."""
    if config.tower == "frozen":
        return 0
    vision = model.config.vision_config
    depth = getattr(vision, "num_hidden_layers", None) or vision.depth
    width = getattr(vision, "embed_dim", None) or vision.hidden_size
    side = getattr(vision, "image_size", None)
    if isinstance(side, int):
        patches = (side // vision.patch_size) ** 2 + 1
    else:  # at native resolution, all but the words of a row come from patches
        patches = tokens * vision.spatial_merge_size**2
    return int(_TOWER_BYTES * rows * patches * width * depth)
