"""How each model family is fine-tuned with adapters, as its authors published it. No torch.

A published recipe is made for hundreds of thousands of samples. A set of personal photos is some
dozens, so that one pass in batches of 128 would be a handful of steps: ``personal`` keeps
everything of the published recipe but the passes and the batch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from .config import FineTuneConfig

__all__ = ["LINEAR", "RECIPES", "Recipe", "recipe_for"]

LINEAR = "all-linear"
"""Every linear layer of the language model but its head."""


@dataclass(frozen=True)
class Recipe:
    """How a family is fine-tuned.

    Attributes:
        published: the published settings, as far as :class:`FineTuneConfig` has them; where
            nothing was published, ours
        personal: the same for a set of some dozens of photos
        targets: names of the language model's layers that get adapters, or ``("all-linear",)``
        source: where it was published, or that it is ours
        note: what the published recipe has and ours leaves out, or ``""``
    """

    published: FineTuneConfig
    personal: FineTuneConfig
    targets: tuple[str, ...]
    source: str
    note: str = ""


def _recipe(
    published: FineTuneConfig,
    source: str,
    *,
    targets: tuple[str, ...] = (LINEAR,),
    note: str = "",
    epochs: int = 10,
    batch_size: int = 16,
) -> Recipe:
    personal = replace(
        published,
        epochs=max(epochs, published.epochs),
        batch_size=min(batch_size, published.batch_size),
    )
    return Recipe(published, personal, targets, source, note)


_LLAVA = FineTuneConfig(
    epochs=1,
    batch_size=128,
    learning_rate=2e-4,
    projector_learning_rate=2e-5,
    weight_decay=0.0,
    warmup=0.03,
    lora_rank=128,
    lora_alpha=256.0,
    lora_dropout=0.05,
    projector="full",
    tower="frozen",
)
_MINIGPT_V2 = FineTuneConfig(
    epochs=50,
    batch_size=8,
    learning_rate=8e-5,
    weight_decay=0.05,
    warmup=0.02,
    lora_rank=64,
    lora_alpha=16.0,
    lora_dropout=0.05,
    projector="full",
    tower="frozen",
)
_QWEN_VL = FineTuneConfig(
    epochs=5,
    batch_size=8,
    learning_rate=1e-5,
    weight_decay=0.1,
    warmup=0.01,
    lora_rank=64,
    lora_alpha=16.0,
    lora_dropout=0.05,
    projector="frozen",
    tower="frozen",
)
_QWEN2_VL = FineTuneConfig(
    epochs=3,
    batch_size=8,
    learning_rate=1e-4,
    warmup=0.1,
    lora_rank=8,
    lora_alpha=16.0,
    lora_dropout=0.0,
    projector="frozen",
    tower="frozen",
)
_OURS = FineTuneConfig(
    epochs=3,
    batch_size=16,
    learning_rate=2e-4,
    lora_rank=16,
    lora_alpha=32.0,
    projector="full",
    tower="frozen",
)

RECIPES: Mapping[str, Recipe] = MappingProxyType(
    {
        "llava": _recipe(
            _LLAVA,
            "haotian-liu/LLaVA, scripts/v1_5/finetune_lora.sh; the victim of "
            "umd-huang-lab/VLM-Poisoning",
        ),
        "llava_next": _recipe(
            _LLAVA, "no published recipe with adapters: that of LLaVA-1.5, scripts/v1_5"
        ),
        "minigpt_v2": _recipe(
            _MINIGPT_V2,
            "Vision-CAIR/MiniGPT-4, train_configs/minigptv2_finetune.yaml and "
            "minigpt4/models/minigpt_v2.py (freeze_vit, rank 64, alpha 16)",
            targets=("q_proj", "v_proj"),
            note="published: 50 epochs of 1000 steps, whose rate goes from 1e-5 to 8e-5 by a "
            "cosine, with batches of 1 to 6 a GPU by data set; here it rises to 8e-5 and falls",
        ),
        "qwen_vl_original": _recipe(
            _QWEN_VL,
            "QwenLM/Qwen-VL, finetune/finetune_lora_single_gpu.sh (--fix_vit True) and finetune.py",
            targets=("c_attn", "attn.c_proj", "w1", "w2"),
            note="published with adam_beta2 0.95, and word embeddings and head trained whole",
            epochs=5,
        ),
        "qwen2_vl": _recipe(
            _QWEN2_VL,
            "hiyouga/LLaMA-Factory, examples/train_lora/qwen2vl_lora_sft.yaml; the authors "
            "themselves published no recipe with adapters for it",
        ),
        "qwen2_5_vl": _recipe(
            _QWEN2_VL, "no published recipe with adapters known to us: that of Qwen2-VL"
        ),
        "qwen3_vl": _recipe(
            _QWEN2_VL, "no published recipe with adapters known to us: that of Qwen2-VL"
        ),
        "auto": _recipe(_OURS, "no published recipe for all of them: ours"),
    }
)
"""Family -> how it is fine-tuned."""


def recipe_for(family: str) -> Recipe:
    """Returns a family's recipe; that of ``"auto"`` for a family that is not listed."""
    return RECIPES.get(family, RECIPES["auto"])
