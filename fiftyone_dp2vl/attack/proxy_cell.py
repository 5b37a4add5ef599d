"""One cell of a proxy: a classifier on frozen features, in the form of a model's cell."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import ConfigError
from ..measure.arrays import Matrix
from .album import AttackAlbum
from .asking import asked, query_questions, stranger_photos, told_of, training_questions
from .base import Question
from .contents import sha
from .proxies import Proxy, feature_map, nearest_cosines, told_facts
from .settings import AttackConfig
from .workbench import Material

__all__ = ["FeatureBox", "measure_proxy"]


class FeatureBox:
    """Features of photo files, each computed once.

    Args:
        device: of the encoders
    """

    def __init__(self, device: str | None = None) -> None:
        self._device = device
        self._held: dict[tuple[str, str], tuple[Any, Any]] = {}

    def __call__(self, proxy: Proxy, paths: Sequence[Path]) -> Matrix:
        """Returns float64 (N, D) features of N files, known by their bytes."""
        names = [(proxy.features, sha(path)) for path in paths]
        unseen = {
            name: path for name, path in zip(names, paths, strict=True) if name not in self._held
        }
        if unseen:
            found = proxy.embed(list(unseen.values()), self._device)
            both = zip(found.pooled, found.mean_token, strict=True)
            self._held.update(zip(unseen, both, strict=True))
        return np.stack([self._held[name][proxy.tokens] for name in names])


def measure_proxy(
    proxy: Proxy,
    album: AttackAlbum,
    material: Material,
    setting: str,
    config: AttackConfig,
    *,
    features: FeatureBox,
    report: Callable[[float, str], None],
    check: Callable[[], None],
) -> dict[str, Any]:
    """Returns a cell's result, as :mod:`fiftyone_dp2vl.attack.cells` describes it.

    Args:
        proxy: the classifier
        album: the clean photos and the answer key
        material: what the arm gives
        setting: what every photo tells
        config: the evaluation's
        features: of files
        report: called with (share done in [0, 1], what is being done)
        check: called often; may raise to stop
    """
    check()
    report(0.0, "computes features")
    train = features(proxy, [photo.path for photo in material.photos])
    people = [photo.person for photo in material.photos]
    if material.pairs:
        before = features(proxy, [pair.photo.path for pair in material.pairs])
        after = features(proxy, [pair.protected for pair in material.pairs])
        train = feature_map(before, after)(train)
    check()
    found = query_questions(album, setting, config)
    files = {photo.key: material.queries.get(photo.key, photo.path) for photo in album.of("query")}
    keys = list(dict.fromkeys(question.photo for question in found))
    if not keys:
        raise ConfigError("the album has no query photos: give clean photos that nobody shared")
    query = features(proxy, [files[key] for key in keys])
    known = {photo.key: photo.person for photo in album.of("query")}
    answers = proxy.ask(train, people, query, [known[key] for key in keys])
    report(0.8, "asks")
    named = dict(zip(keys, answers.answers.tolist(), strict=True))
    told = told_of(album, material.photos, setting)
    least: list[str] = []
    if answers.least is not None:
        unlikely = dict(zip(keys, answers.least.tolist(), strict=True))
        least = [_answer(album, question, unlikely, told) for question in found]
    mine = training_questions(album, material.photos, setting, config)
    own = {photo.key: row for row, photo in enumerate(material.photos)}
    rows = list(dict.fromkeys(question.photo for question in mine))
    trained = proxy.ask(
        train, people, train[[own[key] for key in rows]], [people[own[key]] for key in rows]
    )
    learned = dict(zip(rows, trained.answers.tolist(), strict=True))
    strangers = stranger_photos(album, config)
    others = None
    if strangers:
        faces = features(proxy, [photo.path for photo in strangers])
        others = {
            "people": [photo.person for photo in strangers],
            "words": None,
            "scores": _rounded(nearest_cosines(train, faces)),
        }
    return {
        "questions": asked(found),
        "epochs": [
            {
                "number": 1,
                "loss": None,
                "chosen": [_answer(album, question, named, told) for question in found],
                "least": least,
                "confidence": [],
            }
        ],
        "words": None,
        "training": {
            "questions": asked(mine),
            "chosen": [_answer(album, question, learned, told) for question in mine],
        },
        "others": others,
        "query_scores": _rounded(nearest_cosines(train, query)),
        "people": album.people,
        "facts": {name: list(values) for name, values in material.facts.items()},
        "trained_on": {"photos": len(people), "conversations": 0, "recipe": None},
    }


def _answer(
    album: AttackAlbum,
    question: Question,
    named: dict[str, str],
    told: set[tuple[str, str]],
) -> str:
    who = named[question.photo]
    if question.kind == "name":
        return who
    return told_facts(album.facts, who, question.scenario, told)


def _rounded(values: Matrix) -> list[float]:
    return [round(float(value), 6) for value in values]
