"""Confidence intervals: people, their photos and seeds each vary, so each is resampled."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import ConfigError
from .arrays import as_labels

__all__ = ["Interval", "bootstrap_interval", "seed_interval"]


_VALUES_AT_ONCE = 4_000_000
"""How many resampled values are held in memory."""


class Interval(NamedTuple):
    """A two-sided confidence interval."""

    low: float
    high: float


def _all_alike(value: float, people: int, level: float) -> Interval:
    """The exact binomial interval of ``people`` successes, or failures, in a row.

    Resampling can show no spread where every answer was right, or every one wrong. Counting
    people and not photos, whose answers hang together, is the cautious side (the "rule of three"
    of Hanley and Lippman-Hand, JAMA 249, 1983, in its exact form).
    """
    reach = ((1 - level) / 2) ** (1 / people)
    return Interval(reach, 1.0) if value == 1.0 else Interval(0.0, 1.0 - reach)


def _resampled(
    table: NDArray[np.float64],
    persons: NDArray[np.int64],
    photos: NDArray[np.int64],
    albums: NDArray[np.int64],
    draws: int,
    rng: np.random.Generator,
) -> NDArray[np.float64]:
    """Returns the means of ``draws`` samples.

    Args:
        table: (S, P, Q) values by seed, person and photo, padded
        persons: (S,) how many people a seed has
        photos: (S, P) how many photos a person has
        albums: (S,) whose people a seed has; seeds with one number share all of them
        draws: samples
        rng: of the samples
    """
    seeds, widest, longest = table.shape
    run_at = rng.integers(seeds, size=(draws, seeds))
    people = persons[run_at][..., None]
    # people who return in another seed are no new evidence: a sample draws them once for both
    shared = len(np.unique(albums)) < seeds
    drawn_at = (np.arange(draws)[:, None], albums[run_at]) if shared else ...
    who_at = (rng.random((draws, seeds, widest))[drawn_at] * people).astype(np.int64)
    count = photos[run_at[..., None], who_at][..., None]
    photo_at = (rng.random((draws, seeds, widest, longest))[drawn_at] * count).astype(np.int64)
    drawn = table[run_at[..., None, None], who_at[..., None], photo_at]
    # a seed with fewer people, or a person with fewer photos, uses its first draws only
    person = (drawn * (np.arange(longest) < count)).sum(axis=-1) / count[..., 0]
    mean = (person * (np.arange(widest) < people)).sum(axis=-1) / people[..., 0]
    result: NDArray[np.float64] = mean.mean(axis=-1)
    return result


def bootstrap_interval(
    values: Any,
    people: Sequence[Hashable],
    seeds: Sequence[Hashable] | None = None,
    *,
    level: float = 0.95,
    draws: int = 2000,
    seed: int = 0,
) -> Interval:
    """Hierarchical percentile bootstrap of a mean: seeds, then people, then their photos.

    Each level is drawn with replacement (Davison and Hinkley, "Bootstrap Methods and their
    Application", 1997, section 3.8, strategy 2; a little wide, which offsets the percentile
    interval's narrowness at some twenty people). The mean is taken within people first, so
    that a person with many photos does not weigh more.

    Seeds that have the very same people are crossed with them: people and photos are drawn once
    for all of these seeds, so that repeating a measurement does not make them more.

    Args:
        values: (N,) a figure a photo, for example 1 where the attacker was right; of people who
            are in several seeds in the same order of photos
        people: N names; one name is one person, whatever the seed
        seeds: N names of repetitions, or None for one
        level: coverage, in (0, 1)
        draws: bootstrap samples
        seed: of the bootstrap
    """
    if hasattr(values, "detach"):
        values = values.detach().cpu().numpy()
    figures = np.asarray(values, dtype=np.float64)
    if figures.ndim != 1 or len(figures) == 0 or not np.isfinite(figures).all():
        raise ConfigError("an interval needs one finite figure a photo")
    who = as_labels(people, len(figures), "people")
    run = as_labels(["0"] * len(figures) if seeds is None else seeds, len(figures), "seeds")
    if np.ptp(figures) == 0 and figures[0] in (0.0, 1.0):
        return _all_alike(float(figures[0]), len(np.unique(who)), level)

    runs = np.unique(run)
    cells = [[figures[(run == r) & (who == w)] for w in np.unique(who[run == r])] for r in runs]
    widest, longest = max(map(len, cells)), max(len(p) for c in cells for p in c)
    table = np.zeros((len(runs), widest, longest))
    photos = np.ones((len(runs), widest), dtype=np.int64)
    for i, cell in enumerate(cells):
        for j, own in enumerate(cell):
            table[i, j, : len(own)], photos[i, j] = own, len(own)
    persons = np.asarray([len(cell) for cell in cells])
    together: dict[tuple[str, ...], int] = {}
    albums = np.asarray(
        [together.setdefault(tuple(np.unique(who[run == r])), len(together)) for r in runs]
    )

    rng = np.random.default_rng(seed)
    chunk = max(1, _VALUES_AT_ONCE // table.size)
    means = np.concatenate(
        [
            _resampled(table, persons, photos, albums, min(chunk, draws - done), rng)
            for done in range(0, draws, chunk)
        ]
    )
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(low), float(high))


def seed_interval(values: Sequence[float], *, level: float = 0.95) -> Interval:
    """Student's t interval of a mean over repetitions.

    For a figure with one value a repetition, such as a speed ratio. With three repetitions it
    is wide, as it should be.

    Args:
        values: at least two repetitions' figures
        level: coverage, in (0, 1)
    """
    from scipy.stats import t

    figures = np.asarray(values, dtype=np.float64)
    if len(figures) < 2:
        raise ConfigError("an interval over seeds needs at least two of them")
    reach = t.ppf((1 + level) / 2, len(figures) - 1) * figures.std(ddof=1) / np.sqrt(len(figures))
    return Interval(float(figures.mean() - reach), float(figures.mean() + reach))
