"""Questioning a model: its own words, and its choice among given answers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import torch

from .base import Pictures, Question
from .decoding import decode_together
from .precision import autocast
from .trees import Utterance, lay_out
from .views import Views

if TYPE_CHECKING:
    from .hf import TransformersAttacker

__all__ = ["answer", "score_choices"]


@torch.no_grad()
def score_choices(
    attacker: TransformersAttacker, questions: Sequence[Question], pictures: Pictures
) -> list[npt.NDArray[np.float64]]:
    """Scores forced choices; arguments as in :meth:`.base.Attacker.score_choices`."""
    if not questions:
        return []
    views = attacker.views(pictures)
    said = [
        attacker.utterance(q.photo, q.text, choice, views)
        for q in questions
        for choice in q.choices
    ]
    sums = np.zeros(len(said))
    rows = lay_out(said, share=attacker.packs)
    rows.sort(key=len)
    for start in range(0, len(rows), attacker.rows_at_once):
        batch = rows[start : start + attacker.rows_at_once]
        with autocast(attacker.device, "fp32", attacker.half):
            found = attacker.log_likelihoods(batch, views([row.photo for row in batch]))
        numbers = [number for row in batch for _, _, number in row.targets]
        np.add.at(sums, numbers, found.double().cpu().numpy())
    means = sums / np.array([len(one.answer) for one in said])
    ends = np.cumsum([len(q.choices) for q in questions])
    return [np.asarray(part) for part in np.split(means, ends[:-1])]


@torch.no_grad()
def answer(
    attacker: TransformersAttacker,
    questions: Sequence[Question],
    pictures: Pictures,
    max_tokens: int,
) -> list[str]:
    """Decodes answers greedily; arguments as in :meth:`.base.Attacker.answer`."""
    views = attacker.views(pictures)
    batches, decode = (_by_photo, _together) if attacker.decodes_together else (_by_length, _apart)
    said = [""] * len(questions)
    for batch in batches(attacker, questions, views):
        asked = [questions[number] for number in batch]
        with autocast(attacker.device, "fp32", attacker.half):
            made = decode(attacker, asked, views, max_tokens)
        for number, ids in zip(batch, made, strict=True):
            said[number] = attacker.tokenizer.decode(ids, skip_special_tokens=True).strip()
    return said


def _by_photo(
    attacker: TransformersAttacker, questions: Sequence[Question], views: Views
) -> list[list[int]]:
    of_photo: dict[str, list[int]] = {}
    for number, question in enumerate(questions):
        of_photo.setdefault(question.photo, []).append(number)
    groups, size = list(of_photo.values()), attacker.rows_at_once
    return [
        [number for group in groups[start : start + size] for number in group]
        for start in range(0, len(groups), size)
    ]


def _by_length(
    attacker: TransformersAttacker, questions: Sequence[Question], views: Views
) -> list[list[int]]:
    lengths = [len(attacker.prompt_of(q.photo, q.text, views).ids) for q in questions]
    order = sorted(range(len(questions)), key=lambda number: (lengths[number], number))
    size = attacker.rows_at_once
    return [order[start : start + size] for start in range(0, len(order), size)]


def _together(
    attacker: TransformersAttacker, asked: Sequence[Question], views: Views, max_tokens: int
) -> list[list[int]]:
    prompts = [
        Utterance(q.photo, attacker.prompt_of(q.photo, q.text, views).ids, [attacker.pad])
        for q in asked
    ]
    return decode_together(attacker, prompts, views([q.photo for q in asked]), max_tokens)


def _apart(
    attacker: TransformersAttacker, asked: Sequence[Question], views: Views, max_tokens: int
) -> list[list[int]]:
    prompts = [attacker.prompt_of(q.photo, q.text, views) for q in asked]
    size = max(len(prompt.ids) for prompt in prompts)
    seen = views([q.photo for q in asked])

    def padded(lines: Sequence[Sequence[int]], filler: int) -> torch.Tensor:
        rows = [[filler] * (size - len(line)) + list(line) for line in lines]
        return torch.tensor(rows, device=attacker.device)

    inputs = attacker.inputs(
        padded([prompt.ids for prompt in prompts], attacker.pad),
        padded([[1] * len(prompt.ids) for prompt in prompts], 0),
        None,
        {name: padded([p.along[name] for p in prompts], 0) for name in prompts[0].along},
        [seen[q.photo] for q in asked],
    )
    made: list[list[int]] = attacker.generate(inputs, max_tokens).tolist()
    return made
