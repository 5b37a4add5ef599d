"""MiniGPT-v2, which the transformers library does not have: model, processor, checkpoints."""

from __future__ import annotations

from .attacker import MiniGPTv2Attacker, convert_published, from_published, load_minigpt_v2
from .checkpoint import is_published, load_published
from .configuration import EvaVisionConfig, MiniGPTv2Config
from .modeling import MiniGPTv2ForConditionalGeneration
from .processing import MiniGPTv2Processor, image_processor, prompt
from .vision import EvaVisionModel

__all__ = [
    "EvaVisionConfig",
    "EvaVisionModel",
    "MiniGPTv2Attacker",
    "MiniGPTv2Config",
    "MiniGPTv2ForConditionalGeneration",
    "MiniGPTv2Processor",
    "convert_published",
    "from_published",
    "image_processor",
    "is_published",
    "load_minigpt_v2",
    "load_published",
    "prompt",
]
