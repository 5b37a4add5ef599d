"""From what was answered, question by question, to figures with intervals."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from ..measure.cards import Row
from ..measure.intervals import bootstrap_interval
from ..measure.wrong_answers import commonest_wrong_shares, expected_commonest_share
from .matching import matched, named_choices

__all__ = ["Raw", "chance_rows", "luck_row", "peak_epoch", "rows_of", "share_row"]

Raw = Mapping[str, Any]
"""What a cell holds, see :mod:`fiftyone_dp2vl.attack.cells`, and ``album``: the number of the album
whose people it is about."""

Observation = tuple[str, str, float]
"""Person, photo, value in [0, 1]."""

Observed = tuple[int, Sequence[Observation]]
"""A repetition's album, and what was observed on it."""

TRUE_NAMING = 0.9
"""Share of the known people's query photos that a proxy's threshold lets be named."""


def share_row(
    figure: str, repetitions: Sequence[Observed], conditions: Mapping[str, str]
) -> Row | None:
    """Returns a share with its interval, or None where nothing was observed.

    The mean is taken over a photo's questions first, then over a person's photos, over people
    and over repetitions. People of two albums are different people, whatever their names; those of
    one album are the same in all of its repetitions.

    Args:
        figure: its name
        repetitions: observations of each repetition
        conditions: of the row
    """
    values: list[float] = []
    people: list[str] = []
    seeds: list[int] = []
    means = []
    for seed, (album, observations) in enumerate(repetitions):
        photos: dict[tuple[str, str], list[float]] = {}
        for person, photo, value in observations:
            photos.setdefault((person, photo), []).append(value)
        own: dict[str, list[float]] = {}
        for (person, _), several in photos.items():
            mean = float(np.mean(several))
            values.append(mean)
            people.append(f"{album}/{person}")
            seeds.append(seed)
            own.setdefault(person, []).append(mean)
        if own:
            means.append(float(np.mean([np.mean(several) for several in own.values()])))
    if not values:
        return None
    interval = bootstrap_interval(values, people, seeds)
    return Row(
        figure=figure,
        value=float(np.mean(means)),
        unit="share",
        interval=interval,
        n=len(values),
        conditions=dict(conditions),
    )


def _observations(
    questions: Sequence[Mapping[str, Any]], right: Iterable[bool], ask: str, scenario: str = "all"
) -> list[Observation]:
    return [
        (question["person"], question["photo"], float(correct))
        for question, correct in zip(questions, right, strict=True)
        if question["ask"] == ask and scenario in ("all", question["scenario"])
    ]


def _chosen(questions: Sequence[Mapping[str, Any]], answers: Sequence[str]) -> list[bool]:
    return [q["truth"] == answer for q, answer in zip(questions, answers, strict=True)]


def _mean(observations: Sequence[Observation]) -> float:
    people: dict[str, list[float]] = {}
    for person, _, value in observations:
        people.setdefault(person, []).append(value)
    return float(np.mean([np.mean(own) for own in people.values()]))


def peak_epoch(raw: Raw, ask: str) -> Mapping[str, Any] | None:
    """Returns the measured epoch with the highest forced-choice accuracy, the first of equals.

    The attacker is given the choice by the answer key, so this bounds what any early stopping
    can reach. None where nothing of the kind was asked, or no second epoch was measured.
    """
    epochs: list[Mapping[str, Any]] = raw["epochs"]
    if len(epochs) < 2 or not any(q["ask"] == ask for q in raw["questions"]):
        return None

    def accuracy(epoch: Mapping[str, Any]) -> float:
        right = _chosen(raw["questions"], epoch["chosen"])
        return _mean(_observations(raw["questions"], right, ask))

    return max(epochs, key=accuracy)


def _asks(raws: Sequence[Raw]) -> list[str]:
    asked = {q["ask"] for raw in raws for q in raw["questions"]}
    return [ask for ask in ("identity", "affiliation") if ask in asked]


def _scenarios(raws: Sequence[Raw], ask: str) -> list[str]:
    if ask == "identity":
        return ["all"]
    named = dict.fromkeys(q["scenario"] for raw in raws for q in raw["questions"] if q["scenario"])
    return ["all", *named]


def rows_of(raws: Sequence[Raw], conditions: Mapping[str, str]) -> list[Row]:
    """Returns every figure of one attacker and one arm.

    Args:
        raws: the cell of each repetition
        conditions: attacker, arm, group, setting
    """
    rows: list[Row | None] = []
    for ask in _asks(raws):
        for scenario in _scenarios(raws, ask):
            where = {**conditions, "ask": ask, "scenario": scenario}
            rows += _accuracies(raws, ask, scenario, where)
        where = {**conditions, "ask": ask, "scenario": "all"}
        forced = {**where, "scoring": "forced choice", "epoch": "final"}
        rows.append(
            share_row(
                "inverted_accuracy",
                [
                    (raw["album"], _chosen_least(raw, ask))
                    for raw in raws
                    if raw["epochs"][-1]["least"]
                ],
                forced,
            )
        )
        training = [(raw["album"], _learned(raw["training"], ask)) for raw in raws]
        rows.append(share_row("training_accuracy", training, forced))
    rows += _naming_rows(raws, conditions)
    for fact in dict.fromkeys(name for raw in raws for name in raw["facts"]):
        observed = [
            (
                raw["album"],
                [(p, str(i), v) for i, (v, p) in enumerate(zip(*raw["facts"][fact], strict=True))],
            )
            for raw in raws
        ]
        rows.append(share_row(fact, observed, conditions))
    return [row for row in rows if row is not None]


