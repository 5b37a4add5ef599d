"""Vision transformers of the transformers library: CLIP, SigLIP, SigLIP 2, DINOv2 and DINOv3.

The four families differ in names and in what stands before the patch tokens; the walk through
the blocks is the same. It is written out here, and not read from ``output_hidden_states``, so
that blocks after the last layer read can be dropped and nothing unread is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import ConfigError, DP2VLError
from .base import Encoder, Features, PreprocessSpec
from .patches import read_patches_by_matmul
from .processor import processor_spec, read_processor, with_mode
from .registry import EncoderRequest
from .weights import find_model, load_strictly, read_config, read_license, read_tensors

__all__ = ["TYPES", "ViTEncoder", "build_tower", "load_vit"]

LAST = "last"
"""The layer that is the tower's output: after the last block and, where it has one, its norm."""

_FEW_TOKENS = 256


@dataclass(frozen=True)
class Family:
    """How one family names its parts.

    Attributes:
        blocks: path of the list of blocks
        before: path of the norm before the blocks, if there is one
        after: path of the norm after them, if the output is normed
        extra: of a configuration, the number of tokens before the patch tokens
        layer: the layer that is read by default
    """

    blocks: str
    before: str | None
    after: str | None
    extra: Callable[[Any], int]
    layer: int | str


FAMILIES: dict[str, Family] = {
    # What LLaVA and its kin project is CLIP's last block but one.
    "clip": Family("encoder.layers", "pre_layrnorm", None, lambda c: 1, -2),
    "siglip": Family("encoder.layers", None, "post_layernorm", lambda c: 0, LAST),
    "dinov2": Family("encoder.layer", None, "layernorm", lambda c: 1, LAST),
    "dinov3_vit": Family("model.layer", None, "norm", lambda c: 1 + c.num_register_tokens, LAST),
}


def _part(module: nn.Module, path: str) -> Any:
    return module.get_submodule(path)


class ViTEncoder(Encoder):
    """A vision transformer, read after any of its blocks.

    Args:
        tower: the vision model of one of :data:`FAMILIES`, with its configuration as ``config``
        spec: the preprocessing
        family: a key of :data:`FAMILIES`
        layers: indices as in ``hidden_states`` (0 is the blocks' input, -1 the last block's
            output), or ``"last"``; the tokens of several layers are concatenated
        skip: how many tokens to leave out at the front; None for those that are no patches
        pooled: from the last block's output (B, T, D) to the pooled embedding (B, P); None pools
            by the mean of the tokens and drops the blocks after the last layer read
        name: see :class:`Encoder`
        license: see :class:`Encoder`
        label: the family's name in reports, where it is not ``family``
    """

    tower: Any

    def __init__(
        self,
        tower: Any,
        spec: PreprocessSpec,
        family: str,
        *,
        layers: Sequence[int | str],
        skip: int | None = None,
        pooled: nn.Module | None = None,
        name: str = "",
        license: str = "unknown",
        label: str | None = None,
    ) -> None:
        super().__init__(spec, name=name, family=label or family, license=license)
        parts = FAMILIES[family]
        config: Any = tower.config
        blocks: nn.ModuleList = _part(tower, parts.blocks)
        depth = len(blocks)
        self._layers = [_layer_index(layer, depth) for layer in layers]
        self._normed = [layer == LAST for layer in layers]
        if pooled is None:
            del blocks[max(self._layers) :]
            if not any(self._normed) and parts.after is not None:
                _remove(tower, parts.after)
        for unused in ("head", "post_layernorm"):  # held by ``pooled`` if anything reads them
            if hasattr(tower, unused) and not (unused == parts.after and any(self._normed)):
                _remove(tower, unused)
        self.tower = tower
        self.pooled = pooled
        self._parts = parts
        self._skip = parts.extra(config) if skip is None else skip
        self._stretch = spec.size is not None and not _fits(config, spec.size)
        self._kind = family
        self._attention = config._attn_implementation
        read_patches_by_matmul(tower.embeddings)
        self.freeze()

    def _embed(self, inputs: Tensor) -> Tensor:
        if self._stretch and self._kind in ("clip", "siglip"):
            hidden = self.tower.embeddings(inputs, interpolate_pos_encoding=True)
        else:
            hidden = self.tower.embeddings(inputs)
        if self._parts.before is not None:
            hidden = _part(self.tower, self._parts.before)(hidden)
        return hidden  # type: ignore[no-any-return]

    def _choose_attention(self, inputs: Tensor) -> None:
        """Takes plain attention for few tokens on a CPU.

        There the fused kernel's gradient is slower in bfloat16, and no faster in float32.
        """
        patch = self.tower.config.patch_size
        few = inputs.shape[-2] * inputs.shape[-1] <= _FEW_TOKENS * patch * patch
        plain = inputs.device.type == "cpu" and few
        self.tower.config._attn_implementation = "eager" if plain else self._attention

    def encode(self, inputs: Tensor) -> Features:
        """Returns the features of preprocessed photos.

        Args:
            inputs: float32 (B, 3, h, w)
        """
        self._choose_attention(inputs)
        # In bfloat16 one level of 8 bits is two steps: the patches are embedded in float32.
        with torch.autocast(inputs.device.type, enabled=False):
            hidden = self._embed(inputs.float())
            extra: dict[str, Any] = {}
            if self._kind == "dinov3_vit":
                extra["position_embeddings"] = self.tower.rope_embeddings(inputs.float())
        states = {0: hidden}
        for index, block in enumerate(_part(self.tower, self._parts.blocks), start=1):
            hidden = block(hidden, attention_mask=None, **extra)
            hidden = hidden[0] if isinstance(hidden, tuple) else hidden
            if index in self._layers:
                states[index] = hidden
        read = []
        for layer, normed in zip(self._layers, self._normed, strict=True):
            state = states[layer]
            if normed and self._parts.after is not None:
                state = _part(self.tower, self._parts.after)(state)
            read.append(state[:, self._skip :])
        tokens = torch.cat(read, dim=-1).float()
        pooled = tokens.mean(dim=1) if self.pooled is None else self.pooled(hidden)
        return Features(tokens, pooled.float())


