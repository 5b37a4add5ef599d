"""MiniGPT-v2: the architecture against plain arithmetic, its two formats, and the attack."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from fiftyone_dp2vl.attack.registry import load_attacker
from fiftyone_dp2vl.errors import ConfigError, DP2VLError, ModelNotFoundError

transformers = pytest.importorskip("transformers")

WIDTH, HEADS, BLOCKS, SIDE, PATCH = 24, 3, 2, 56, 14


def config() -> Any:
    from fiftyone_dp2vl.attack.minigpt_v2 import MiniGPTv2Config

    text = transformers.LlamaConfig(
        vocab_size=320,
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=2,
        initializer_range=0.3,
    )
    vision = {
        "hidden_size": WIDTH,
        "intermediate_size": 40,
        "num_hidden_layers": BLOCKS,
        "num_attention_heads": HEADS,
        "image_size": SIDE,
        "patch_size": PATCH,
    }
    return MiniGPTv2Config(vision_config=vision, text_config=text)


def build() -> Any:
    from fiftyone_dp2vl.attack.minigpt_v2 import MiniGPTv2ForConditionalGeneration

    torch.manual_seed(0)
    model = MiniGPTv2ForConditionalGeneration(config()).eval()
    with torch.no_grad():
        for weight in model.parameters():
            weight.add_(0.05 * torch.randn_like(weight))
    return model


def plain_tower(state: dict[str, Tensor], pixels: Tensor) -> Tensor:
    """EVA's tower from its description, written without any of the library's code."""

    def norm(x: Tensor, name: str, eps: float) -> Tensor:
        mean = x.mean(-1, keepdim=True)
        spread = x.var(-1, unbiased=False, keepdim=True)
        return (x - mean) / (spread + eps).sqrt() * state[f"{name}.weight"] + state[f"{name}.bias"]

    kernel = state["patch_embed.proj.weight"]
    rows = []
    for top in range(0, SIDE, PATCH):
        for left in range(0, SIDE, PATCH):
            patch = pixels[:, :, top : top + PATCH, left : left + PATCH]
            rows.append(torch.einsum("bchw,dchw->bd", patch, kernel))
    x = torch.stack(rows, 1) + state["patch_embed.proj.bias"]
    x = torch.cat([state["cls_token"].expand(len(x), -1, -1), x], 1) + state["pos_embed"]
    size = WIDTH // HEADS
    for block in range(BLOCKS):
        at = f"blocks.{block}"
        y = norm(x, f"{at}.norm1", 1e-6)
        weight = state[f"{at}.attn.qkv.weight"]
        q = y @ weight[:WIDTH].T + state[f"{at}.attn.q_bias"]
        k = y @ weight[WIDTH : 2 * WIDTH].T
        v = y @ weight[2 * WIDTH :].T + state[f"{at}.attn.v_bias"]
        out = torch.zeros_like(v)
        for head in range(HEADS):
            part = slice(head * size, (head + 1) * size)
            scores = q[..., part] @ k[..., part].transpose(1, 2) / math.sqrt(size)
            out[..., part] = scores.softmax(-1) @ v[..., part]
        x = x + out @ state[f"{at}.attn.proj.weight"].T + state[f"{at}.attn.proj.bias"]
        y = norm(x, f"{at}.norm2", 1e-6)
        y = y @ state[f"{at}.mlp.fc1.weight"].T + state[f"{at}.mlp.fc1.bias"]
        y = y * (1 + torch.erf(y / math.sqrt(2))) / 2
        x = x + y @ state[f"{at}.mlp.fc2.weight"].T + state[f"{at}.mlp.fc2.bias"]
    return x


def test_the_tower_is_the_described_one() -> None:
    model = build()
    pixels = torch.randn(2, 3, SIDE, SIDE)
    with torch.no_grad():
        plain = plain_tower(model.visual_encoder.state_dict(), pixels)
        torch.testing.assert_close(model.visual_encoder(pixels), plain, atol=1e-5, rtol=1e-5)
        normed = torch.nn.functional.layer_norm(
            plain[:, 1:], (WIDTH,), model.ln_vision.weight, model.ln_vision.bias, eps=1e-5
        )
        # Visual token j is made of patches 4 j to 4 j + 3 in reading order.
        joined = torch.stack([normed[:, 4 * j : 4 * j + 4].flatten(1) for j in range(4)], 1)
        visual = joined @ model.llama_proj.weight.T + model.llama_proj.bias
        torch.testing.assert_close(model.get_image_features(pixels), visual, atol=1e-5, rtol=1e-5)


def test_the_published_sizes() -> None:
    from fiftyone_dp2vl.attack.minigpt_v2 import MiniGPTv2Config, MiniGPTv2ForConditionalGeneration

    real = MiniGPTv2Config()
    assert real.image_tokens == 256
    with torch.device("meta"):
        model = MiniGPTv2ForConditionalGeneration(real)
    shapes = {name: tuple(value.shape) for name, value in model.state_dict().items()}
    assert shapes["visual_encoder.pos_embed"] == (1, 1025, 1408)
    assert shapes["visual_encoder.blocks.38.mlp.fc1.weight"] == (6144, 1408)
    assert "visual_encoder.blocks.39.norm1.weight" not in shapes
    assert "visual_encoder.blocks.0.attn.qkv.bias" not in shapes
    assert shapes["llama_proj.weight"] == (4096, 5632)
    assert shapes["llama_model.lm_head.weight"] == (32000, 4096)


def test_own_format_round_trip(tmp_path: Path) -> None:
    from fiftyone_dp2vl.attack.minigpt_v2 import MiniGPTv2ForConditionalGeneration

    model = build()
    model.save_pretrained(tmp_path)
    again = MiniGPTv2ForConditionalGeneration.from_pretrained(tmp_path)
    assert again.config.image_tokens == 4
    assert again.config.text_config.vocab_size == again.config.image_token_id == 320
    theirs = model.state_dict()
    for name, value in again.state_dict().items():
        torch.testing.assert_close(value, theirs[name], msg=name)


def tiny_tokenizer(byte_tokenizer: Callable[..., Any]) -> Any:
    tokenizer = byte_tokenizer(
        ["<unk>", "<s>", "</s>"], unk_token="<unk>", bos_token="<s>", eos_token="</s>"
    )
    assert len(tokenizer) <= 320
    return tokenizer


@pytest.fixture
def own_format(byte_tokenizer: Callable[..., Any], tmp_path: Path) -> str:
    from fiftyone_dp2vl.attack.minigpt_v2 import MiniGPTv2Processor, image_processor

    model = build()
    folder = tmp_path / "minigpt_v2"
    model.save_pretrained(folder)
    MiniGPTv2Processor(
        image_processor(SIDE), tiny_tokenizer(byte_tokenizer), image_tokens=4, image_token_id=320
    ).save_pretrained(folder)
    return f"minigpt_v2:{folder}"


@torch.no_grad()
def by_hand(attacker: Any, picture: Any, question: Any, answer: list[int]) -> Tensor:
    """The logits of an answer with the photo squashed and normalised by hand."""
    pixels = np.asarray(picture.resize((SIDE, SIDE), Image.Resampling.BICUBIC)) / 255
    mean = np.array([0.48145466, 0.4578275, 0.40821073])
    spread = np.array([0.26862954, 0.26130258, 0.27577711])
    planes = torch.tensor((pixels - mean) / spread).permute(2, 0, 1)[None].float()
    tokenizer = attacker.tokenizer

    def spell(text: str) -> list[int]:
        return list(tokenizer(text, add_special_tokens=False)["input_ids"])

    before = [tokenizer.bos_token_id, *spell("[INST] <Img>")]
    after = [*spell(f"</Img> [vqa] {question.text} [/INST]")]
    words = attacker.model.llama_model.get_input_embeddings()
    embeds = torch.cat(
        [
            words(torch.tensor([before])),
            attacker.model.get_image_features(planes),
            words(torch.tensor([after + answer])),
        ],
        dim=1,
    )
    logits: Tensor = attacker.model.llama_model(inputs_embeds=embeds).logits
    return logits[0, -len(answer) - 1 :].float()


def test_the_whole_attack(own_format: str, check_attacker: Callable[..., None]) -> None:
    check_attacker(lambda: load_attacker(own_format), by_hand, tower="lora", lora_rank=8, epochs=10)
    attacker: Any = load_attacker(own_format)
    assert attacker.info.family == "minigpt_v2"
    assert {n.rpartition(".")[2] for n in attacker.lora_targets("language")} == {"q_proj", "v_proj"}


@pytest.fixture
def published(byte_tokenizer: Callable[..., Any], tmp_path: Path) -> tuple[Path, Any]:
    """The published files' layout at tiny size, and the model that they stand for."""
    model = build()
    state = model.state_dict()
    language = model.llama_model
    folder = tmp_path / "published"
    llama = folder / "llama"
    torch.manual_seed(5)
    language.save_pretrained(llama)
    tiny_tokenizer(byte_tokenizer).save_pretrained(llama)

    tower = {n.removeprefix("visual_encoder."): v for n, v in state.items() if "visual" in n}
    # The published tower was trained at 224 px, has a 40th block and norms that are not used.
    last = {n.replace(".1.", ".2."): v for n, v in tower.items() if n.startswith("blocks.1.")}
    torch.save({**tower, **last, "norm.weight": torch.ones(WIDTH)}, folder / "eva_vit_g.pth")

    trained = {n: v for n, v in state.items() if n.startswith(("llama_proj", "ln_vision"))}
    for layer in range(2):
        for name in ("q_proj", "v_proj"):
            at = f"model.layers.{layer}.self_attn.{name}"
            down, up = 0.1 * torch.randn(6, 32), 0.1 * torch.randn(32, 6)
            trained[f"llama_model.base_model.model.{at}.lora_A.weight"] = down
            trained[f"llama_model.base_model.model.{at}.lora_B.weight"] = up
            with torch.no_grad():
                language.get_submodule(at).weight += 16 / 6 * up @ down
    config = {"model": {"arch": "minigpt_v2"}, "run": {"lr": 1e-5}}
    torch.save({"model": trained, "epoch": 3, "config": config}, folder / "checkpoint_stage3.pth")
    return folder, model


