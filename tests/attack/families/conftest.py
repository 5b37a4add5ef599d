"""What every family of attackers has to do, and a tokenizer for each family's own tokens."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from fiftyone_dp2vl.attack import Conversation, FineTuneConfig, Pictures, Question

transformers = pytest.importorskip("transformers")

RECIPE = FineTuneConfig(
    epochs=6,
    batch_size=6,
    learning_rate=2e-2,
    lora_rank=4,
    lora_alpha=8,
    projector="full",
    precision="fp32",
)
_SENTENCES = (
    "Who is this? Ada Bob Cy Dee What does this person drive? Which pet is this? a red car a "
    "bicycle a canoe a tractor a dog an orange cat a duck a goat user assistant"
)


@pytest.fixture(scope="session")
def byte_tokenizer() -> Callable[..., Any]:
    """Makes a byte-level tokenizer with the tokens that a family needs."""

    def make(special: Sequence[str], **roles: Any) -> Any:
        from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

        tokenizer = Tokenizer(models.BPE())
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        tokenizer.decoder = decoders.ByteLevel()
        trainer = trainers.BpeTrainer(
            vocab_size=300 + len(special),
            special_tokens=list(special),
            initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
            show_progress=False,
        )
        tokenizer.train_from_iterator([_SENTENCES], trainer)
        return transformers.PreTrainedTokenizerFast(tokenizer_object=tokenizer, **roles)

    return make


Reference = Callable[[Any, Any, Question, list[int]], torch.Tensor]
"""From an attacker, a photo, a question and an answer's beginning to the logits (N + 1, V) before,
in and after that beginning: by the model's own forward pass, without batch and cache."""


@torch.no_grad()
def through_the_processor(
    attacker: Any, picture: Any, question: Question, answer: list[int]
) -> torch.Tensor:
    """A :data:`Reference` for models whose processor makes all that they want."""
    made = dict(
        attacker.processor(
            images=[picture], text=[attacker.prompt(question.text)], return_tensors="pt"
        )
    )
    made.pop("labels", None)
    said = torch.tensor([answer], dtype=torch.int64)
    prompt = made["input_ids"]
    paligemma = attacker.model.config.model_type == "paligemma"
    for name, values in made.items():
        if values.shape == prompt.shape:
            more = {"input_ids": said, "attention_mask": torch.ones_like(said)}.get(name)
            if more is None:
                more = torch.full_like(said, int(paligemma))
            made[name] = torch.cat([values, more], dim=1)
    logits: torch.Tensor = attacker.model(**made).logits[0, prompt.shape[1] - 1 :].float()
    return logits


def likelihood(logits: torch.Tensor, answer: list[int]) -> float:
    found = logits[:-1].log_softmax(-1).gather(1, torch.tensor(answer)[:, None])
    return float(found.mean())


def greedy(attacker: Any, picture: Any, question: Question, reference: Reference) -> str:
    said: list[int] = []
    end = attacker.answer_ids("")[-1]
    while len(said) < 4:
        token = int(reference(attacker, picture, question, said)[-1].argmax())
        if token == end:
            break
        said.append(token)
    return str(attacker.tokenizer.decode(said, skip_special_tokens=True)).strip()


@pytest.fixture
def check_attacker(
    lessons: list[Conversation], asked: list[Question], pictures: Pictures, tmp_path: Path
) -> Callable[..., None]:
    """Checks what every attacker promises."""

    def check(
        load: Callable[[], Any],
        reference: Reference = through_the_processor,
        checkpointing: bool = True,
        **recipe: Any,
    ) -> None:
        attacker = load()
        config = replace(RECIPE, **recipe)
        some = asked[:5]
        before = attacker.score_choices(some, pictures)
        for question, scores in zip(some, before, strict=True):
            answers = [attacker.answer_ids(choice) for choice in question.choices]
            picture = pictures(question.photo)
            plain = [likelihood(reference(attacker, picture, question, a), a) for a in answers]
            np.testing.assert_allclose(scores, plain, atol=1e-4, rtol=1e-4)

        taught = [
            Question(c.photo, "", c.kind, c.scenario, c.question, c.answer, (c.answer,))
            for c in lessons
        ]
        untaught = np.mean(attacker.score_choices(taught, pictures))
        epochs = attacker.fine_tune(lessons, pictures, config, seed=3)
        assert epochs[-1].loss < 0.7 * epochs[0].loss
        assert np.mean(attacker.score_choices(taught, pictures)) > untaught + 0.5
        learnt = attacker.score_choices(some, pictures)
        answers = attacker.answer(some, pictures, max_tokens=4)
        assert answers == [greedy(attacker, pictures(q.photo), q, reference) for q in some]

        attacker.save(tmp_path / "fine_tuned")
        again = load()
        again.load(tmp_path / "fine_tuned")
        for one, other in zip(learnt, again.score_choices(some, pictures), strict=True):
            np.testing.assert_allclose(one, other, atol=1e-5)
        assert again.answer(some, pictures, max_tokens=4) == answers

        if checkpointing:
            once = replace(config, epochs=1, gradient_checkpointing=True)
            (epoch,) = attacker.fine_tune(lessons, pictures, once, seed=3)
            plain = attacker.fine_tune(lessons, pictures, replace(config, epochs=1), seed=3)
            assert abs(epoch.loss - plain[0].loss) < 1e-3

        attacker.reset()
        for one, other in zip(before, attacker.score_choices(some, pictures), strict=True):
            np.testing.assert_allclose(one, other, atol=1e-6)
        assert attacker.info.parameters == sum(w.numel() for w in attacker.model.parameters())
        assert len(attacker.info.weights_sha256) == 64

    return check
