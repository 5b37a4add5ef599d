"""Many questions about one photo as one row: a tree of tokens that share their beginnings.

A photo takes hundreds of tokens and a question a dozen. Sequences that begin alike are laid into
one row as a tree: every token is held once, sees only its ancestors, and keeps the position that it
has in its own sequence. What the model computes for a token is the same as in the sequence alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

__all__ = ["Row", "Utterance", "lay_out"]


@dataclass(frozen=True)
class Utterance:
    """A prompt and an answer.

    Attributes:
        photo: key of the photo that the prompt shows
        prompt: token ids, those of the photo among them
        answer: token ids, at least one
        along: other values that a family gives with every token of the prompt
    """

    photo: str
    prompt: Sequence[int]
    answer: Sequence[int]
    along: Mapping[str, Sequence[int]] = field(default_factory=dict)


@dataclass
class Row:
    """A tree of L tokens; a parent stands before its children.

    Attributes:
        photo: key of the photo that all of it is about
        ids: token ids, (L,)
        parents: index of the token before, -1 for the first, (L,)
        depths: position in its own sequence, (L,)
        along: other values given with every token, (L,) each
        targets: (node, next token, number of the sequence): what is to be predicted where
    """

    photo: str
    ids: list[int] = field(default_factory=list)
    parents: list[int] = field(default_factory=list)
    depths: list[int] = field(default_factory=list)
    along: dict[str, list[int]] = field(default_factory=dict)
    targets: list[tuple[int, int, int]] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.ids)

    def visible(self) -> npt.NDArray[np.bool_]:
        """Returns (L, L): True where the token of the row sees that of the column."""
        seen = np.zeros((len(self), len(self)), dtype=np.bool_)
        for node, parent in enumerate(self.parents):
            if parent >= 0:
                seen[node] = seen[parent]
            seen[node, node] = True
        return seen


def lay_out(sequences: Sequence[Utterance], *, share: bool, longest: int = 2048) -> list[Row]:
    """Lays sequences into rows.

    Args:
        sequences: in any order; the number of a sequence is its place here
        share: whether sequences about one photo share a row; otherwise each has its own
        longest: tokens of a row at which another is begun

    Returns:
        the rows, in order of their first sequences
    """
    rows: list[Row] = []
    open_rows: dict[str, tuple[Row, dict[tuple[int, int], int]]] = {}
    for number, sequence in enumerate(sequences):
        held = open_rows.get(sequence.photo) if share else None
        size = len(sequence.prompt) + len(sequence.answer)
        if held is None or (len(held[0]) + size > max(longest, 2 * size)):
            held = (Row(sequence.photo), {})
            rows.append(held[0])
            open_rows[sequence.photo] = held
        _grow(*held, sequence, number)
    return rows


def _grow(row: Row, children: dict[tuple[int, int], int], sequence: Utterance, number: int) -> None:
    # The last token of an answer is predicted and never read.
    tokens = [*sequence.prompt, *sequence.answer[:-1]]
    node = -1
    first_answer = len(sequence.prompt) - 1
    for depth, token in enumerate(tokens):
        found = children.get((node, token))
        if found is None:
            found = len(row)
            children[node, token] = found
            row.ids.append(token)
            row.parents.append(node)
            row.depths.append(depth)
            for name, values in sequence.along.items():
                value = values[depth] if depth < len(values) else 0
                row.along.setdefault(name, []).append(value)
        node = found
        if depth >= first_answer:
            row.targets.append((node, sequence.answer[depth - first_answer], number))
