"""The image towers of open_clip: its own transformers and ResNets, and timm's trunks."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import ConfigError, ModelNotFoundError
from .base import Encoder, Features, PreprocessSpec
from .precision import keep_float32
from .registry import EncoderRequest
from .weights import find_model, load_strictly, read_license, read_tensors

__all__ = ["OpenClipEncoder", "load_open_clip"]

WEIGHTS = (
    "open_clip_model.safetensors",
    "open_clip_pytorch_model.safetensors",
    "open_clip_pytorch_model.bin",
    "open_clip_pytorch_model.pth",
    "model.safetensors",
)
"""Names of weight files, the best first."""


class OpenClipEncoder(Encoder):
    """An image tower of open_clip.

    The tokens are what the tower pools: of a transformer its patch tokens after the last norm
    (before it, where the tower norms after pooling), of a ConvNeXt or ResNet its last feature
    map. Where an attention pooler makes tokens of its own (CoCa), they are those that it reads.

    Args:
        visual: the tower
        spec: the preprocessing
        layer: of a transformer, read the tokens after this block instead: an index as in
            ``hidden_states``, 1 the first block's output, -1 the last one's
        name: see :class:`Encoder`
        license: see :class:`Encoder`
    """

    visual: Any

    def __init__(
        self,
        visual: Any,
        spec: PreprocessSpec,
        *,
        layer: int | None = None,
        name: str = "",
        license: str = "unknown",
    ) -> None:
        super().__init__(spec, name=name, family="open_clip", license=license)
        self.visual = visual
        self._layer = None if layer is None else _block(visual, layer)
        for part in ("patch_embed", "stem"):
            first = getattr(getattr(visual, "trunk", None), part, None)
            if isinstance(first, nn.Module):
                keep_float32(first)
        self.freeze()

    def encode(self, inputs: Tensor) -> Features:
        """Returns the features of preprocessed photos (B, 3, h, w)."""
        if hasattr(self.visual, "trunk"):
            tokens, pooled = self._timm(inputs)
        elif hasattr(self.visual, "transformer"):
            tokens, pooled = self._transformer(inputs)
        else:
            tokens, pooled = self._resnet(inputs)
        return Features(tokens.float(), pooled.float())

    def _transformer(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        visual = self.visual
        with torch.autocast(inputs.device.type, enabled=False):
            hidden = visual._embeds(inputs.float())
        if self._layer is None:
            hidden, read = visual.transformer(hidden), None
        else:
            hidden, (read,) = visual.transformer.forward_intermediates(
                hidden, indices=[self._layer]
            )
        pooled, tokens = visual._pool(hidden)
        if read is not None:
            tokens = read[:, 1:]
        elif visual.attn_pool is not None:
            tokens = hidden[:, 1:]
        return tokens, pooled if visual.proj is None else pooled @ visual.proj

    def _timm(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        trunk = self.visual.trunk
        if self._layer is None:
            features = trunk.forward_features(inputs)
            tokens = _tokens(features, trunk)
        else:
            features, (tokens,) = trunk.forward_intermediates(
                inputs, indices=[self._layer], norm=False, output_fmt="NLC"
            )
        return tokens, self.visual.head(trunk.forward_head(features))

    def _resnet(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        visual = self.visual
        with torch.autocast(inputs.device.type, enabled=False):
            hidden = visual.stem(inputs.float())
        for stage in (visual.layer1, visual.layer2, visual.layer3, visual.layer4):
            hidden = stage(hidden)
        return hidden.flatten(2).mT, visual.attnpool(hidden)


def _tokens(features: Tensor, trunk: Any) -> Tensor:
    """Returns (B, T, D) from what a timm trunk computes, without class and register tokens."""
    if features.ndim == 3:
        return features[:, getattr(trunk, "num_prefix_tokens", 0) :]
    last = getattr(trunk, "output_fmt", "NCHW") == "NHWC"
    return features.flatten(1, 2) if last else features.flatten(2).mT


def _block(visual: Any, layer: int) -> int:
    """Returns the index of the block after which to read.

    Raises:
        ConfigError: if the tower has no such block, or is no transformer
    """
    if hasattr(visual, "transformer"):
        depth = len(visual.transformer.resblocks)
    elif hasattr(getattr(visual, "trunk", None), "blocks"):
        depth = len(visual.trunk.blocks)
    else:
        raise ConfigError("layer is an option of transformers only: leave it out")
    index = layer if layer >= 0 else depth + 1 + layer
    if not 1 <= index <= depth:
        raise ConfigError(f"layer is {layer}: the tower has blocks 1 to {depth}")
    return index - 1


def open_clip_spec(settings: Mapping[str, Any], size: Any) -> PreprocessSpec:
    """Returns what open_clip's preprocessing settings mean.

    Args:
        settings: of ``open_clip.PreprocessCfg``, any part of them
        size: of the tower's input, one number or (height, width)

    Raises:
        ConfigError: if a setting is unknown
    """
    from .processor import CLIP_MEAN, CLIP_STD

    modes = {"shortest": "crop", "longest": "fit", "squash": "squash"}
    mode = settings.get("resize_mode") or "shortest"
    if mode not in modes:
        raise ConfigError(f"the model's resize_mode is {mode!r}: {', '.join(modes)} are known")
    height, width = (size, size) if isinstance(size, int) else (int(size[0]), int(size[-1]))
    fill = float(settings.get("fill_color") or 0) / 255
    bilinear = settings.get("interpolation") == "bilinear"
    return PreprocessSpec(
        size=(height, width),
        mode=modes[mode],  # type: ignore[arg-type]
        interpolation="bilinear" if bilinear else "bicubic",
        mean=tuple(settings.get("mean") or CLIP_MEAN),
        std=tuple(settings.get("std") or CLIP_STD),
        pad_value=(fill, fill, fill),
        crop_rounding="round",
    )


def _find(request: EncoderRequest) -> tuple[dict[str, Any], dict[str, Any], Path, Path]:
    """Returns a model's configuration, its preprocessing, its weight file and its folder."""
    import open_clip

    target, only_here = request.target.removeprefix("hf-hub:"), request.local_files_only
    architecture, _, tag = target.partition("/")
    known = open_clip.list_models()
    if Path(target).expanduser().is_dir() or architecture not in known:
        if not Path(target).expanduser().is_dir() and ("/" not in target or architecture == ""):
            raise ConfigError(
                f"open_clip has no architecture {architecture!r}: give one of "
                "open_clip.list_models(), a folder with open_clip_config.json, or a hub id"
            )
        folder = find_model(target, local_files_only=only_here, files=WEIGHTS)
        file = folder / "open_clip_config.json"
        if not file.is_file():
            raise ModelNotFoundError(f"{folder} has no open_clip_config.json: give another folder")
        stored = json.loads(file.read_text("utf-8"))
        return stored["model_cfg"], stored.get("preprocess_cfg", {}), _weights(folder), folder
    config = dict(open_clip.get_model_config(architecture))
    preprocessing: dict[str, Any] = {}
    if not tag:
        raise ConfigError(
            f"{request.name!r} names no weights: add /TAG, one of "
            f"{', '.join(open_clip.list_pretrained_tags_by_model(architecture)) or 'none'}, "
            "or /FILE"
        )
    file = Path(tag).expanduser()
    if file.is_file():
        return config, preprocessing, file, file.parent
    settings = open_clip.get_pretrained_cfg(architecture, tag)
    if not settings:
        tags = ", ".join(open_clip.list_pretrained_tags_by_model(architecture))
        raise ModelNotFoundError(
            f"{tag!r} is no file and no tag of {architecture}: the tags are {tags or 'none'}"
        )
    repository, _, named = str(settings["hf_hub"]).rpartition("/")
    names = (named.rsplit(".", 1)[0] + ".safetensors", named) if named else WEIGHTS
    folder = find_model(repository, local_files_only=only_here, files=names)
    # The activation that the weights were trained with, whatever the architecture's name says.
    config["quick_gelu"] = bool(settings.get("quick_gelu", False))
    return config, dict(settings), _weights(folder, names), folder


