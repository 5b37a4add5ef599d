"""Reads an official processor's file as a preprocessing specification."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from ..errors import ConfigError
from .base import PreprocessSpec

__all__ = ["processor_spec", "read_processor", "with_mode"]

CLIP_MEAN, CLIP_STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
HALF = (0.5, 0.5, 0.5)

_DEFAULTS: dict[str, dict[str, Any]] = {
    "clip": {
        "size": {"shortest_edge": 224},
        "crop_size": 224,
        "do_center_crop": True,
        "image_mean": CLIP_MEAN,
        "image_std": CLIP_STD,
    },
    "siglip": {"size": {"height": 224, "width": 224}, "image_mean": HALF, "image_std": HALF},
    "siglip2": {
        "resample": 2,
        "patch_size": 16,
        "max_num_patches": 256,
        "image_mean": HALF,
        "image_std": HALF,
    },
    "dinov2": {
        "size": {"shortest_edge": 256},
        "crop_size": 224,
        "do_center_crop": True,
        "image_mean": IMAGENET_MEAN,
        "image_std": IMAGENET_STD,
    },
    "dinov3_vit": {
        "size": {"height": 224, "width": 224},
        "resample": 2,
        "image_mean": IMAGENET_MEAN,
        "image_std": IMAGENET_STD,
    },
    "qwen2_vl": {
        "size": {"shortest_edge": 56 * 56, "longest_edge": 28 * 28 * 1280},
        "patch_size": 14,
        "merge_size": 2,
        "image_mean": CLIP_MEAN,
        "image_std": CLIP_STD,
    },
    "qwen3_vl": {
        "size": {"shortest_edge": 65536, "longest_edge": 16777216},
        "patch_size": 16,
        "merge_size": 2,
        "image_mean": HALF,
        "image_std": HALF,
    },
}
"""What the official processor of a family does where a file does not say."""

_FILTERS: dict[int, Literal["lanczos", "bilinear", "bicubic"]] = {
    1: "lanczos",
    2: "bilinear",
    3: "bicubic",
}


def read_processor(folder: Path) -> dict[str, Any]:
    """Returns the image processor's settings in a model's folder; empty if it has none."""
    for name in ("preprocessor_config.json", "processor_config.json"):
        file = folder / name
        if file.is_file():
            settings: dict[str, Any] = json.loads(file.read_text("utf-8"))
            inner = settings.get("image_processor", settings)
            if "image_mean" in inner or "size" in inner:
                return dict(inner)
    return {}


def _pair(value: Any) -> tuple[int, int]:
    if isinstance(value, Mapping):
        if "shortest_edge" in value:
            return int(value["shortest_edge"]), int(value["shortest_edge"])
        return int(value["height"]), int(value["width"])
    if isinstance(value, (list, tuple)):
        return int(value[0]), int(value[-1])
    return int(value), int(value)


def _triple(value: Any) -> tuple[float, float, float]:
    red, green, blue = (float(x) for x in value)
    return red, green, blue


def processor_spec(
    family: str, settings: Mapping[str, Any], side: int | tuple[int, int] | None = None
) -> PreprocessSpec:
    """Returns what an official processor's settings mean.

    Args:
        family: a key of the known families; its own defaults fill what the settings omit
        settings: of ``preprocessor_config.json``; may be empty
        side: the model's input size, used where ``settings`` is empty

    Raises:
        ConfigError: if the settings ask for something that no specification can say
    """
    known = {**_DEFAULTS[family], **{k: v for k, v in settings.items() if v is not None}}
    if side is not None and not settings:
        height, width = (side, side) if isinstance(side, int) else side
        if family == "clip":
            known.update(size={"shortest_edge": min(height, width)}, crop_size=(height, width))
        elif family in ("siglip", "dinov3_vit"):
            known["size"] = {"height": height, "width": width}
    resample = int(known.get("resample", 3))
    if resample not in _FILTERS:
        raise ConfigError(
            f"the processor resamples with Pillow's filter {resample}: 1, 2, 3 are known"
        )
    normalized = known.get("do_normalize", True)
    common: dict[str, Any] = {
        "interpolation": _FILTERS[resample],
        "mean": _triple(known["image_mean"]) if normalized else (0.0, 0.0, 0.0),
        "std": _triple(known["image_std"]) if normalized else (1.0, 1.0, 1.0),
    }
    if "max_num_patches" in known:
        most = int(known["max_num_patches"])
        return PreprocessSpec(
            size=None, mode="native", multiple=int(known["patch_size"]), max_patches=most, **common
        )
    size = known["size"]
    if "merge_size" in known:
        return PreprocessSpec(
            size=None,
            mode="native",
            multiple=int(known["patch_size"]) * int(known["merge_size"]),
            min_pixels=int(known.get("min_pixels") or size["shortest_edge"]),
            max_pixels=int(known.get("max_pixels") or size["longest_edge"]),
            **common,
        )
    if known.get("do_pad"):
        # The official border is the mean colour, truncated to 8 bits.
        border = _triple([int(float(m) * 255) / 255 for m in known["image_mean"]])
        return PreprocessSpec(size=_pair(size), mode="pad", pad_value=border, **common)
    if known.get("do_center_crop"):
        if isinstance(size, Mapping) and "height" in size:
            raise ConfigError("the processor squashes and then crops: no specification says that")
        cut = _pair(known.get("crop_size", size))
        return PreprocessSpec(size=cut, mode="crop", shortest=_pair(size)[0], **common)
    if isinstance(size, Mapping) and "shortest_edge" in size:
        raise ConfigError("the processor keeps a photo's shape without cropping: give ?mode=crop")
    return PreprocessSpec(size=_pair(size), mode="squash", **common)


def with_mode(spec: PreprocessSpec, mode: str | None) -> PreprocessSpec:
    """Returns a specification with another way of making photos square.

    Args:
        spec: the preprocessing
        mode: ``"crop"``, ``"pad"`` or ``"squash"``; None changes nothing

    Raises:
        ConfigError: if the mode is another, or the encoder is of native resolution
    """
    if mode is None:
        return spec
    if mode not in ("crop", "pad", "squash") or spec.size is None:
        raise ConfigError(
            f"mode is {mode!r}: give 'crop', 'pad' or 'squash', for a fixed input size"
        )
    values = spec.to_dict()
    border = tuple(int(m * 255) / 255 for m in spec.mean) if mode == "pad" else (0.0, 0.0, 0.0)
    values.update(mode=mode, pad_value=border, shortest=None)
    return PreprocessSpec(**values)
