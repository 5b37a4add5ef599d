"""A run's targets: computed once over all its photos, first, and stored with the run."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save
from torch import Tensor

from ..config import ProtectionConfig
from ..errors import RunError
from .clusters import k_means
from .randomness import photo_uniforms
from .statistics import SPACES, Statistics
from .strategies import Indices, Place, Space, get_strategy

__all__ = ["Targets", "fit_targets"]

CLUSTER_SIZE = 6


@dataclass(frozen=True)
class Targets:
    """Where each photo of a run is pushed.

    Attributes:
        keys: the photos' keys
        own: int64 (N,), each photo's person or cluster, -1 for nobody known
        aim: int64 (N,), each photo's aim
        places: ``(encoder, space)`` -> the aims in that space
    """

    keys: tuple[str, ...]
    own: Tensor
    aim: Tensor
    places: dict[tuple[str, str], Place]

    def rows(self, keys: Sequence[str]) -> tuple[Tensor, Tensor]:
        """Returns ``own`` and ``aim`` of some photos, int64 (B,) each.

        Raises:
            RunError: if a photo was not among those that the targets were computed from
        """
        index = {key: row for row, key in enumerate(self.keys)}
        try:
            picked = torch.tensor([index[key] for key in keys])
        except KeyError as error:
            raise RunError(
                f"photo {error.args[0]!r} was not there when this run's targets were computed: "
                "start a new run that includes it"
            ) from None
        return self.own[picked], self.aim[picked]

    def to_bytes(self) -> bytes:
        """Returns the targets as one safetensors file; equal targets give equal bytes."""
        tensors = {"own": self.own, "aim": self.aim}
        for (encoder, space), place in self.places.items():
            for part in ("centre", "own", "aims", "scale"):
                tensors[f"{encoder}|{space}|{part}"] = getattr(place, part).clone()
        # keys travel as a tensor: safetensors writes its metadata in no fixed order
        text = json.dumps(list(self.keys)).encode()
        tensors["keys"] = torch.tensor(list(text), dtype=torch.uint8)
        data: bytes = save({name: tensors[name] for name in sorted(tensors)})
        return data

    @property
    def sha256(self) -> str:
        """Hash of :meth:`to_bytes`."""
        return hashlib.sha256(self.to_bytes()).hexdigest()

    @classmethod
    def load(cls, path: str | Path) -> Targets:
        """Returns the targets of a file that holds :meth:`to_bytes`."""
        tensors = load_file(str(path))
        keys = tuple(json.loads(bytes(tensors["keys"].tolist()).decode()))
        names = {name.rsplit("|", 1)[0] for name in tensors if "|" in name}
        places = {}
        for name in sorted(names):
            encoder, space = name.rsplit("|", 1)
            parts = {p: tensors[f"{name}|{p}"] for p in ("centre", "own", "aims", "scale")}
            places[encoder, space] = Place(**parts)
        return cls(keys, tensors["own"], tensors["aim"], places)


def fit_targets(
    statistics: Statistics,
    config: ProtectionConfig,
    groups: Sequence[str | None] | None = None,
) -> Targets:
    """Returns a run's targets.

    Args:
        statistics: of all photos that the run will protect; their order does not matter
        config: names the strategy and the seed
        groups: the person in each photo, in the statistics' order. Photos without one, and all
            photos where ``groups`` is None, are put into clusters of the first encoder's pooled
            embeddings when the strategy needs people.

    Raises:
        ConfigError: if the strategy needs more people than there are
    """
    order = sorted(range(len(statistics.keys)), key=lambda row: statistics.keys[row])
    rows = torch.tensor(order)
    keys = tuple(statistics.keys[row] for row in order)
    strategy = get_strategy(config.strategy)
    if strategy.uses_reference and not all(len(rows) for rows in statistics.bank.values()):
        raise ValueError(f"strategy {config.strategy!r} needs statistics with a reference bank")
    rng = np.random.Generator(np.random.Philox(config.seed))
    given = [groups[row] if groups is not None else None for row in order]
    first = next(iter(statistics.features))[0]
    own = np.zeros(len(keys), dtype=np.int64)
    if strategy.uses_groups or strategy.uses_names:
        own = _number(given)
    if strategy.uses_groups:
        own = _clustered(own, statistics.features[first, "pooled"][rows], rng)
    draws = np.array([photo_uniforms(config.seed, key, "aim", (1,))[0] for key in keys])
    aim = strategy.assign(own, draws, rng)
    places = {}
    for encoder in dict.fromkeys(name for name, _ in statistics.features):
        for space in SPACES:
            seen = Space(
                statistics.features[encoder, space][rows],
                own,
                statistics.bank[encoder, space],
                aim,
            )
            # one stream a space, so that aims that are drawn pair up across encoders
            space_rng = np.random.Generator(np.random.Philox(config.seed + 1))
            places[encoder, space] = strategy.place(seen, space_rng)
    return Targets(keys, torch.from_numpy(own), torch.from_numpy(aim), places)


def _number(given: Sequence[str | None]) -> Indices:
    """Numbers the people 0..G-1; nobody known is -1."""
    names = {name: number for number, name in enumerate(sorted({g for g in given if g}))}
    return np.array([names.get(name or "", -1) for name in given], dtype=np.int64)


def _clustered(own: Indices, pooled: Tensor, rng: np.random.Generator) -> Indices:
    """Puts photos of nobody known into clusters, numbered after the people."""
    unknown = np.flatnonzero(own < 0)
    if not len(unknown):
        return own
    names = int(own.max()) + 1
    count = max(1, min(len(unknown), round(len(unknown) / CLUSTER_SIZE) or 1))
    if not names:
        count = max(count, min(2, len(unknown)))
    own = own.copy()
    own[unknown] = names + k_means(pooled[torch.from_numpy(unknown)], count, rng)[1]
    # an empty cluster would leave a number that nobody has
    return np.unique(own, return_inverse=True)[1].astype(np.int64)
