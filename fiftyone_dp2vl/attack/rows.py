"""Rows of tokens as a model's input, and what it says about their targets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from .trees import Row
from .views import Seen

if TYPE_CHECKING:
    from .hf import TransformersAttacker

__all__ = ["Batch", "log_likelihoods", "make_batch"]


class Batch(NamedTuple):
    """Rows padded at the right.

    Attributes:
        ids: (B, L) int64
        mask: (B, L) int64, 0 where padded; or, where rows are trees, float (B, 1, L, L), 0 where a
            token sees another and the lowest number where not
        positions: (B, L) int64, or None where the model counts itself
        along: (B, L) int64 each
    """

    ids: Tensor
    mask: Tensor
    positions: Tensor | None
    along: dict[str, Tensor]


def make_batch(attacker: TransformersAttacker, rows: Sequence[Row]) -> Batch:
    """Returns rows on the attacker's device."""
    size = max(len(row) for row in rows)
    ids = _padded([row.ids for row in rows], size, attacker.pad)
    along = {
        name: _padded([row.along[name] for row in rows], size, 0).to(attacker.device)
        for name in rows[0].along
    }
    positions = None
    if attacker.packs:
        mask = _visible(rows, size, torch.bfloat16 if attacker.half else torch.float32)
        positions = _padded([row.depths for row in rows], size, 0).to(attacker.device)
    else:
        lengths = torch.tensor([[len(row)] for row in rows])
        mask = (torch.arange(size)[None] < lengths).long()
    return Batch(ids.to(attacker.device), mask.to(attacker.device), positions, along)


def _padded(lines: Sequence[Sequence[int]], size: int, filler: int) -> Tensor:
    return torch.tensor([[*line, *[filler] * (size - len(line))] for line in lines])


def _visible(rows: Sequence[Row], size: int, dtype: torch.dtype) -> Tensor:
    seen = torch.zeros(len(rows), 1, size, size, dtype=torch.bool)
    for number, row in enumerate(rows):
        seen[number, 0, : len(row), : len(row)] = torch.from_numpy(row.visible())
        seen[number, 0, len(row) :, 0] = True  # a padded token must see something
    return torch.zeros(seen.shape, dtype=dtype).masked_fill(~seen, torch.finfo(dtype).min)


def log_likelihoods(
    attacker: TransformersAttacker, rows: Sequence[Row], seen: Mapping[str, Seen]
) -> Tensor:
    """Returns the log-likelihood of every target of the rows, in order, in nats, (N,)."""
    inputs = attacker.inputs(*make_batch(attacker, rows), [seen[row.photo] for row in rows])
    nodes = sorted({node for row in rows for node, _, _ in row.targets})
    column = {node: place for place, node in enumerate(nodes)}
    wanted = torch.tensor(
        [
            (line, column[node], token)
            for line, row in enumerate(rows)
            for node, token, _ in row.targets
        ],
        device=attacker.device,
    )
    logits = attacker.logits(inputs, torch.tensor(nodes, device=attacker.device))
    said = logits[wanted[:, 0], wanted[:, 1]].float()
    return said.log_softmax(-1).gather(1, wanted[:, 2:]).squeeze(1)