def test_the_published_names_load(published: tuple[Path, Any], tmp_path: Path) -> None:
    from fiftyone_dp2vl.attack.minigpt_v2 import convert_published, from_published

    folder, model = published
    found = from_published(folder, folder / "llama", config())
    for name, value in found.state_dict().items():
        torch.testing.assert_close(value, model.state_dict()[name], msg=name)

    convert_published(folder, folder / "llama", tmp_path / "converted", config())
    attacker: Any = load_attacker(f"minigpt_v2:{tmp_path / 'converted'}")
    for name, value in attacker.model.state_dict().items():
        torch.testing.assert_close(value, model.state_dict()[name], msg=name)


def test_positions_of_another_size_are_interpolated(published: tuple[Path, Any]) -> None:
    from fiftyone_dp2vl.attack.minigpt_v2 import from_published

    folder, _ = published
    tower = torch.load(folder / "eva_vit_g.pth", weights_only=True)
    small = torch.randn(1, 1 + 4, WIDTH)
    torch.save({**tower, "pos_embed": small}, folder / "eva_vit_g.pth")
    found = from_published(folder, folder / "llama", config()).visual_encoder.pos_embed
    assert torch.equal(found[:, 0], small[:, 0])
    means = found[:, 1:].mean(1), small[:, 1:].mean(1)
    torch.testing.assert_close(*means, atol=1e-4, rtol=1e-3)
    corners = found[0, [1, 4, 13, 16]], small[0, 1:]
    assert torch.nn.functional.cosine_similarity(*corners).min() > 0.9


