"""The first Qwen-VL: a checkpoint whose folder brings its own code, at tiny size.

The code below is written for this test, with the names and the behaviour that the published
checkpoint's interface has.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from fiftyone_dp2vl.attack.registry import load_attacker
from fiftyone_dp2vl.errors import ConfigError, ModelNotFoundError

transformers = pytest.importorskip("transformers")

CONFIGURATION = """
from pathlib import Path
from transformers import PretrainedConfig


class QWenConfig(PretrainedConfig):
    model_type = "qwen"

    def __init__(self, visual=None, bf16=False, fp16=False, fp32=False, trace=None, **kwargs):
        self.visual, self.bf16, self.fp16, self.fp32 = visual or {}, bf16, fp16, fp32
        self.trace = trace
        if trace:
            Path(trace).touch()
        super().__init__(**kwargs)
"""
TOKENIZATION = """
import re
from transformers import PreTrainedTokenizer

SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<img>", "</img>", "<imgpad>"]
SPAN = 16


class QWenTokenizer(PreTrainedTokenizer):
    vocab_files_names = {}

    def __init__(self, **kwargs):
        self.special = {token: 256 + i for i, token in enumerate(SPECIAL)}
        self.eod_id, self.im_start_id, self.im_end_id = 256, 257, 258
        super().__init__(**kwargs)

    @property
    def vocab_size(self):
        return 256 + len(SPECIAL)

    def get_vocab(self):
        return {**{f"byte{i}": i for i in range(256)}, **self.special}

    def __call__(self, text, **kwargs):
        ids = []
        for piece in re.split("(" + "|".join(map(re.escape, SPECIAL)) + ")", text):
            ids += [self.special[piece]] if piece in self.special else list(piece.encode())
        if 259 in ids:
            begin, end = ids.index(259), ids.index(260)
            path = ids[begin + 1 : end]
            ids[begin + 1 : end] = path + [261] * (SPAN - len(path))
        return {"input_ids": ids}

    def decode(self, ids, skip_special_tokens=False, **kwargs):
        return bytes(int(i) for i in ids if int(i) < 256).decode("utf-8", "replace")

    def from_list_format(self, parts):
        text, count = "", 0
        for part in parts:
            if "image" in part:
                count += 1
                text += f"Picture {count}: <img>{part['image']}</img>\\n"
            else:
                text += part["text"]
        return text

    def save_vocabulary(self, *args, **kwargs):
        return ()
"""
VISUAL = """
import numpy as np
import torch
from PIL import Image
from torch import nn


