"""The fine-tuning loop, the same for every family."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn

from .base import Conversation, Epoch, Pictures
from .config import FineTuneConfig
from .precision import autocast, reproducible
from .trees import Utterance, lay_out
from .views import Views

if TYPE_CHECKING:
    from .adapters import Adaptation
    from .hf import TransformersAttacker

__all__ = ["train"]

_BUNDLE = 6
"""Conversations of one photo that stay together, where they share a row: a step still sees several
photos."""
_SORTED_STEPS = 8
"""Steps among which conversations are sorted by length, so that little is padded."""


def train(
    attacker: TransformersAttacker,
    adaptation: Adaptation,
    conversations: Sequence[Conversation],
    pictures: Pictures,
    config: FineTuneConfig,
    *,
    seed: int,
    on_step: Callable[[float], None] | None,
    on_epoch: Callable[[Epoch], None] | None,
) -> list[Epoch]:
    """Trains what an adaptation has laid open; arguments as in :meth:`.base.Attacker.fine_tune`."""
    model = attacker.model
    views = attacker.views(pictures, seed if config.augment else None)
    utterances = [attacker.utterance(c.photo, c.question, c.answer, views) for c in conversations]
    steps_each = math.ceil(len(utterances) / config.batch_size)
    steps = config.epochs * steps_each
    weights = [weight for _, weight in adaptation.trained()]
    optimiser = torch.optim.AdamW(adaptation.groups())
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimiser, lambda step: _rate(step, steps, config.warmup)
    )
    began, done = time.monotonic(), 0
    epochs: list[Epoch] = []
    for turn in range(config.epochs):
        total, tokens = 0.0, 0
        _set_training(attacker, config)
        for batch in _batches(utterances, config, attacker.packs, seed, turn):
            loss, count = _step(attacker, [utterances[i] for i in batch], views, turn, config)
            nn.utils.clip_grad_norm_(weights, config.max_gradient_norm)
            optimiser.step()
            schedule.step()
            optimiser.zero_grad(set_to_none=True)
            total, tokens, done = total + loss, tokens + count, done + 1
            if on_step is not None:
                on_step(done / steps)
        model.eval()
        epochs.append(Epoch(turn + 1, total / tokens, time.monotonic() - began))
        if on_epoch is not None:
            with reproducible(attacker.device, seed):
                on_epoch(epochs[-1])
    return epochs


def _rate(step: int, steps: int, warmup: float) -> float:
    rising = max(1, math.ceil(warmup * steps))
    if step < rising:
        return (step + 1) / rising
    return 0.5 * (1 + math.cos(math.pi * (step - rising) / max(1, steps - rising)))


def _set_training(attacker: TransformersAttacker, config: FineTuneConfig) -> None:
    attacker.model.train()
    if config.tower == "frozen":
        attacker.model.get_submodule(attacker.parts.tower).eval()


def _step(
    attacker: TransformersAttacker,
    batch: Sequence[Utterance],
    views: Views,
    turn: int,
    config: FineTuneConfig,
) -> tuple[float, int]:
    """Accumulates the gradient of a step; returns the summed loss and the number of tokens."""
    count = sum(len(u.answer) for u in batch)
    size = config.micro_batch_size or len(batch)
    total = 0.0
    for start in range(0, len(batch), size):
        rows = lay_out(batch[start : start + size], share=attacker.packs)
        with autocast(attacker.device, config.precision, attacker.half):
            likelihoods = attacker.log_likelihoods(rows, views([r.photo for r in rows], turn))
            loss = -likelihoods.sum() / count
        loss.backward()  # type: ignore[no-untyped-call]
        total += float(loss.detach()) * count
    return total, count


def _batches(
    utterances: Sequence[Utterance], config: FineTuneConfig, packs: bool, seed: int, turn: int
) -> list[list[int]]:
    """Returns the conversations of each step of a pass: a seeded order, alike lengths together."""
    rng = np.random.default_rng([seed, turn, 17])
    order = [int(i) for i in rng.permutation(len(utterances))]
    if packs:
        of_photo: dict[str, list[int]] = {}
        for i in order:
            of_photo.setdefault(utterances[i].photo, []).append(i)
        bundles = [m[s : s + _BUNDLE] for m in of_photo.values() for s in range(0, len(m), _BUNDLE)]
        order = [i for b in rng.permutation(len(bundles)) for i in bundles[int(b)]]
        return [order[s : s + config.batch_size] for s in range(0, len(order), config.batch_size)]
    size, window = config.batch_size, config.batch_size * _SORTED_STEPS
    batches: list[list[int]] = []
    for start in range(0, len(order), window):
        near = sorted(
            order[start : start + window],
            key=lambda i: len(utterances[i].prompt) + len(utterances[i].answer),
        )
        cut = [near[s : s + size] for s in range(0, len(near), size)]
        batches += [cut[int(b)] for b in rng.permutation(len(cut))]
    return batches
