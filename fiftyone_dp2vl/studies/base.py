"""What a study is: cells that are measured one by one, and the rows they become."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..measure.cards import Row

if TYPE_CHECKING:
    from .options import Options
    from .workshop import Workshop

__all__ = ["Cell", "Findings", "Study"]

Result = dict[str, Any]
"""What a cell measured, as JSON values: per photo where it can be, so that intervals can be
computed again without measuring again."""


@dataclass(frozen=True)
class Cell:
    """The unit that is measured at a stretch and kept on disk.

    Attributes:
        label: shown while it runs
        spec: JSON values that determine the result, code aside
        measure: does the work
    """

    label: str
    spec: Mapping[str, Any]
    measure: Callable[[Workshop], Result]


@dataclass(frozen=True)
class Findings:
    """What a study makes of its cells.

    Attributes:
        rows: for the card
        configs: label -> fingerprint
        notes: for the card
    """

    rows: Sequence[Row]
    configs: Mapping[str, str]
    notes: Sequence[str] = ()


@dataclass(frozen=True)
class Study:
    """A question, asked of the benchmark by one command.

    Attributes:
        name: of the command and the card
        title: what it shows, one sentence
        estimate: how long it takes at full size on two CPU cores, in words
        plan: the cells, in the order in which they are measured
        conclude: the findings, from the cells' results in the same order
        rooms: parts of the package whose code can change a result
    """

    name: str
    title: str
    estimate: str
    plan: Callable[[Options], Sequence[Cell]]
    conclude: Callable[[Options, Sequence[Cell], Sequence[Result]], Findings]
    rooms: tuple[str, ...] = ("config", "encoders", "protection", "media", "runs", "benchmark")
