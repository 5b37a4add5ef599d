"""The towers of Qwen2-VL, Qwen2.5-VL and Qwen3-VL, at native resolution."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..errors import ConfigError
from .base import Encoder, Features, PreprocessSpec
from .packed import Packed, pad_tokens, patchify
from .preprocess import normalize, resize_each
from .processor import processor_spec, read_processor
from .registry import EncoderRequest
from .weights import find_model, load_strictly, read_config, read_license, read_tensors

__all__ = ["QwenVLEncoder", "load_qwen_vl"]

_TOWER = re.compile(r"^(?:model\.)?visual\.")
_FAMILIES = {
    "qwen2_vl": ("qwen2_vl", "Qwen2VLVisionConfig", "Qwen2VisionTransformerPretrainedModel"),
    "qwen2_5_vl": (
        "qwen2_5_vl",
        "Qwen2_5_VLVisionConfig",
        "Qwen2_5_VisionTransformerPretrainedModel",
    ),
    "qwen3_vl": ("qwen3_vl", "Qwen3VLVisionConfig", "Qwen3VLVisionModel"),
}
"""Family -> its module in transformers, its vision configuration and its vision model."""


class _PatchEmbedding(nn.Module):
    """A convolution whose kernel is its stride, as the multiplication that it is; in float32.

    The convolution over packed patches of one kernel each is far slower than this on a GPU.
    """

    def __init__(self, convolution: nn.Module) -> None:
        super().__init__()
        self.proj = convolution

    def forward(self, patches: Tensor) -> Tensor:
        """Returns (N, D) from patches (N, P)."""
        with torch.autocast(patches.device.type, enabled=False):
            weight: Any = self.proj.weight
            bias: Any = self.proj.bias
            return functional.linear(patches.float(), weight.flatten(1), bias)


class QwenVLEncoder(Encoder):
    """A Qwen-VL tower: the tokens are those that the language model is given.

    Args:
        tower: the vision model, its merger included
        spec: the preprocessing, of mode ``"native"``
        deepstack: whether the tokens of the inner layers that Qwen3-VL also gives to its language
            model are concatenated to the last layer's
        family: see :class:`Encoder`
        name: see :class:`Encoder`
        license: see :class:`Encoder`
    """

    tower: Any

    def __init__(
        self,
        tower: Any,
        spec: PreprocessSpec,
        *,
        deepstack: bool = False,
        family: str = "qwen2_vl",
        name: str = "",
        license: str = "unknown",
    ) -> None:
        super().__init__(spec, name=name, family=family, license=license)
        config = tower.config
        self._patch = int(config.patch_size)
        self._frames = int(config.temporal_patch_size)
        self._merge = int(config.spatial_merge_size)
        self._deepstack = deepstack
        tower.patch_embed = _PatchEmbedding(tower.patch_embed.proj)
        if not deepstack and hasattr(tower, "deepstack_merger_list"):
            tower.deepstack_visual_indexes = []
            tower.deepstack_merger_list = nn.ModuleList()
        self.tower = tower
        self.freeze()

    def preprocess(
        self, images: Sequence[Tensor] | Tensor, windows: Tensor | None = None
    ) -> Packed:
        """Returns all photos' patches in a row, in the official processor's layout."""
        photos = resize_each(images, self.spec, windows)
        patches = [
            patchify(normalize(photo, self.spec), self._patch, self._merge, self._frames)
            for photo in photos
        ]
        grid = [[1, p.shape[-2] // self._patch, p.shape[-1] // self._patch] for p in photos]
        return Packed(torch.cat(patches), torch.tensor(grid))

    def encode(self, inputs: Packed) -> Features:
        """Returns the features of packed photos; the mask says where tokens are real."""
        lengths = (inputs.grid.prod(dim=-1) // self._merge**2).tolist()
        out = self.tower(inputs.patches, grid_thw=inputs.grid.to(self.device))
        if hasattr(out, "pooler_output"):
            merged, inner = out.pooler_output, getattr(out, "deepstack_features", None)
        else:  # older releases return the tensor, or with it the inner layers' tokens
            merged, inner = out if isinstance(out, tuple) else (out, None)
        if self._deepstack and inner:
            merged = torch.cat([merged, *inner], dim=-1)
        tokens, mask = pad_tokens(torch.split(merged.float(), lengths))
        features = Features(tokens, tokens, mask)
        return features._replace(pooled=features.mean_token())


def load_qwen_vl(request: EncoderRequest) -> Encoder:
    """Loads ``qwen2_vl:``, ``qwen2_5_vl:`` or ``qwen3_vl:`` and a folder or id: only the tower.

    Options: ``deepstack`` (``true`` or ``false``, Qwen3-VL only) and ``max_pixels``, a lower
    bound on the size that photos are seen at than the model's own.

    Raises:
        ModelNotFoundError: if the model is not here and cannot be fetched
        ConfigError: if an option is unknown or the model is of another kind
    """
    import importlib

    options = request.take("deepstack", "max_pixels")

    def wanted(name: str) -> bool:
        return _TOWER.match(name) is not None

    folder = find_model(request.target, local_files_only=request.local_files_only, wanted=wanted)
    config = read_config(folder)
    family = str(config.get("model_type"))
    asked = request.name.partition(":")[0]
    if family not in _FAMILIES or asked not in (family, "local"):
        raise ConfigError(
            f"{request.target} is a {family!r} model and not a {asked!r} one: "
            "name it with the prefix of its own kind"
        )
    deepstack = _truth(options.get("deepstack", "false"))
    if deepstack and family != "qwen3_vl":
        raise ConfigError(f"deepstack is an option of qwen3_vl: only, and not of {family}:")
    module, config_class, model_class = _FAMILIES[family]
    base = f"transformers.models.{module}"
    configuration = importlib.import_module(f"{base}.configuration_{module}")
    modeling = importlib.import_module(f"{base}.modeling_{module}")
    vision = {k: v for k, v in config["vision_config"].items() if k != "model_type"}
    tower = getattr(modeling, model_class)(getattr(configuration, config_class)(**vision))
    tensors = {_TOWER.sub("", n): t for n, t in read_tensors(folder, wanted).items()}
    load_strictly(tower, tensors, folder)
    settings = {
        "patch_size": tower.config.patch_size,
        "merge_size": tower.config.spatial_merge_size,
        **read_processor(folder),
    }
    if "max_pixels" in options:
        settings["max_pixels"] = _whole(options["max_pixels"])
    spec = processor_spec("qwen3_vl" if family == "qwen3_vl" else "qwen2_vl", settings)
    return QwenVLEncoder(
        tower,
        spec,
        deepstack=deepstack,
        family=family,
        name=request.name,
        license=read_license(folder),
    )


def _truth(text: str) -> bool:
    if text not in ("true", "false"):
        raise ConfigError(f"deepstack is {text!r}: give 'true' or 'false'")
    return text == "true"


def _whole(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise ConfigError(f"max_pixels is {text!r}: give a number of pixels")
    return int(text)