def test_what_is_missing_or_does_not_fit_is_said(published: tuple[Path, Any]) -> None:
    from fiftyone_dp2vl.attack.minigpt_v2 import from_published

    folder, _ = published
    checkpoint = folder / "checkpoint_stage3.pth"
    whole = torch.load(checkpoint, weights_only=True)
    kept = {n: v for n, v in whole["model"].items() if n != "llama_proj.weight"}
    torch.save({"model": kept}, checkpoint)
    with pytest.raises(ModelNotFoundError, match=r"no tensor llama_proj\.weight: put"):
        from_published(folder, folder / "llama", config())

    odd = "llama_model.base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight"
    torch.save({"model": {**whole["model"], odd: torch.randn(6, 16)}}, checkpoint)
    with pytest.raises(DP2VLError, match="does not fit the language model"):
        from_published(folder, folder / "llama", config())


def test_code_in_a_checkpoint_is_not_run(published: tuple[Path, Any]) -> None:
    from fiftyone_dp2vl.attack.minigpt_v2 import from_published

    folder, _ = published
    trace = folder / "was_run"
    torch.save({"model": Trap(trace)}, folder / "checkpoint_stage3.pth")
    with pytest.raises(DP2VLError, match="bring it as safetensors"):
        from_published(folder, folder / "llama", config())
    assert not trace.exists()


class Trap:
    """Writes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


def test_the_language_model_must_be_there(published: tuple[Path, Any]) -> None:
    folder, _ = published
    (folder / "llama").rename(folder.parent / "elsewhere")
    with pytest.raises(ModelNotFoundError, match="Llama-2-7b-chat-hf"):
        load_attacker(f"minigpt_v2:{folder}", local_files_only=True)
    with pytest.raises(ConfigError, match="give \\?llama=FOLDER"):
        load_attacker(f"minigpt_v2:{folder}?base=elsewhere")
