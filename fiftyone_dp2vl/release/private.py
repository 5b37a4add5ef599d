"""What must not leave: the photos, names and embeddings that a release is held against."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from ..runs import Cosines

__all__ = ["PrivatePhoto", "PrivateSet"]


@dataclass(frozen=True)
class PrivatePhoto:
    """A photo on the side that stays.

    Args:
        key: names it, such as a sample's id
        original: the clean file
        protected: the file that a run made of it, or None where it did not protect the photo
        linf: largest difference in grey levels, as the run measured it on that file
        cosines: surrogate -> clean against protected, as the run measured it
    """

    key: str
    original: Path
    protected: Path | None = None
    linf: float | None = None
    cosines: Mapping[str, Cosines] = field(default_factory=dict)

    @property
    def path_text(self) -> str:
        """The original's path as a text could name it."""
        return os.fspath(self.original)


@dataclass(frozen=True)
class PrivateSet:
    """A dataset as a release sees it.

    Args:
        photos: every photo, released or not
        epsilon: the run's budget in 1/255
        lossy: whether the run wrote JPEG, whose figures may exceed the budget
        encoders: names of the run's surrogates
        identities: names of the people
        embeddings: field -> (N, D), every vector that the dataset holds
        run: the run's name, or None
    """

    photos: Sequence[PrivatePhoto]
    epsilon: float
    lossy: bool = False
    encoders: tuple[str, ...] = ()
    identities: tuple[str, ...] = ()
    embeddings: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    run: str | None = None
