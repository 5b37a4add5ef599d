"""How an attacker fine-tunes: frozen, validated, with a fingerprint. No torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ..config import Config, require

__all__ = ["FineTuneConfig"]


@dataclass(frozen=True, kw_only=True)
class FineTuneConfig(Config):
    """A fine-tuning recipe.

    Args:
        epochs: passes over the conversations, at least 1
        batch_size: conversations of an optimiser step
        micro_batch_size: conversations of a forward pass; gradients are accumulated to
            ``batch_size``; 0 takes all of a step at once
        learning_rate: of the language model's adapters, peak
        projector_learning_rate: of the projector where it is trained; 0 takes ``learning_rate``
        tower_learning_rate: of the vision encoder where it is trained; 0 takes a tenth of
            ``learning_rate`` for adapters and a hundredth for whole weights
        weight_decay: of AdamW
        warmup: share of the steps in which the rate rises, in [0, 1); it falls by a cosine after
        lora_rank: 0 trains the language model's own weights
        lora_alpha: LoRA's scale
        lora_dropout: in [0, 1)
        projector: ``"frozen"``, ``"lora"`` or ``"full"``
        tower: ``"frozen"``, ``"lora"`` or ``"full"``: the vision encoder
        augment: whether each pass sees every photo through random crops, flips, colour and noise
        precision: ``"fp32"``, ``"bf16"`` or ``"auto"`` (bf16 where the device has units for it)
        quantize: ``""`` or ``"4bit"`` (bitsandbytes, GPU only)
        gradient_checkpointing: whether activations are computed twice to save memory
        max_gradient_norm: gradients are clipped to this norm
    """

    _what: ClassVar[str] = "fine-tuning"

    epochs: int = 3
    batch_size: int = 16
    micro_batch_size: int = 0
    learning_rate: float = 2e-4
    projector_learning_rate: float = 0.0
    tower_learning_rate: float = 0.0
    weight_decay: float = 0.0
    warmup: float = 0.03
    lora_rank: int = 16
    lora_alpha: float = 32.0
    lora_dropout: float = 0.0
    projector: str = "full"
    tower: str = "frozen"
    augment: bool = False
    precision: str = "auto"
    quantize: str = ""
    gradient_checkpointing: bool = False
    max_gradient_norm: float = 1.0

    def __post_init__(self) -> None:
        require(self.epochs >= 1, f"epochs is {self.epochs}: give at least 1")
        require(self.batch_size >= 1, f"batch_size is {self.batch_size}: give at least 1")
        require(self.micro_batch_size >= 0, "micro_batch_size is negative: give 0 or more")
        require(self.learning_rate > 0, "learning_rate is not positive: give for example 2e-4")
        for name in ("projector_learning_rate", "tower_learning_rate"):
            require(getattr(self, name) >= 0, f"{name} is negative: give 0 or more")
        require(self.weight_decay >= 0, "weight_decay is negative: give 0 or more")
        require(0 <= self.warmup < 1, f"warmup is {self.warmup}: give a share in [0, 1)")
        require(self.lora_rank >= 0, f"lora_rank is {self.lora_rank}: give 0 or more")
        require(self.lora_alpha > 0, f"lora_alpha is {self.lora_alpha}: give more than 0")
        require(0 <= self.lora_dropout < 1, "lora_dropout is out of range: give [0, 1)")
        for name in ("projector", "tower"):
            value = getattr(self, name)
            require(
                value in ("frozen", "lora", "full"),
                f"{name} is {value!r}: give 'frozen', 'lora' or 'full'",
            )
        require(
            self.precision in ("auto", "fp32", "bf16"),
            f"precision is {self.precision!r}: give 'auto', 'fp32' or 'bf16'",
        )
        require(self.quantize in ("", "4bit"), "quantize is unknown: give '' or '4bit'")
        require(self.max_gradient_norm > 0, "max_gradient_norm is not positive")
