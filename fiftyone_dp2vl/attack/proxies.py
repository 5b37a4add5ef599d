"""Fast stand-ins for the attacker: classifiers on an encoder's frozen features, called proxies.

``proxy:KIND@FEATURES`` names one. ``KIND`` is ``knn``, ``prototype`` (the nearest mean of a
person's photos) or ``linear`` (logistic regression), on the pooled embedding; with ``-tokens``
after it, on the mean patch token. ``FEATURES`` is an encoder of
:func:`fiftyone_dp2vl.encoders.list_encoders`, or what :func:`register_features` was given, such as
a face recogniser.

A proxy says who is on a photo. What belongs to that person it takes from what the shared photos
tell. It can understate what a fine-tuned model learns.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import ConfigError
from ..measure.arrays import Matrix, as_matrix, normalized
from ..measure.features import PhotoFeatures, embed_files
from ..measure.probe import ProbeResult, class_mean_probe, identity_probe, knn_probe

__all__ = [
    "KINDS",
    "Extractor",
    "Proxy",
    "feature_map",
    "list_features",
    "parse_proxy",
    "register_features",
]

Extractor = Callable[[Sequence[Path]], Any]
"""From N photo files to features (N, D), numpy or torch."""

KINDS: dict[str, Callable[..., ProbeResult]] = {
    "knn": knn_probe,
    "prototype": class_mean_probe,
    "linear": identity_probe,
}
"""Kind -> probe of :mod:`fiftyone_dp2vl.measure.probe`."""


@dataclass(frozen=True)
class _Registered:
    extract: Extractor
    description: str
    face: bool


_registered: dict[str, _Registered] = {}


def register_features(
    name: str, extract: Extractor, *, description: str = "", face: bool = False
) -> None:
    """Adds features of one's own for proxies, for example a face recogniser's.

    Args:
        name: a word without ``@``; ``proxy:knn@NAME`` then attacks with it
        extract: from N photo files to features (N, D)
        description: what it is, for reports
        face: whether it is a face recogniser (A9 of the ladder, which reports then say was tested)

    Raises:
        ConfigError: if the name is taken, or has a character that names cannot have
    """
    if not name or "@" in name or any(c.isspace() for c in name):
        raise ConfigError(f"{name!r} cannot name features: give a word without '@'")
    if name in _registered:
        raise ConfigError(f"features named {name!r} are registered already: choose another name")
    _registered[name] = _Registered(extract, description or name, face)


def list_features() -> dict[str, str]:
    """Returns name -> description of registered features."""
    return {name: entry.description for name, entry in _registered.items()}


@dataclass(frozen=True)
class Proxy:
    """A classifier on frozen features.

    Attributes:
        name: as it was asked for
        kind: of :data:`KINDS`
        features: an encoder's name, or registered features'
        tokens: whether the mean patch token is taken in place of the pooled embedding
    """

    name: str
    kind: str
    features: str
    tokens: bool = False

    @property
    def face(self) -> bool:
        """Whether its features are a face recogniser's."""
        return self.features in _registered and _registered[self.features].face

    def facts(self, device: str | None = None) -> dict[str, Any]:
        """Returns what a report says of it: family, parameters, weights, licence, vision."""
        facts: dict[str, Any] = {"family": f"proxy: {self.kind}", "proxy": True}
        if self.features in _registered:
            entry = _registered[self.features]
            return {**facts, "vision": entry.description, "weights_sha256": ""}
        info = _encoder(self.features, device).info
        return {
            **facts,
            "parameters": info.parameters,
            "weights_sha256": info.weights_sha256,
            "license": info.license,
            "vision": f"{info.family}, {'mean token' if self.tokens else 'pooled'}",
        }

    def embed(self, paths: Sequence[Path], device: str | None = None) -> PhotoFeatures:
        """Returns the features of N photo files; registered ones stand in both places."""
        if self.features in _registered:
            found = as_matrix(_registered[self.features].extract(paths), self.features)
            return PhotoFeatures(found, found)
        return embed_files(paths, _encoder(self.features, device))

    def ask(
        self, train: Matrix, people: Sequence[str], query: Matrix, truth: Sequence[str]
    ) -> ProbeResult:
        """Returns who the proxy holds to be on the query photos, and who least.

        Args:
            train: (N, D) features of the training photos
            people: N names
            query: (M, D)
            truth: M names, each among ``people``
        """
        return KINDS[self.kind](train, people, query, truth)


def _encoder(name: str, device: str | None) -> Any:
    from ..encoders import load_encoder

    return load_encoder(name, device=device)


def parse_proxy(name: str) -> Proxy:
    """Returns the proxy that ``proxy:KIND@FEATURES`` names.

    Raises:
        ConfigError: if the text has another form
    """
    head, colon, rest = name.partition(":")
    kind, at, features = rest.partition("@")
    tokens = kind.endswith("-tokens")
    kind = kind.removesuffix("-tokens")
    if head != "proxy" or not colon or not at or not features or kind not in KINDS:
        raise ConfigError(
            f"{name!r} is no proxy: write proxy:KIND@ENCODER with one of {', '.join(KINDS)}, for "
            "example proxy:linear@embedded"
        )
    if tokens and features in _registered:
        raise ConfigError(f"{name!r}: registered features have no tokens: leave '-tokens' out")
    return Proxy(name, kind, features, tokens)


def feature_map(before: Matrix, after: Matrix, *, strength: float = 1.0) -> Callable[[Any], Matrix]:
    """Returns a ridge regression from protected features back to clean ones (A7).

    Args:
        before: (N, D) features of other people's clean photos
        after: (N, D) of the same photos, protected
        strength: of the L2 penalty, in units of the features' mean variance times N

    Returns:
        from (M, D) protected features to (M, D) estimates of clean ones
    """
    centre, goal = after.mean(axis=0), before.mean(axis=0)
    x, y = after - centre, before - goal
    # the dual form: there are fewer photos than dimensions; what is learned is the change, so
    # that with a strong penalty a photo stays where it is
    penalty = strength * max(float((x**2).sum(axis=1).mean()), 1e-12)
    weights = np.linalg.solve(x @ x.T + penalty * np.eye(len(x)), y - x)

    def undo(features: Any) -> Matrix:
        moved = as_matrix(features) - centre
        result: Matrix = moved + (moved @ x.T) @ weights + goal
        return result

    return undo


def nearest_cosines(train: Matrix, query: Matrix) -> Matrix:
    """Returns (M,): each query's cosine to the nearest training photo, centred on the training.

    By this a proxy refuses to name somebody it does not know.
    """
    centre = train.mean(axis=0)
    cosines = normalized(query - centre) @ normalized(train - centre).T
    nearest: Matrix = cosines.max(axis=1)
    return nearest


def told_facts(
    facts: Mapping[str, Mapping[str, str]], person: str, scenario: str, told: set[tuple[str, str]]
) -> str:
    """Returns what the training photos tell of a person in a scenario, or an empty string.

    Args:
        facts: person -> scenario -> phrase
        person: who was named
        scenario: what is asked for
        told: (person, scenario) pairs that the training photos tell
    """
    return facts.get(person, {}).get(scenario, "") if (person, scenario) in told else ""
