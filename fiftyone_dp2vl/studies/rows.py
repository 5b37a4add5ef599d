"""From raw measurements of several repetitions to a card's rows, with intervals."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ..measure import (
    ProbeResult,
    bootstrap_interval,
    commonest_wrong_shares,
    expected_commonest_share,
)
from ..measure.arrays import Labels
from ..measure.cards import Row

__all__ = [
    "chance_rows",
    "change_rows",
    "leak_rows",
    "mean_row",
    "per_repetition",
    "quality_rows",
    "shift_rows",
]

PROBE_FIGURES = {"linear": "identity_probe", "knn": "knn_probe", "class_mean": "class_mean_probe"}

INVERTED_FIGURES = {"linear": "inverted_probe", "class_mean": "inverted_class_mean_probe"}
"""An attacker who names the least likely person; see ``ProbeResult.inverted_accuracy``."""

Raw = Mapping[str, Any]


def mean_row(
    figure: str,
    values: Sequence[float],
    people: Sequence[str],
    repetitions: Sequence[int],
    *,
    unit: str = "",
    conditions: Mapping[str, str],
) -> Row:
    """Returns a mean over repetitions, people and photos, with its bootstrap interval.

    Args:
        figure: its name
        values: (N,) one a photo, or one a person
        people: (N,)
        repetitions: (N,)
        unit: of the values
        conditions: of the row
    """
    figures = np.asarray(values, dtype=np.float64)
    groups: dict[int, dict[str, list[float]]] = {}
    for value, person, repetition in zip(figures, people, repetitions, strict=True):
        groups.setdefault(repetition, {}).setdefault(person, []).append(float(value))
    means = [np.mean([np.mean(own) for own in cell.values()]) for cell in groups.values()]
    share = unit == "share"
    interval = (
        bootstrap_interval(figures, people, repetitions) if share or np.ptp(figures) else None
    )
    return Row(
        figure=figure,
        value=float(np.mean(means)),
        unit=unit,
        interval=interval,
        n=len(figures),
        conditions=dict(conditions),
    )


def _known(raw: Raw, people: Iterable[str]) -> list[str]:
    """Names that two albums share belong to different people."""
    return [f"{raw['album']}/{person}" for person in people]


def leak_rows(results: Sequence[Raw], conditions: Mapping[str, str]) -> list[Row]:
    """Returns the identity figures of one encoder and one way of sharing.

    Args:
        results: one of ``leak.measure_leak`` for each repetition
        conditions: of all rows
    """
    rows = []
    for space in results[0]["answers"]:
        where = {**conditions, "features": space}
        for probe, figure in PROBE_FIGURES.items():
            rows.append(_accuracy_row(figure, results, "answers", space, probe, where))
        for probe, figure in INVERTED_FIGURES.items():
            rows.append(_accuracy_row(figure, results, "least", space, probe, where))
        shares = [
            (_known(raw, [person])[0], share, index)
            for index, raw in enumerate(results)
            for person, share in commonest_wrong_shares(
                raw["truth"], raw["answers"][space]["linear"]
            ).items()
        ]
        # the largest of few counts is skewed: people are resampled, not their queries
        people, values, repetitions = zip(*shares, strict=True)
        rows.append(
            mean_row("commonest_wrong", values, people, repetitions, unit="share", conditions=where)
        )
    return rows


def _accuracy_row(
    figure: str,
    results: Sequence[Raw],
    kind: str,
    space: str,
    probe: str,
    conditions: Mapping[str, str],
) -> Row:
    correct: list[float] = []
    people: list[str] = []
    repetitions: list[int] = []
    for index, raw in enumerate(results):
        truth, named = raw["truth"], raw[kind][space][probe]
        correct += [float(a == b) for a, b in zip(truth, named, strict=True)]
        people += _known(raw, truth)
        repetitions += [index] * len(truth)
    return mean_row(figure, correct, people, repetitions, unit="share", conditions=conditions)


def change_rows(
    results: Sequence[Raw], clean: Sequence[Raw], conditions: Mapping[str, str]
) -> list[Row]:
    """Returns by how much the identity probe differs from that trained on clean photos.

    Paired by query photo, so that the interval is that of the difference.

    Args:
        results: one of ``leak.measure_leak`` for each repetition
        clean: the same queries, trained on clean photos
        conditions: of all rows
    """
    rows = []
    for space in results[0]["answers"]:
        change: list[float] = []
        people: list[str] = []
        repetitions: list[int] = []
        for index, (raw, base) in enumerate(zip(results, clean, strict=True)):
            truth = raw["truth"]
            ours, theirs = (r["answers"][space]["linear"] for r in (raw, base))
            change += [
                float(a == true) - float(b == true)
                for a, b, true in zip(ours, theirs, truth, strict=True)
            ]
            people += _known(raw, truth)
            repetitions += [index] * len(truth)
        row = mean_row(
            "identity_probe_minus_clean",
            change,
            people,
            repetitions,
            unit="share",
            conditions={**conditions, "features": space},
        )
        # no query changed: a resampled difference has no spread to show
        rows.append(replace(row, interval=None) if not any(change) else row)
    return rows


def chance_rows(result: Raw) -> list[Row]:
    """Returns what guessing would give: accuracy, and share of the commonest wrong answer."""
    people = result["people"]
    queries = round(len(result["truth"]) / len(set(result["truth"])))
    return [
        Row(figure="chance", value=1 / people, unit="share", n=people),
        Row(
            figure="chance_commonest_wrong",
            value=expected_commonest_share(queries, people),
            unit="share",
            n=people,
        ),
    ]


def per_repetition(results: Sequence[Raw], space: str = "pooled") -> str:
    """Returns each repetition's identity probe, for a note."""
    shown = []
    for raw in results:
        answers = raw["answers"][space]["linear"]
        probe = ProbeResult(_labels(raw["truth"]), _labels(answers), raw["people"])
        shown.append(f"{100 * probe.accuracy:.1f} %")
    return ", ".join(shown)