def _chosen_least(raw: Raw, ask: str) -> list[Observation]:
    asked = raw["questions"]
    return _observations(asked, _chosen(asked, raw["epochs"][-1]["least"]), ask)


def _learned(training: Raw, ask: str) -> list[Observation]:
    asked = training["questions"]
    return _observations(asked, _chosen(asked, training["chosen"]), ask)


def _accuracies(
    raws: Sequence[Raw], ask: str, scenario: str, where: Mapping[str, str]
) -> list[Row | None]:
    def observed(answers: Sequence[tuple[Raw, Sequence[bool]]]) -> list[Observed]:
        return [
            (raw["album"], _observations(raw["questions"], right, ask, scenario))
            for raw, right in answers
        ]

    forced = {**where, "scoring": "forced choice"}
    final = [(raw, _chosen(raw["questions"], raw["epochs"][-1]["chosen"])) for raw in raws]
    rows = [share_row("accuracy", observed(final), {**forced, "epoch": "final"})]
    peaks = [(raw, peak_epoch(raw, ask)) for raw in raws]
    if any(epoch is not None for _, epoch in peaks):
        best = [
            (raw, _chosen(raw["questions"], (epoch or raw["epochs"][-1])["chosen"]))
            for raw, epoch in peaks
        ]
        rows.append(share_row("accuracy", observed(best), {**forced, "epoch": "peak"}))
    spoken = [(raw, _spoken(raw)) for raw in raws if raw["words"] is not None]
    if spoken:
        free = {**where, "scoring": "free words", "epoch": "final"}
        rows.append(share_row("accuracy", observed(spoken), free))
    return rows


def _spoken(raw: Raw) -> list[bool]:
    return [
        matched(words, question["truth"], question["choices"])
        for question, words in zip(raw["questions"], raw["words"], strict=True)
    ]


def _naming_rows(raws: Sequence[Raw], conditions: Mapping[str, str]) -> list[Row | None]:
    """Returns how often wrong names are given: to strangers, and the same to one person."""
    where = {**conditions, "ask": "identity", "scenario": "all", "epoch": "final"}
    forced = {**where, "scoring": "forced choice"}
    rows = []
    wrong = []
    for raw in raws:
        asked = [i for i, q in enumerate(raw["questions"]) if q["ask"] == "identity"]
        if asked:
            truth = [raw["questions"][i]["person"] for i in asked]
            answers = [raw["epochs"][-1]["chosen"][i] for i in asked]
            shares = commonest_wrong_shares(truth, answers)
            found = [(person, "", share) for person, share in shares.items()]
            wrong.append((raw["album"], found))
    rows.append(share_row("commonest_wrong", wrong, forced))
    named = [
        (
            raw["album"],
            [
                (person, str(index), float(bool(named_choices(words, raw["people"]))))
                for index, (person, words) in enumerate(
                    zip(others["people"], others["words"], strict=True)
                )
            ],
        )
        for raw in raws
        if (others := raw["others"]) is not None and others["words"] is not None
    ]
    rows.append(share_row("false_naming", named, {**where, "scoring": "free words"}))
    above = [
        (
            raw["album"],
            [
                (person, str(index), float(score >= _threshold(raw["query_scores"])))
                for index, (person, score) in enumerate(
                    zip(others["people"], others["scores"], strict=True)
                )
            ],
        )
        for raw in raws
        if (others := raw["others"]) is not None and others["scores"] is not None
    ]
    rows.append(share_row("false_naming_at_90", above, where))
    return rows


def _threshold(scores: Sequence[float]) -> float:
    return float(np.quantile(scores, 1 - TRUE_NAMING))


def chance_rows(raws: Sequence[Raw], setting: str) -> list[Row]:
    """Returns the accuracy of a guess among the choices, for each ask and scenario.

    Args:
        raws: cells of any one arm
        setting: what the photos told
    """
    rows = []
    for ask in _asks(raws):
        for scenario in _scenarios(raws, ask):
            guesses = [
                1 / len(q["choices"])
                for raw in raws
                for q in raw["questions"]
                if q["ask"] == ask and scenario in ("all", q["scenario"])
            ]
            rows.append(
                Row(
                    figure="chance",
                    value=float(np.mean(guesses)),
                    unit="share",
                    n=len(guesses),
                    conditions={"setting": setting, "ask": ask, "scenario": scenario},
                )
            )
    return rows


def luck_row(raws: Sequence[Raw], setting: str) -> Row | None:
    """Returns what the commonest wrong answer's share is when every answer is a guess."""
    counts = []
    for raw in raws:
        own: dict[str, int] = {}
        for question in raw["questions"]:
            if question["ask"] == "identity":
                own[question["person"]] = own.get(question["person"], 0) + 1
        counts += list(own.values())
    people = max((len(raw["people"]) for raw in raws), default=0)
    if not counts or people < 2:
        return None
    return Row(
        figure="commonest_wrong_by_luck",
        value=expected_commonest_share(round(float(np.mean(counts))), people),
        unit="share",
        n=len(counts),
        conditions={"setting": setting, "ask": "identity", "scenario": "all"},
    )