class FirstToken(nn.Module):
    """Pools by the first token: normed, then projected where there is a projection."""

    def __init__(self, norm: nn.Module, projection: nn.Module | None = None) -> None:
        super().__init__()
        self.norm, self.projection = norm, projection

    def forward(self, hidden: Tensor) -> Tensor:
        """Returns (B, P) from (B, T, D)."""
        pooled = self.norm(hidden[:, 0])
        return self.projection(pooled) if self.projection is not None else pooled  # type: ignore[no-any-return]


class AttentionPool(nn.Module):
    """Pools by SigLIP's attention head over the normed tokens."""

    def __init__(self, norm: nn.Module, head: nn.Module) -> None:
        super().__init__()
        self.norm, self.head = norm, head

    def forward(self, hidden: Tensor) -> Tensor:
        """Returns (B, P) from (B, T, D)."""
        return self.head(self.norm(hidden))  # type: ignore[no-any-return]


def _layer_index(layer: int | str, depth: int) -> int:
    if layer == LAST:
        return depth
    index = int(layer) if int(layer) >= 0 else depth + 1 + int(layer)
    if not 0 <= index <= depth:
        raise ConfigError(f"layer is {layer}: the tower has layers 0 to {depth}, or 'last'")
    return index


def _remove(module: nn.Module, path: str) -> None:
    parent, _, child = path.rpartition(".")
    setattr(_part(module, parent) if parent else module, child, nn.Identity())


def _fits(config: Any, size: tuple[int, int]) -> bool:
    side = config.image_size
    return tuple(size) == ((side, side) if isinstance(side, int) else tuple(side))


def build_tower(family: str, vision_config: Mapping[str, Any] | Any) -> nn.Module:
    """Returns the vision model of a family with untrained weights.

    Args:
        family: a key of :data:`FAMILIES`
        vision_config: of that family's configuration class, or its dictionary
    """
    import transformers

    configs = {
        "clip": (transformers.CLIPVisionConfig, transformers.CLIPVisionModel),
        "siglip": (transformers.SiglipVisionConfig, transformers.SiglipVisionModel),
        "dinov2": (transformers.Dinov2Config, transformers.Dinov2Model),
        "dinov3_vit": (transformers.DINOv3ViTConfig, transformers.DINOv3ViTModel),
    }
    config_class, model_class = configs[family]
    config = config_class(**vision_config) if isinstance(vision_config, Mapping) else vision_config
    model = model_class(config)
    # Older releases wrap the tower once more.
    tower: nn.Module = getattr(model, "vision_model", model)
    return tower