def _labels(names: Sequence[str]) -> Labels:
    return np.asarray(names, dtype=np.str_)


def shift_rows(results: Sequence[Raw], conditions: Mapping[str, str]) -> list[Row]:
    """Returns how photos moved in one encoder.

    Args:
        results: one of ``leak.measure_shift`` for each repetition
        conditions: of all rows
    """
    rows = []
    people = [person for raw in results for person in _known(raw, raw["people"])]
    repetitions = [index for index, raw in enumerate(results) for _ in raw["people"]]

    def spread(figure: str, values: list[float], where: Mapping[str, str]) -> Row:
        return mean_row(figure, values, people, repetitions, conditions=where)

    tokens = [value for raw in results for value in raw["paired_tokens"]]
    rows.append(spread("paired_token_cosine", tokens, {**conditions, "features": "tokens"}))
    for space in ("pooled", "mean token"):
        where = {**conditions, "features": space}
        parts = [raw[space] for raw in results]
        for figure, key in (
            ("directional_consistency", "directional"),
            ("directional_leave_one_out", "directional_leave_one_out"),
            ("paired_cosine", "paired"),
        ):
            rows.append(spread(figure, [v for part in parts for v in part[key]], where))
        for figure, values in (
            *_natural([part["natural"] for part in parts]),
            ("centroid_shift_over_spread", [part["centroid_relative"] for part in parts]),
            ("separability", [part["separability"][0] for part in parts]),
            ("separability_p", [part["separability"][1] for part in parts]),
            ("mmd2", [part["mmd2"][0] for part in parts]),
            ("mmd2_p", [part["mmd2"][1] for part in parts]),
            ("silhouette", [part["silhouette"] for part in parts]),
        ):
            unit = "share" if figure == "separability" else ""
            # the worst p-value of the repetitions: a mean of p-values means nothing
            value = max(values) if figure.endswith("_p") else float(np.mean(values))
            rows.append(Row(figure=figure, value=value, unit=unit, n=len(people), conditions=where))
    return rows


def _natural(ranges: Sequence[Sequence[float] | None]) -> list[tuple[str, list[float]]]:
    """Returns the natural range of two clean photos of one person, where somebody has two."""
    known = [natural for natural in ranges if natural is not None]
    if not known:
        return []
    names = ("natural_cosine_low", "natural_cosine_median", "natural_cosine_high")
    return [(name, [natural[at] for natural in known]) for at, name in enumerate(names)]


def quality_rows(
    results: Sequence[Raw], epsilon: float, conditions: Mapping[str, str]
) -> list[Row]:
    """Returns the visible cost, with the worst photo, and how many files are over budget.

    Args:
        results: one of ``leak.measure_quality`` for each repetition
        epsilon: the budget, in 8-bit levels
        conditions: of all rows
    """
    people = [person for raw in results for person in _known(raw, raw["people"])]
    repetitions = [index for index, raw in enumerate(results) for _ in raw["people"]]
    linf = [value for raw in results for value in raw["linf"]]
    rows = [
        Row(figure="linf", value=max(linf), unit="levels", n=len(linf), conditions=conditions),
        Row(
            figure="within_budget",
            value=float(np.mean([value <= epsilon for value in linf])),
            unit="share",
            n=len(linf),
            conditions=conditions,
        ),
    ]
    for figure, unit in (("psnr", "dB"), ("ssim", "")):
        values = [value for raw in results for value in raw[figure]]
        kept = [i for i, value in enumerate(values) if value is not None]
        if not kept:
            continue
        rows.append(
            mean_row(
                figure,
                [values[i] for i in kept],
                [people[i] for i in kept],
                [repetitions[i] for i in kept],
                unit=unit,
                conditions=conditions,
            )
        )
        worst = min(values[i] for i in kept)
        rows.append(
            Row(
                figure=f"{figure}_worst", value=worst, unit=unit, n=len(kept), conditions=conditions
            )
        )
    return rows
