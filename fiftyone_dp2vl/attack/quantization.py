"""Loading a language model in 4 bits (QLoRA, arXiv 2305.14314): on a GPU, by bitsandbytes."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

import torch

from ..errors import ConfigError

__all__ = ["WHOLE", "four_bits"]

WHOLE = (
    "lm_head",
    "vision_tower",
    "vision_model",
    "vision_encoder",
    "visual",
    "visual_encoder",
    "multi_modal_projector",
    "connector",
    "modality_projection",
    "llama_proj",
)
"""Modules that keep their precision: the head, and everything that a photo passes, so that towers
and projectors can be trained and see as they did."""


def four_bits(device: torch.device | str) -> Any:
    """Returns the ``quantization_config``: NormalFloat, double quantisation, bfloat16 products.

    Raises:
        ConfigError: if the device is no GPU, or bitsandbytes is not installed
    """
    if torch.device(device).type != "cuda":
        raise ConfigError("4-bit weights need a CUDA device: give device='cuda', or quantize=''")
    if find_spec("bitsandbytes") is None:
        raise ConfigError("4-bit weights need the package bitsandbytes: pip install bitsandbytes")
    from transformers import BitsAndBytesConfig

    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=torch.bfloat16,
        llm_int8_skip_modules=list(WHOLE),
    )
