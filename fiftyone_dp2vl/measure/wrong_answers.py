"""The danger below chance: does the attacker give one person always the same wrong name?

A protection that turns every photo of A into one and the same B can be inverted (whoever is
called B is A), and it plants a false affiliation on a real person.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np

from .arrays import Labels, as_labels

__all__ = ["commonest_wrong_share", "commonest_wrong_shares", "expected_commonest_share"]


def commonest_wrong_shares(
    truth: Sequence[Hashable] | Labels, answers: Sequence[Hashable] | Labels
) -> dict[str, float]:
    """Returns for each person the share of *all* their queries given the commonest wrong name.

    Args:
        truth: N names
        answers: N names given by the attacker

    Returns:
        person -> share in [0, 1]; 0 where every answer is right
    """
    true = as_labels(truth, len(truth))
    named = as_labels(answers, len(true))
    shares: dict[str, float] = {}
    for who in np.unique(true):
        mine = named[true == who]
        wrong = mine[mine != who]
        count = np.unique(wrong, return_counts=True)[1].max() if len(wrong) else 0
        shares[str(who)] = float(count / len(mine))
    return shares


def commonest_wrong_share(
    truth: Sequence[Hashable] | Labels, answers: Sequence[Hashable] | Labels
) -> float:
    """Returns the mean over people of :func:`commonest_wrong_shares`, in [0, 1]."""
    return float(np.mean(list(commonest_wrong_shares(truth, answers).values())))


def expected_commonest_share(
    queries: int, people: int, *, draws: int = 4000, seed: int = 0
) -> float:
    """Returns what the share is when every answer is a uniform guess.

    With few queries a person the largest of the counts is well above zero by luck alone (.26
    for 6 queries and 20 people), so a measured share is read against this figure, not 0.

    Args:
        queries: query photos a person
        people: names to guess from
        draws: simulated people
        seed: of the simulation
    """
    guesses = np.random.default_rng(seed).integers(people, size=(draws, queries))
    # name 0 plays the truth, so its count does not enter
    counts = [np.bincount(row, minlength=people)[1:].max() for row in guesses]
    return float(np.mean(counts) / queries)
