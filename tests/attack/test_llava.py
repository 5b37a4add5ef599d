"""LLaVA 1.5 and NeXT in their real formats: what is computed is what transformers computes."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from fiftyone_dp2vl.attack import Conversation, FineTuneConfig, Question, load_attacker
from fiftyone_dp2vl.attack.llava import LlavaAttacker
from fiftyone_dp2vl.errors import ConfigError, ModelNotFoundError

Pictures = Callable[[str], Image.Image]
KINDS = ["tiny_llava", "tiny_llava_siglip", "tiny_llava_next"]


@pytest.fixture(scope="session")
def tiny_llava_siglip(
    tmp_path_factory: pytest.TempPathFactory, make_llava: Callable[..., str]
) -> str:
    return make_llava(tmp_path_factory.mktemp("vlm") / "siglip", tower="siglip")


@pytest.fixture(params=KINDS)
def attacker(request: pytest.FixtureRequest) -> LlavaAttacker:
    return load_attacker(request.getfixturevalue(request.param))  # type: ignore[return-value]


@torch.no_grad()
def plain_scores(attacker: LlavaAttacker, question: Question, picture: Any) -> list[float]:
    """Each choice alone through transformers' own processor and model: no batch, no cache."""
    scores = []
    for choice in question.choices:
        prompt = attacker.prompt(question.text)
        inputs = attacker.processor(images=[picture], text=[prompt], return_tensors="pt")
        answer = torch.tensor([attacker.answer_ids(choice)])
        ids = torch.cat([inputs.pop("input_ids"), answer], dim=1)
        inputs.pop("attention_mask")
        logits = attacker.model(input_ids=ids, **inputs).logits[0, -answer.shape[1] - 1 : -1]
        likelihoods = logits.log_softmax(-1).gather(1, answer[0][:, None])
        scores.append(float(likelihoods.mean()))
    return scores


def test_scores_are_those_of_transformers(
    attacker: LlavaAttacker, asked: Sequence[Question], pictures: Pictures
) -> None:
    scores = attacker.score_choices(asked, pictures)
    for question, found in zip(asked, scores, strict=True):
        expected = plain_scores(attacker, question, pictures(question.photo))
        np.testing.assert_allclose(found, expected, atol=1e-4)


def test_answers_are_those_of_transformers(
    attacker: LlavaAttacker,
    asked: Sequence[Question],
    lessons: Sequence[Conversation],
    pictures: Pictures,
    recipe: FineTuneConfig,
) -> None:
    attacker.fine_tune(lessons, pictures, recipe)
    words = attacker.answer(asked, pictures, max_tokens=6)
    for question, said in zip(asked, words, strict=True):
        inputs = attacker.processor(
            images=[pictures(question.photo)],
            text=[attacker.prompt(question.text)],
            return_tensors="pt",
        )
        made = attacker.model.generate(**inputs, do_sample=False, max_new_tokens=6)
        new = made[0, inputs["input_ids"].shape[1] :]
        assert said == attacker.tokenizer.decode(new, skip_special_tokens=True).strip()
    assert len(set(words)) > 1


def test_sharing_a_photos_tokens_changes_nothing(
    attacker: LlavaAttacker,
    asked: Sequence[Question],
    pictures: Pictures,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shared = attacker.score_choices(asked, pictures)
    monkeypatch.setattr(LlavaAttacker, "packs", False)
    alone = attacker.score_choices(asked, pictures)
    np.testing.assert_allclose(np.concatenate(shared), np.concatenate(alone), atol=1e-5)


def test_remembered_features_change_nothing(
    attacker: LlavaAttacker,
    lessons: Sequence[Conversation],
    pictures: Pictures,
    recipe: FineTuneConfig,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    remembered = attacker.fine_tune(lessons, pictures, recipe, seed=3)
    monkeypatch.setattr(LlavaAttacker, "see", lambda self, looks: list(looks))
    attacker._memory.clear()
    anew = attacker.fine_tune(lessons, pictures, recipe, seed=3)
    np.testing.assert_allclose([e.loss for e in remembered], [e.loss for e in anew], rtol=1e-3)


def test_a_photo_goes_through_the_tower_once(
    attacker: LlavaAttacker,
    lessons: Sequence[Conversation],
    pictures: Pictures,
    recipe: FineTuneConfig,
) -> None:
    seen = []
    tower = attacker.model.model.vision_tower
    tower.register_forward_hook(lambda *_: seen.append(1))
    attacker.fine_tune(lessons, pictures, replace(recipe, epochs=1))
    once = len(seen)
    attacker.fine_tune(lessons, pictures, replace(recipe, epochs=3))
    assert 0 < once == len(seen) <= len({c.photo for c in lessons})


def test_info_says_what_it_is(tiny_llava: str) -> None:
    attacker = load_attacker(tiny_llava)
    info = attacker.info
    assert info.name == tiny_llava
    assert info.family == "llava"
    assert info.parameters == sum(w.numel() for w in attacker.model.parameters())  # type: ignore[attr-defined]
    assert "clip" in info.vision
    assert len(info.weights_sha256) == 64
    assert info.extra["published_recipe"]["lora_rank"] == 128


def test_a_checkpoint_without_template_gets_the_published_one(
    tmp_path: Path,
    make_llava: Callable[..., str],
    asked: Sequence[Question],
    pictures: Pictures,
) -> None:
    name = make_llava(tmp_path / "old")
    (tmp_path / "old/chat_template.jinja").unlink()
    attacker: Any = load_attacker(name)
    assert attacker.prompt("Who?") == "USER: <image>\nWho? ASSISTANT:"
    assert np.isfinite(np.concatenate(attacker.score_choices(asked, pictures))).all()


def test_other_models_are_refused_with_a_way_out(tmp_path: Path) -> None:
    with pytest.raises(ModelNotFoundError, match="no folder"):
        load_attacker("llava:nowhere")
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "bert"}))
    with pytest.raises(ConfigError, match="'bert'"):
        load_attacker(f"llava:{tmp_path}")
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "llava"}))
    (tmp_path / "pytorch_model.bin").write_bytes(b"pickle")
    with pytest.raises(ModelNotFoundError, match="safetensors"):
        load_attacker(f"llava:{tmp_path}")


def test_a_processor_with_code_of_its_own_is_refused_and_not_run(
    tiny_llava: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "evil"
    shutil.copytree(tiny_llava.partition(":")[2], folder)
    (folder / "evil.py").write_text(f"open({str(tmp_path / 'was_run')!r}, 'w').close()\n")
    named = {"processor_class": "EvilProcessor", "auto_map": {"AutoProcessor": "evil.Evil"}}
    (folder / "processor_config.json").write_text(json.dumps(named))
    monkeypatch.setattr("builtins.input", lambda *_: "y")  # transformers may ask on the terminal
    with pytest.raises(ConfigError, match="without running code of its own"):
        load_attacker(f"llava:{folder}")
    assert not (tmp_path / "was_run").exists()