def _weights(folder: Path, names: tuple[str, ...] = WEIGHTS) -> Path:
    for name in names:
        if (folder / name).is_file():
            return folder / name
    raise ModelNotFoundError(f"{folder} holds no weights: it needs {names[0]}")


def load_open_clip(request: EncoderRequest) -> Encoder:
    """Loads ``open_clip:ARCHITECTURE/TAG``, ``ARCHITECTURE/FILE``, a folder, or a hub id.

    Only the image tower is built: no text model, nothing that its tokenizer would fetch.

    Options: ``layer``, see :class:`OpenClipEncoder`.

    Raises:
        ModelNotFoundError: if the weights are not here and cannot be fetched
        ConfigError: if an option or the architecture is unknown
    """
    from open_clip.model import _build_vision_tower

    options = request.take("layer")
    config, preprocessing, file, folder = _find(request)
    vision = {**config["vision_cfg"], "timm_model_pretrained": False}
    visual = _build_vision_tower(config["embed_dim"], vision, config.get("quick_gelu", False))
    tensors = {n.removeprefix("module."): t for n, t in read_tensors([file]).items()}
    own = {n.removeprefix("visual."): t for n, t in tensors.items() if n.startswith("visual.")}
    load_strictly(visual, own, file)
    layer = options.get("layer")
    if layer is not None and not layer.lstrip("-").isdigit():
        raise ConfigError(f"layer is {layer!r}: give an index such as -2")
    return OpenClipEncoder(
        visual,
        open_clip_spec(preprocessing, vision.get("image_size", 224)),
        layer=None if layer is None else int(layer),
        name=request.name,
        license=read_license(folder),
    )
