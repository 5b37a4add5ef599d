"""The vision tower of a LLaVA-format model, read where the model's projector reads it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from torch import nn

from ..errors import ConfigError
from .base import Encoder
from .processor import processor_spec, read_processor, with_mode
from .registry import EncoderRequest
from .vit import TYPES, ViTEncoder, build_tower
from .weights import find_model, load_strictly, read_config, read_license, read_tensors

__all__ = ["load_llava"]

_TOWER = re.compile(r"^(?:model\.)?vision_tower\.(?:vision_model\.)?")


def load_llava(request: EncoderRequest) -> Encoder:
    """Loads ``llava:FOLDER`` or ``llava:ID``: only the tower, only the blocks that are read.

    The configuration's ``vision_feature_layer`` (one or several) and
    ``vision_feature_select_strategy`` are obeyed, and the checkpoint's processor. Nothing in such
    a model pools, so the pooled embedding is the mean of the tokens.

    Options: ``mode`` (``crop``, ``pad`` or ``squash``), for a checkpoint that was trained with
    another preprocessing than its processor's file says.

    Raises:
        ModelNotFoundError: if the model is not here and cannot be fetched
        ConfigError: if an option is unknown or the model is of another kind
    """
    options = request.take("mode")

    def wanted(name: str) -> bool:
        return _TOWER.match(name) is not None

    folder = find_model(request.target, local_files_only=request.local_files_only, wanted=wanted)
    config = read_config(folder)
    vision = dict(config.get("vision_config") or {})
    kind = str(vision.pop("model_type", "clip_vision_model"))
    if config.get("model_type") != "llava" or kind not in TYPES:
        raise ConfigError(
            f"{request.target} is a {config.get('model_type')!r} model with a {kind!r} tower: "
            "llava: reads LLaVA-format models with a CLIP, SigLIP or DINO tower"
        )
    family = TYPES[kind]
    tower: Any = build_tower(family, vision)
    tensors = {_TOWER.sub("", n): t for n, t in read_tensors(folder, wanted).items()}
    layer = config.get("vision_feature_layer", -2)
    layers = list(layer) if isinstance(layer, Sequence) else [layer]
    _drop_head(tower)
    load_strictly(tower, tensors, folder)
    strategy = config.get("vision_feature_select_strategy", "default")
    if strategy not in ("default", "full"):
        raise ConfigError(
            f"{request.target} selects tokens by {strategy!r}: 'default' and 'full' are known"
        )
    spec = processor_spec(family, read_processor(folder), tower.config.image_size)
    return ViTEncoder(
        tower,
        with_mode(spec, options.get("mode")),
        family,
        layers=layers,
        # "default" drops the first token whatever it is: with SigLIP, that is a patch.
        skip=1 if strategy == "default" else 0,
        pooled=None,
        label="llava",
        name=request.name,
        license=read_license(folder),
    )


def _drop_head(tower: Any) -> None:
    """Frees what only the tower's own pooled output needs; checkpoints may come without it."""
    if hasattr(tower, "head"):
        tower.head = nn.Identity()
        tower.use_head = False
