"""A model of the transformers library from its folder: weights, processor, and what it is."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from ..encoders.weights import find_model, read_config, read_license
from ..errors import ConfigError, ModelNotFoundError
from .base import AttackerInfo
from .quantization import four_bits
from .registry import AttackerRequest

__all__ = ["Loaded", "describe", "load_pretrained", "weights_sha256"]


@dataclass(frozen=True)
class Loaded:
    """A model and its processor.

    Attributes:
        folder: where they came from
        model: on the request's device
        processor: its own
        quantized: loads the model again, in 4 bits
    """

    folder: Path
    model: Any
    processor: Any
    quantized: Callable[[], Any]

    @property
    def parameters(self) -> int:
        """Number of weights."""
        return sum(weight.numel() for weight in self.model.parameters())


def load_pretrained(
    request: AttackerRequest, classes: Mapping[str, Any], *, family: str, **options: Any
) -> Loaded:
    """Loads a model by its configuration's ``model_type``; runs no code of its folder.

    Args:
        request: which model, and where to
        classes: ``model_type`` -> the class that reads it
        family: named in errors
        options: more arguments of ``from_pretrained``

    Raises:
        ModelNotFoundError: if the model is not here and cannot be fetched, or is no safetensors
        ConfigError: if it is of another kind
    """
    import transformers

    folder = find_model(request.target, local_files_only=request.local_files_only)
    kind = str(read_config(folder).get("model_type"))
    if kind not in classes:
        raise ConfigError(
            f"{request.target} is a {kind!r} model and not of the {family} family "
            f"({', '.join(classes)}): see list_attackers() for the prefix that reads it"
        )
    if not any(folder.glob("*.safetensors")):
        raise ModelNotFoundError(
            f"{folder} holds no .safetensors file: convert the model's weights, or fetch a "
            "version that has them"
        )
    device = torch.device(request.device)
    settings: dict[str, Any] = {
        "dtype": torch.float32 if device.type == "cpu" else torch.bfloat16,
        # Plain attention is the faster one on a CPU for the few tokens of small models.
        "attn_implementation": "eager" if device.type == "cpu" else "sdpa",
        "local_files_only": True,
        "use_safetensors": True,
        "trust_remote_code": False,  # else transformers asks on the terminal whether to run it
        **options,
    }

    def quantized() -> Any:
        place = {"quantization_config": four_bits(device), "device_map": {"": device}}
        return classes[kind].from_pretrained(folder, **{**settings, **place})

    model = classes[kind].from_pretrained(folder, **settings).to(device)
    try:
        processor = transformers.AutoProcessor.from_pretrained(
            folder, local_files_only=True, trust_remote_code=False
        )
    except ValueError as error:
        raise ConfigError(
            f"{folder} has a processor that cannot be read without running code of its own: bring "
            "a version of the model whose processor is in transformers"
        ) from error
    return Loaded(folder, model, processor, quantized)


def describe(
    request: AttackerRequest, loaded: Loaded, family: str, extra: Mapping[str, Any] | None = None
) -> AttackerInfo:
    """Returns what a loaded model is."""
    return AttackerInfo(
        name=request.name,
        family=family,
        parameters=loaded.parameters,
        weights_sha256=weights_sha256(loaded.folder),
        license=read_license(loaded.folder),
        vision=describe_tower(getattr(loaded.model.config, "vision_config", None)),
        extra=dict(extra or {}),
    )


def describe_tower(config: Any) -> str:
    """Returns a vision tower in words, for example ``"clip_vision_model, 24 x 1024, 336 px"``."""
    if config is None:
        return ""
    said = [str(getattr(config, "model_type", "tower"))]
    depth = getattr(config, "num_hidden_layers", None) or getattr(config, "depth", None)
    width = getattr(config, "hidden_size", None) or getattr(config, "embed_dim", None)
    if depth and width:
        said.append(f"{depth} x {width}")
    if getattr(config, "image_size", None):
        said.append(f"{config.image_size} px")
    if getattr(config, "patch_size", None):
        said.append(f"patch {config.patch_size}")
    return ", ".join(said)


def weights_sha256(folder: Path) -> str:
    """Returns the hash of a folder's safetensors files, by name and content."""
    digest = hashlib.sha256()
    for file in sorted(folder.glob("*.safetensors")):
        digest.update(file.name.encode() + b"\0")
        with file.open("rb") as stream:
            while block := stream.read(1 << 22):
                digest.update(block)
    return digest.hexdigest()
