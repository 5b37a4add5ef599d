"""The published checkpoints: the tower's file, the trained part's file, and Llama-2 chat.

The published part holds what was trained (``llama_proj``, the language model's adapters) and
may hold the rest. The files are pickles: they are read with torch's weights-only loader, which
runs nothing that is in them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from ...errors import DP2VLError, ModelNotFoundError

__all__ = ["is_published", "load_published", "published_files", "read_published"]

TOWER_STEM = "eva_vit_g"
LORA_ALPHA = 16.0
"""Published with rank 64; the rank is read from the tensors."""

_ADAPTER = re.compile(r"^(?P<layer>.+)\.lora_(?P<side>[AB])(?:\.default)?\.weight$")
_WRAPPED = re.compile(r"^base_model\.model\.(?=(?:model|lm_head)\.)")
_SUFFIXES = (".pth", ".pt", ".safetensors")


def is_published(folder: Path) -> bool:
    """Returns whether a folder holds the published files and not the transformers format."""
    return not (folder / "config.json").is_file() and bool(published_files(folder))


def published_files(folder: Path) -> list[Path]:
    """Returns the weight files of a folder, in order of their names."""
    return sorted(file for file in folder.iterdir() if file.suffix in _SUFFIXES)


def read_published(file: Path) -> dict[str, Tensor]:
    """Returns the tensors of a published file, which keeps them under ``"model"`` or at the top.

    Raises:
        DP2VLError: if the file cannot be read without running code that is in it
    """
    if file.suffix == ".safetensors":
        from safetensors.torch import load_file

        loaded: dict[str, Tensor] = load_file(file)
        return loaded
    try:
        state = torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:
        raise DP2VLError(
            f"{file} cannot be read without running code that it contains, so it is refused: "
            "bring it as safetensors"
        ) from error
    inner = state.get("model", state) if isinstance(state, Mapping) else {}
    return {name: value for name, value in inner.items() if isinstance(value, Tensor)}


def load_published(model: Any, folder: Path) -> list[str]:
    """Loads the published files of a folder into a model whose language model is loaded.

    Args:
        model: a :class:`MiniGPTv2ForConditionalGeneration`
        folder: with ``eva_vit_g.pth`` and the trained part's file, or a file that has both

    Returns:
        names of the tensors that were in the files and have no place in the model

    Raises:
        ModelNotFoundError: if the tower or the projection is in no file
        DP2VLError: if a tensor has another shape than the model's
    """
    tensors: dict[str, Tensor] = {}
    for file in published_files(folder):
        read = read_published(file)
        tower = file.stem == TOWER_STEM
        tensors.update({f"visual_encoder.{n}": t for n, t in read.items()} if tower else read)
    own = model.state_dict()
    language, rest = _split(tensors)
    if "visual_encoder.pos_embed" in rest:
        rest["visual_encoder.pos_embed"] = _fit_positions(
            rest["visual_encoder.pos_embed"], own["visual_encoder.pos_embed"]
        )
    # The published code leaves this norm as it was made where no file has it.
    optional = {"ln_vision.weight", "ln_vision.bias"}
    for name in own:
        if not name.startswith("llama_model.") and name not in rest and name not in optional:
            part = "eva_vit_g.pth" if name.startswith("visual_encoder.") else "the checkpoint"
            raise ModelNotFoundError(
                f"{folder} has no tensor {name}: put {part} of the published release there"
            )
    used = {name: value for name, value in rest.items() if name in own}
    for name, value in used.items():
        if value.shape != own[name].shape:
            raise DP2VLError(
                f"{folder}: {name} has shape {tuple(value.shape)} and not {tuple(own[name].shape)}"
            )
    model.load_state_dict(used, strict=False)
    merge_adapters(model.llama_model, language)
    plain = {n: t for n, t in language.items() if ".lora_" not in n}
    left = model.llama_model.load_state_dict(plain, strict=False).unexpected_keys
    return sorted([*(set(rest) - set(used)), *(f"llama_model.{name}" for name in left)])


def _split(tensors: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Returns the language model's tensors by its own names, and all others."""
    language: dict[str, Tensor] = {}
    rest: dict[str, Tensor] = {}
    for name, value in tensors.items():
        if name.startswith("llama_model."):
            language[_WRAPPED.sub("", name.removeprefix("llama_model."))] = value
        else:
            rest[name] = value
    return language, rest


def _fit_positions(found: Tensor, own: Tensor) -> Tensor:
    """Returns position embeddings for another input size, interpolated bicubically."""
    if found.shape == own.shape:
        return found
    old, new = (round((x.shape[1] - 1) ** 0.5) for x in (found, own))
    grid = found[:, 1:].float().reshape(1, old, old, -1).permute(0, 3, 1, 2)
    grid = functional.interpolate(grid, size=(new, new), mode="bicubic", align_corners=False)
    return torch.cat([found[:, :1].float(), grid.flatten(2).transpose(1, 2)], dim=1)


@torch.no_grad()
def merge_adapters(
    module: nn.Module, tensors: Mapping[str, Tensor], alpha: float = LORA_ALPHA
) -> int:
    """Adds published adapters to the weights that they belong to.

    Args:
        module: the language model
        tensors: by its names, with ``.lora_A`` and ``.lora_B``
        alpha: LoRA's scale

    Returns:
        how many layers were changed

    Raises:
        DP2VLError: if an adapter belongs to no layer, or is only half there
    """
    halves: dict[str, dict[str, Tensor]] = {}
    for name, value in tensors.items():
        match = _ADAPTER.match(name)
        if match:
            halves.setdefault(match["layer"], {})[match["side"]] = value
    layers = dict(module.named_modules())
    for name, sides in halves.items():
        if name not in layers or set(sides) != {"A", "B"}:
            raise DP2VLError(
                f"the checkpoint's adapter of {name} does not fit the language model: "
                "bring Llama-2 chat of the size that the checkpoint was trained with"
            )
        down, up = sides["A"].float(), sides["B"].float()
        weight: Any = layers[name].weight
        if weight.dtype == torch.uint8 or tuple(weight.shape) != (up.shape[0], down.shape[1]):
            raise DP2VLError(
                f"the checkpoint's adapter of {name} does not fit the language model: "
                "bring Llama-2 chat of the size that the checkpoint was trained with, unquantised"
            )
        change = (alpha / len(down)) * (up @ down)
        weight.copy_((weight.float() + change.to(weight.device)).to(weight.dtype))
    return len(halves)
