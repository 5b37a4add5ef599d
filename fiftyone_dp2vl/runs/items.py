"""What goes into a run and what comes out: plain data."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from .manifest import Manifest

__all__ = ["Cosines", "MaskLoader", "PhotoItem", "PhotoRecord", "Progress", "RunResult"]

MaskLoader = Callable[[int, int], NDArray[np.bool_]]
"""From the upright photo's (height, width) to bool (H, W), True where pixels may change."""


@dataclass(frozen=True)
class PhotoItem:
    """A photo that a run may protect.

    Args:
        key: names the photo for good, and its protected file: a sample's id, or a path within a
            folder
        path: the original
        group: the person in the photo, where known
        mask: confines the perturbation: bool (H, W) of the upright photo, or a function that is
            called for it when needed, always with the same result
        draw: seeds what is random about the photo, and gives it its place among the others. None
            for the file's content, so that the same photos are protected alike whatever they are
            called and wherever they lie
    """

    key: str
    path: str | Path
    group: str | None = None
    mask: NDArray[np.bool_] | MaskLoader | None = None
    draw: str | None = None


class Cosines(NamedTuple):
    """How close a protected file's features are to its original's, for one encoder.

    Attributes:
        token: mean cosine of the patch tokens
        pooled: cosine of the pooled embeddings
    """

    token: float
    pooled: float


@dataclass(frozen=True, kw_only=True)
class PhotoRecord:
    """What became of one photo; every figure is measured on the file read from disk.

    Args:
        key: the item's
        status: ``"protected"``, ``"clean"`` (not selected) or ``"failed"``
        path: the protected file, or None
        linf: largest difference in grey levels
        psnr: in dB over all channels, infinite for identical pixels
        ssim: on the luma, at most 1
        cosines: surrogate -> clean against protected
        lossy: whether the file is a JPEG, whose figures may exceed the budget
        loss: the optimiser's, of the kept perturbation
        start_loss: the optimiser's, of the clean photo
        width: of the photo in pixels
        height: of the photo in pixels
        bytes: size of the file
        sha256: of the file
        code: machine-readable reason of a failure
        error: the reason in one sentence
        notes: what had to be assumed in reading the original, or left behind in writing the file
    """

    key: str
    status: str
    path: Path | None = None
    linf: int | None = None
    psnr: float | None = None
    ssim: float | None = None
    cosines: dict[str, Cosines] = field(default_factory=dict)
    lossy: bool = False
    loss: float | None = None
    start_loss: float | None = None
    width: int | None = None
    height: int | None = None
    bytes: int | None = None
    sha256: str | None = None
    code: str | None = None
    error: str | None = None
    notes: tuple[str, ...] = ()

    def to_dict(self, directory: Path) -> dict[str, Any]:
        """Returns JSON values, the path relative to the run's folder and infinity as None."""
        data = {name: value for name, value in vars(self).items() if value not in (None, {}, ())}
        if self.path is not None:
            data["path"] = self.path.relative_to(directory).as_posix()
        if self.psnr is not None and math.isinf(self.psnr):
            del data["psnr"]
        return data

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], directory: Path) -> PhotoRecord:
        """Returns the record that :meth:`to_dict` described; the path must have been checked."""
        values = dict(data)
        if "path" in values:
            values["path"] = directory / values["path"]
        if values.get("linf") == 0:
            values.setdefault("psnr", math.inf)
        values["cosines"] = {k: Cosines(*v) for k, v in values.get("cosines", {}).items()}
        values["notes"] = tuple(values.get("notes", ()))
        return cls(**values)


class Progress(NamedTuple):
    """Where a run is.

    Attributes:
        done: photos that are finished in this phase
        total: photos of this phase
        phase: ``"read"`` (telling photos by their content), ``"survey"`` (encoding clean photos) or
            ``"protect"``
        label: one line for people
        eta_seconds: time left in this phase, or None while it cannot be told
    """

    done: int
    total: int
    phase: str
    label: str
    eta_seconds: float | None


@dataclass(frozen=True, kw_only=True)
class RunResult:
    """What became of a run.

    Args:
        records: one a given item, in the items' order
        directory: the run's folder; protected files are in its ``photos``
        manifest: how the run was made
        warnings: one sentence each
        wall_seconds: of this call
        engine_seconds: of this call, spent in the optimisation
    """

    records: list[PhotoRecord]
    directory: Path
    manifest: Manifest
    warnings: tuple[str, ...] = ()
    wall_seconds: float = 0.0
    engine_seconds: float = 0.0

    def with_status(self, status: str) -> list[PhotoRecord]:
        """Returns the records with a status."""
        return [record for record in self.records if record.status == status]
