"""Greedy answers to many questions about one photo at once, in a row that shares the photo."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from .rows import make_batch
from .trees import Row, Utterance, lay_out
from .views import Seen

if TYPE_CHECKING:
    from .hf import TransformersAttacker

__all__ = ["decode_together"]


@torch.no_grad()
def decode_together(
    attacker: TransformersAttacker,
    prompts: Sequence[Utterance],
    seen: Mapping[str, Seen],
    max_tokens: int,
) -> list[list[int]]:
    """Returns the new token ids of each prompt, without the token that ends an answer.

    Every step adds one token to each prompt. It sees its own prompt and its own answer so far, and
    nothing of its neighbours', just as if the prompt stood alone.

    Args:
        attacker: of a family that ``packs``
        prompts: their ``answer`` is any single token, which is not read
        seen: of each prompt's photo
        max_tokens: of an answer at most
    """
    rows = lay_out(prompts, share=True)
    end = attacker.tokenizer.eos_token_id
    where = _places(rows)
    width = max(len(places) for places in where)
    batch = make_batch(attacker, rows)
    mask, positions = batch.mask, batch.positions
    assert positions is not None  # given to all families that pack
    inputs = attacker.inputs(*batch, [seen[row.photo] for row in rows])
    states = attacker.model(**inputs, use_cache=True)
    # One line of the mask, and one position, for every prompt; short rows repeat their first.
    nodes = torch.tensor([[n for n, _ in _fill(places, width)] for places in where])
    nodes = nodes.to(attacker.device)
    lines = torch.arange(len(rows), device=attacker.device)[:, None]
    visible = mask[lines, 0, nodes]
    depths = positions[lines, nodes]
    token = states.logits[lines, nodes].argmax(-1)
    said = [token]
    own = torch.full((width, width), torch.finfo(mask.dtype).min, device=mask.device)
    own = own.fill_diagonal_(0).to(mask.dtype).expand(len(rows), width, width)
    over = token == end
    while len(said) < max_tokens and not bool(over.all()):
        visible = torch.cat([visible, own], dim=-1)
        depths = depths + 1
        step: dict[str, Any] = {
            "input_ids": token,
            "attention_mask": visible[:, None],
            "position_ids": depths,
            "past_key_values": states.past_key_values,
        }
        states = attacker.model(**step, use_cache=True)
        token = states.logits.argmax(-1)
        over = over | (token == end)
        said.append(token)
    return _answers(torch.stack(said, dim=-1), where, end, len(prompts))


def _places(rows: Sequence[Row]) -> list[list[tuple[int, int]]]:
    """Returns for each row its prompts: (last node, number)."""
    return [[(node, number) for node, _, number in row.targets] for row in rows]


def _fill(places: list[tuple[int, int]], width: int) -> list[tuple[int, int]]:
    return places + places[:1] * (width - len(places))


def _answers(
    said: Tensor, where: Sequence[Sequence[tuple[int, int]]], end: int, count: int
) -> list[list[int]]:
    found: list[list[int]] = [[] for _ in range(count)]
    for line, places in zip(said.tolist(), where, strict=True):
        for (_, number), ids in zip(places, line, strict=False):
            found[number] = ids[: ids.index(end)] if end in ids else ids
    return found