def _load_dual(
    folder: Path, config: dict[str, Any], family: str
) -> tuple[nn.Module, nn.Module | None]:
    """Returns the tower of a CLIP or SigLIP checkpoint and what pools its last block's output."""
    whole = "vision_config" in config
    vision = dict(config["vision_config"]) if whole else dict(config)
    vision.pop("model_type", None)
    tower = build_tower(family, vision)
    kept = ("vision_model.", "embeddings.", "pre_layrnorm.", "encoder.", "post_layernorm.", "head.")
    tensors = read_tensors(folder, lambda n: n.startswith((*kept, "visual_projection.")))
    if not whole and not any(name.startswith("vision_model.") for name in tensors):
        own = tensors
    else:
        own = {n.removeprefix("vision_model."): t for n, t in tensors.items()}
    load_strictly(tower, own, folder)
    if family == "siglip":
        if not getattr(tower, "use_head", True):
            return tower, None
        return tower, AttentionPool(tower.post_layernorm, tower.head)  # type: ignore[arg-type]
    weight = tensors.get("visual_projection.weight")
    if weight is None:
        return tower, FirstToken(tower.post_layernorm)  # type: ignore[arg-type]
    projection = nn.Linear(weight.shape[1], weight.shape[0], bias=False)
    load_strictly(projection, {"weight": weight}, folder)
    return tower, FirstToken(tower.post_layernorm, projection)  # type: ignore[arg-type]


def _load_dino(folder: Path, family: str) -> tuple[nn.Module, nn.Module | None]:
    import transformers

    kinds = {
        "dinov2": (transformers.Dinov2Config, transformers.Dinov2Model),
        "dinov3_vit": (transformers.DINOv3ViTConfig, transformers.DINOv3ViTModel),
    }
    config_class, model_class = kinds[family]
    # The library renames the parts of older checkpoints; the tensors are read by us, safely.
    tower, told = model_class.from_pretrained(
        None,
        config=config_class.from_pretrained(folder, local_files_only=True),
        state_dict=read_tensors(folder),
        dtype=torch.float32,
        output_loading_info=True,
    )
    if told["missing_keys"]:
        missing = sorted(told["missing_keys"])[0]
        raise DP2VLError(f"{folder} does not fit its own configuration: {missing} is missing")
    return tower, FirstToken(_part(tower, FAMILIES[family].after or ""))


TYPES = {
    "clip": "clip",
    "clip_vision_model": "clip",
    "siglip": "siglip",
    "siglip_vision_model": "siglip",
    "dinov2": "dinov2",
    "dinov3_vit": "dinov3_vit",
}
"""A configuration's ``model_type`` -> the family that reads it."""


def load_vit(request: EncoderRequest) -> Encoder:
    """Loads ``hf:FOLDER`` or ``hf:ID``.

    Options: ``layer`` (an index as in ``hidden_states``, several joined by commas, or ``last``)
    and ``mode`` (``crop``, ``pad`` or ``squash``).

    Raises:
        ModelNotFoundError: if the model is not here and cannot be fetched
        ConfigError: if an option is unknown or the model is of another kind
    """
    options = request.take("layer", "mode")
    folder = find_model(request.target, local_files_only=request.local_files_only)
    config = read_config(folder)
    kind = str(config.get("model_type"))
    if kind in ("siglip2", "siglip2_vision_model"):
        from .naflex import load_naflex

        return load_naflex(request, folder, config, options)
    if kind not in TYPES:
        raise ConfigError(
            f"{request.target} is a {kind!r} model: hf: reads CLIP, SigLIP, SigLIP 2, DINOv2 and "
            "DINOv3, and llava:, qwen2_vl:, qwen2_5_vl: and qwen3_vl: read vision-language models"
        )
    family = TYPES[kind]
    if family in ("clip", "siglip"):
        tower, pooled = _load_dual(folder, config, family)
    else:
        tower, pooled = _load_dino(folder, family)
    side = getattr(tower.config, "image_size", None)
    spec = processor_spec(family, read_processor(folder), side)
    return ViTEncoder(
        tower,
        with_mode(spec, options.get("mode")),
        family,
        layers=parse_layers(options.get("layer"), FAMILIES[family].layer),
        pooled=pooled,
        name=request.name,
        license=read_license(folder),
    )


def parse_layers(text: str | None, default: int | str) -> list[int | str]:
    """Returns the layers that an option names.

    Raises:
        ConfigError: if it names none
    """
    if text is None:
        return [default]
    try:
        return [LAST if part == LAST else int(part) for part in text.split(",")]
    except ValueError:
        raise ConfigError(
            f"layer is {text!r}: give an index such as -2, several joined by commas, or 'last'"
        ) from None
