"""One thing on which a dataset and the disk disagree, and what makes them agree again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

__all__ = ["Disagreement", "Tick", "counted"]

Tick = Callable[[], None]
"""Called for every file that is looked at; raises where the caller wants to stop."""


@dataclass(frozen=True)
class Disagreement:
    """One finding.

    Args:
        dataset: name of the dataset
        code: stable, for programs
        finding: what is wrong, in one sentence without a full stop
        remedy: what a person does about it, or does after the repair
        action: what a repair comes to, such as ``"3 photos set back to not protected"``; empty
            where a repair leaves it as it is
        mend: does it; None where there is nothing that is safe to do
    """

    dataset: str
    code: str
    finding: str
    remedy: str = ""
    action: str = ""
    mend: Callable[[], None] | None = field(default=None, compare=False, repr=False)

    @property
    def advice(self) -> str:
        """How to mend it, in one sentence."""
        if self.mend is None:
            return self.remedy
        command = f"dp2vl doctor --repair --dataset {self.dataset!r} ({self.action})"
        return f"{command}; then {self.remedy}" if self.remedy else command


def counted(number: int, thing: str) -> str:
    """Returns a number with what it counts, such as ``"1 photo"`` and ``"3 photos"``."""
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"
