"""Burn in, then measure; two contenders take turns, so that a busy machine is fair to both."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ..measure.intervals import Interval, seed_interval

__all__ = ["Paired", "paired_times", "seconds"]


def seconds(work: Callable[[], object], device: str) -> float:
    """Returns how long ``work`` takes, all of a CUDA device's work included."""
    import torch

    def wait() -> None:
        if device.startswith("cuda"):
            torch.cuda.synchronize()

    wait()
    began = time.perf_counter()
    work()
    wait()
    return time.perf_counter() - began


@dataclass(frozen=True)
class Paired:
    """Times of two contenders over several rounds.

    Attributes:
        first: seconds of each round
        second: seconds of each round
    """

    first: Sequence[float]
    second: Sequence[float]

    @property
    def ratio(self) -> float:
        """How many times as long the second takes: geometric mean over rounds."""
        return math.exp(sum(self._logs) / len(self._logs))

    @property
    def interval(self) -> Interval:
        """95 % interval of :attr:`ratio`, Student's t over the rounds' log ratios."""
        low, high = seed_interval(self._logs)
        return Interval(math.exp(low), math.exp(high))

    @property
    def _logs(self) -> list[float]:
        return [math.log(b / a) for a, b in zip(self.first, self.second, strict=True)]


def paired_times(
    first: Callable[[], object],
    second: Callable[[], object],
    *,
    rounds: int,
    device: str = "cpu",
    on_round: Callable[[int], None] | None = None,
) -> Paired:
    """Times two contenders in one process, alternating who goes first.

    Args:
        first: one contender's work; it has been burned in
        second: the other's
        rounds: at least 2
        device: of the work
        on_round: called with the number of rounds done
    """
    a: list[float] = []
    b: list[float] = []
    for index in range(rounds):
        turns = [(first, a), (second, b)]
        for work, times in turns if index % 2 == 0 else turns[::-1]:
            times.append(seconds(work, device))
        if on_round is not None:
            on_round(index + 1)
    return Paired(a, b)