class Block(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.ln, self.fc = nn.LayerNorm(width), nn.Linear(width, width)

    def forward(self, x):
        return x + self.fc(self.ln(x)).tanh()


class Resampler(nn.Module):
    def __init__(self, count, width, out):
        super().__init__()
        self.query = nn.Parameter(torch.randn(count, out))
        self.kv_proj = nn.Linear(width, out, bias=False)
        self.attn = nn.MultiheadAttention(out, 2, batch_first=True)

    def forward(self, x):
        x = self.kv_proj(x)
        return self.attn(self.query.expand(len(x), -1, -1), x, x, need_weights=False)[0]


class VisionTransformer(nn.Module):
    def __init__(self, image_size, patch_size, width, layers, n_queries, output_dim, **kwargs):
        super().__init__()
        self.image_size = image_size
        self.conv1 = nn.Conv2d(3, width, patch_size, patch_size, bias=False)
        self.transformer = nn.Sequential(*[Block(width) for _ in range(layers)])
        self.attn_pool = Resampler(n_queries, width, output_dim)

    def image_transform(self, image):
        image = image.resize((self.image_size, self.image_size), Image.BICUBIC)
        return torch.tensor(np.asarray(image) / 255.0 - 0.5).permute(2, 0, 1).float()

    def forward(self, x):
        x = self.conv1(x).flatten(2).transpose(1, 2)
        return self.attn_pool(self.transformer(x))

    def encode(self, image_paths):
        images = [self.image_transform(Image.open(p).convert("RGB")) for p in image_paths]
        return self(torch.stack(images))
"""
MODELING = """
import torch
from torch import nn
from torch.nn import functional as F
from transformers import PreTrainedModel
from transformers.modeling_outputs import CausalLMOutputWithPast
from .configuration_qwen import QWenConfig
from .visual import VisionTransformer


class QWenAttention(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.c_attn, self.c_proj = nn.Linear(width, 3 * width), nn.Linear(width, width, bias=False)

    def forward(self, x, mask):
        q, k, v = (t.unflatten(-1, (2, -1)).transpose(1, 2) for t in self.c_attn(x).chunk(3, -1))
        out = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        return self.c_proj(out.transpose(1, 2).flatten(2))


class QWenMLP(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.w1, self.w2 = (nn.Linear(width, 2 * width, bias=False) for _ in range(2))
        self.c_proj = nn.Linear(2 * width, width, bias=False)

    def forward(self, x):
        return self.c_proj(self.w1(x) * F.silu(self.w2(x)))


class QWenBlock(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.ln_1, self.ln_2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attn, self.mlp = QWenAttention(width), QWenMLP(width)

    def forward(self, x, mask):
        x = x + self.attn(self.ln_1(x), mask)
        return x + self.mlp(self.ln_2(x))


class QWenModel(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.config = config
        self.wte = nn.Embedding(config.vocab_size, config.hidden_size)
        self.h = nn.ModuleList([QWenBlock(config.hidden_size) for _ in range(2)])
        self.ln_f = nn.LayerNorm(config.hidden_size)
        self.visual = VisionTransformer(**config.visual)

    def forward(self, input_ids, attention_mask):
        start = self.config.visual["image_start_id"]
        begin, end = torch.where(input_ids == start), torch.where(input_ids == start + 1)
        paths = []
        for i, a, b in zip(begin[0], begin[1], end[1]):
            path = input_ids[i][a + 1 : b].tolist()
            paths.append(bytes(path[: path.index(start + 2)]).decode())
        images = self.visual.encode(paths)
        assert images.shape[0] == len(paths)
        x = self.wte(input_ids)
        for row, (i, a, b) in enumerate(zip(begin[0], begin[1], end[1])):
            x[i, a + 1 : b] = images[row]
        size = input_ids.shape[1]
        mask = torch.ones(size, size, dtype=torch.bool).tril()[None, None]
        mask = mask & attention_mask[:, None, None].bool() | torch.eye(size, dtype=torch.bool)
        for block in self.h:
            x = block(x, mask)
        return self.ln_f(x)


class QWenLMHeadModel(PreTrainedModel):
    config_class = QWenConfig

    def __init__(self, config):
        super().__init__(config)
        self.transformer = QWenModel(config)
        self.lm_head = nn.Linear(config.hidden_size, config.vocab_size, bias=False)
        self.post_init()

    def _init_weights(self, module):
        pass

    def get_output_embeddings(self):
        return self.lm_head

    def forward(self, input_ids=None, attention_mask=None, use_cache=None, **kwargs):
        return CausalLMOutputWithPast(
            logits=self.lm_head(self.transformer(input_ids, attention_mask))
        )
"""


@pytest.fixture
def checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder as the published one is made: configuration, code, weights."""
    from transformers import dynamic_module_utils

    monkeypatch.setattr(dynamic_module_utils, "HF_MODULES_CACHE", str(tmp_path / "modules"))
    monkeypatch.syspath_prepend(str(tmp_path / "modules"))
    folder = tmp_path / "qwen_vl"
    folder.mkdir()
    for name, text in (
        ("configuration_qwen", CONFIGURATION),
        ("tokenization_qwen", TOKENIZATION),
        ("visual", VISUAL),
        ("modeling_qwen", MODELING),
    ):
        (folder / f"{name}.py").write_text(text)
    visual = {"image_size": 32, "patch_size": 8, "width": 24, "layers": 2, "n_queries": 16}
    config = {
        "architectures": ["QWenLMHeadModel"],
        "auto_map": {
            "AutoConfig": "configuration_qwen.QWenConfig",
            "AutoModelForCausalLM": "modeling_qwen.QWenLMHeadModel",
        },
        "model_type": "qwen",
        "hidden_size": 32,
        "vocab_size": 262,
        "tie_word_embeddings": False,
        "trace": str(tmp_path / "was_run"),
        "visual": {**visual, "output_dim": 32, "image_start_id": 259},
    }
    (folder / "config.json").write_text(json.dumps(config))
    named = {
        "tokenizer_class": "QWenTokenizer",
        "auto_map": {"AutoTokenizer": ["tokenization_qwen.QWenTokenizer", None]},
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(named))
    torch.manual_seed(0)
    made = transformers.AutoModelForCausalLM.from_config(
        transformers.AutoConfig.from_pretrained(folder, trust_remote_code=True),
        trust_remote_code=True,
    )
    with torch.no_grad():  # a head that is not trained must be able to prefer a token
        made.lm_head.weight.mul_(6)
    code = {file.name: file.read_text() for file in folder.glob("*.py")}
    written = (folder / "config.json").read_text()
    made.save_pretrained(folder)
    (folder / "config.json").write_text(written)
    for name, text in code.items():
        (folder / name).write_text(text)
    (tmp_path / "was_run").unlink()
    return folder


def load(folder: Path) -> Any:
    return load_attacker(f"qwen_vl_original:{folder}", trust_remote_code=True)


@torch.no_grad()
def from_a_path(attacker: Any, picture: Any, question: Any, answer: list[int]) -> torch.Tensor:
    """The logits of an answer by the checkpoint's own reading of a photo from a path."""
    folder = Path(attacker.info.name.partition(":")[2]).parent
    path = folder / "p.png"
    picture.save(path)
    visual = attacker.model.transformer.visual
    tokenizer = attacker.tokenizer
    # The tiny span holds 16 characters.
    text = tokenizer.from_list_format([{"image": "p.png"}, {"text": question.text}])
    chat = (
        "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n"
        f"<|im_start|>user\n{text}<|im_end|>\n<|im_start|>assistant\n"
    )
    prompt = tokenizer(chat)["input_ids"]
    ids = torch.tensor([prompt + answer])
    ours = visual.encode
    visual.encode = lambda paths: type(visual).encode(visual, [str(folder / p) for p in paths])
    try:
        logits = attacker.model(input_ids=ids, attention_mask=torch.ones_like(ids)).logits
    finally:
        visual.encode = ours
    found: torch.Tensor = logits[0, len(prompt) - 1 :].float()
    return found


def test_the_whole_attack(checkpoint: Path, check_attacker: Callable[..., None]) -> None:
    check_attacker(
        lambda: load(checkpoint),
        from_a_path,
        checkpointing=False,
        projector="frozen",
        lora_rank=8,
        epochs=14,
    )
    attacker = load(checkpoint)
    assert attacker.info.extra["ran_code_of_the_checkpoint"] is True
    targets = attacker.lora_targets("language")
    assert sorted({name.partition(".h.")[2][2:] for name in targets}) == [
        "attn.c_attn",
        "attn.c_proj",
        "mlp.w1",
        "mlp.w2",
    ]


def test_pooling_can_be_trained(checkpoint: Path, lessons: Any, pictures: Any) -> None:
    from dataclasses import replace

    attacker = load(checkpoint)
    before = attacker.model.transformer.visual.attn_pool.kv_proj.weight.clone()
    recipe = replace(attacker.defaults, epochs=1, projector="full", precision="fp32")
    attacker.fine_tune(lessons, pictures, recipe)
    pooling = attacker.model.transformer.visual.attn_pool
    assert not torch.equal(pooling.kv_proj.weight, before)
    attacker.reset()
    assert torch.equal(pooling.kv_proj.weight, before)


def test_checkpointing_that_the_code_lacks_is_said(
    checkpoint: Path, lessons: Any, pictures: Any
) -> None:
    from dataclasses import replace

    attacker = load(checkpoint)
    recipe = replace(attacker.defaults, epochs=1, gradient_checkpointing=True)
    with pytest.raises(ConfigError, match="give gradient_checkpointing=False"):
        attacker.fine_tune(lessons, pictures, recipe)


@pytest.mark.parametrize("prefix", ["qwen_vl_original:", "qwen_vl:", "auto:", "llava:"])
def test_without_the_flag_nothing_of_the_folder_runs(
    prefix: str, checkpoint: Path, tmp_path: Path
) -> None:
    words = {"qwen_vl_original:": "runs Python code that is in the checkpoint's folder"}
    with pytest.raises(ConfigError, match=words.get(prefix, "is a 'qwen' model")):
        load_attacker(f"{prefix}{checkpoint}")
    assert not (tmp_path / "was_run").exists()


def test_with_the_flag_it_runs(checkpoint: Path, tmp_path: Path) -> None:
    load(checkpoint)
    assert (tmp_path / "was_run").exists()


def test_what_cannot_be_loaded_is_said(checkpoint: Path) -> None:
    with pytest.raises(ModelNotFoundError, match="hf download Qwen/Qwen-VL-Chat"):
        load_attacker("qwen_vl_original:Qwen/Qwen-VL-Chat", trust_remote_code=True)
    (checkpoint / "configuration_qwen.py").write_text("from transformers import NoSuchThing\n")
    with pytest.raises(ConfigError, match=r"does not run with transformers \d"):
        load(checkpoint)
