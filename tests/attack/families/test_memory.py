"""The memory estimate against models that are really there."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch

from fiftyone_dp2vl.attack import FineTuneConfig
from fiftyone_dp2vl.attack.memory import REAL_SIZES, estimate_memory
from fiftyone_dp2vl.attack.recipes import RECIPES
from fiftyone_dp2vl.attack.registry import load_attacker
from fiftyone_dp2vl.errors import ConfigError

transformers = pytest.importorskip("transformers")

SMALL = FineTuneConfig(epochs=1, batch_size=24, lora_rank=4, precision="fp32")


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"projector": "frozen"},
        {"projector": "lora", "tower": "lora"},
        {"lora_rank": 0, "tower": "full"},
    ],
)
def test_weights_and_trained_weights_are_counted_exactly(
    changes: dict[str, Any], tiny_llava: str, lessons: Any, pictures: Any
) -> None:
    attacker: Any = load_attacker(tiny_llava)
    config = replace(SMALL, **changes)
    estimate = estimate_memory(attacker.model.config, config, 40, weight_bytes=4)
    loaded = sum(w.numel() * w.element_size() for w in attacker.model.parameters())
    assert estimate.weights == loaded
    assert estimate.parameters == attacker.info.parameters

    attacker.fine_tune(lessons, pictures, config)
    trained = dict(attacker._adaptation.trained())
    assert estimate.trained == sum(w.numel() for w in trained.values())
    adapters = sum(w.numel() * w.element_size() for n, w in trained.items() if "lora_" in n)
    assert estimate.adapters == adapters
    assert estimate.gradients == sum(w.numel() * w.element_size() for w in trained.values())
    optimiser = torch.optim.AdamW(trained.values())
    for weight in trained.values():
        weight.grad = torch.zeros_like(weight)
    optimiser.step()
    moments = [s[m] for s in optimiser.state.values() for m in ("exp_avg", "exp_avg_sq")]
    assert estimate.optimizer == sum(m.numel() * m.element_size() for m in moments)


def llama(depth: int) -> Any:
    return transformers.LlavaConfig(
        vision_config={
            "model_type": "clip_vision_model",
            "hidden_size": 16,
            "num_hidden_layers": 1,
            "num_attention_heads": 2,
            "intermediate_size": 32,
            "image_size": 16,
            "patch_size": 8,
        },
        text_config={
            "model_type": "llama",
            "hidden_size": 64,
            "intermediate_size": 160,
            "num_hidden_layers": depth,
            "num_attention_heads": 4,
            "num_key_value_heads": 4,
            "vocab_size": 100,
        },
    )


def test_activations_are_what_a_forward_pass_keeps() -> None:
    from peft import LoraConfig, get_peft_model

    config = replace(SMALL, batch_size=3, lora_rank=8)
    estimate = estimate_memory(llama(4), config, 50, answer_tokens=0)

    model = transformers.LlavaForConditionalGeneration(llama(4)).to(torch.bfloat16)
    model.set_attn_implementation("sdpa")
    language = model.model.language_model
    targets = [n for n, m in language.named_modules() if isinstance(m, torch.nn.Linear)]
    adapted = get_peft_model(language, LoraConfig(r=8, target_modules=targets)).train()
    held: dict[int, Any] = {}
    weights = {w.untyped_storage().data_ptr() for w in language.parameters()}

    def keep(value: Any) -> Any:
        place = value.untyped_storage().data_ptr()
        if place not in weights:
            held[place] = value
        return value

    start = torch.randn(3, 50, 64, dtype=torch.bfloat16, requires_grad=True)
    with (
        torch.autocast("cpu", torch.bfloat16),
        torch.autograd.graph.saved_tensors_hooks(keep, lambda value: value),
    ):
        adapted(inputs_embeds=start, use_cache=False)
    # Autocast's copies of the adapters' own weights do not grow with the batch.
    shapes = {tuple(w.shape) for n, w in adapted.named_parameters() if "lora_" in n}
    shapes |= {shape[::-1] for shape in shapes}
    measured = sum(
        v.untyped_storage().nbytes() for v in held.values() if tuple(v.shape) not in shapes
    )
    assert estimate.activations == pytest.approx(measured, rel=0.1)


def test_checkpointing_keeps_less_and_rows_more() -> None:
    config = replace(SMALL, batch_size=2)
    plain = estimate_memory(llama(6), config, 50)
    again = estimate_memory(llama(6), replace(config, gradient_checkpointing=True), 50)
    twice = estimate_memory(llama(6), replace(config, batch_size=4), 50)
    assert again.activations < 0.5 * plain.activations
    assert twice.activations == pytest.approx(2 * plain.activations, rel=0.05)
    assert again.weights == plain.weights
    assert replace(again, activations=0).total == replace(plain, activations=0).total


PUBLISHED = {"llava-1.5-7b": 7.06, "qwen2-vl-7b": 8.29, "minigpt-v2-7b": 7.75}
FAMILY = {"llava-1.5-7b": "llava", "qwen2-vl-7b": "qwen2_vl", "minigpt-v2-7b": "minigpt_v2"}


@pytest.mark.parametrize("name", list(REAL_SIZES))
def test_the_victims_fit(name: str) -> None:
    recipe = replace(
        RECIPES[FAMILY[name]].published, micro_batch_size=4, gradient_checkpointing=True
    )
    half = estimate_memory(name, recipe, 700)
    assert half.parameters / 1e9 == pytest.approx(PUBLISHED[name], abs=0.01)
    assert half.total < 0.8 * 48 * 2**30
    quarter = estimate_memory(name, replace(recipe, quantize="4bit"), 700)
    assert quarter.total < 0.8 * 24 * 2**30
    assert quarter.weights < 0.45 * half.weights


def test_unknown_sizes_are_said() -> None:
    with pytest.raises(ConfigError, match=r"give llava-1\.5-7b, qwen2-vl-7b"):
        estimate_memory("gpt", SMALL, 100)


def test_four_bits_need_a_gpu_and_a_package(monkeypatch: pytest.MonkeyPatch) -> None:
    from fiftyone_dp2vl.attack import quantization

    with pytest.raises(ConfigError, match="need a CUDA device"):
        quantization.four_bits("cpu")
    monkeypatch.setattr(quantization, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match="pip install bitsandbytes"):
        quantization.four_bits("cuda")


def test_four_bits_on_a_cpu_are_refused_and_the_model_stays_usable(
    tiny_llava: str, lessons: Any, pictures: Any, asked: Any
) -> None:
    attacker: Any = load_attacker(tiny_llava)
    before = attacker.score_choices(asked[:2], pictures)
    with pytest.raises(ConfigError, match="4-bit weights need a CUDA device"):
        attacker.fine_tune(lessons, pictures, replace(SMALL, quantize="4bit"))
    after = attacker.score_choices(asked[:2], pictures)
    assert [scores.tolist() for scores in before] == [scores.tolist() for scores in after]
