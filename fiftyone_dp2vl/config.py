"""What a run is asked to do: frozen, validated, serialisable, with a fingerprint.

Everything that can change a single output byte is a field of one of these classes, and nothing
else is: how many photos are held in memory, or how many threads write files, is an argument of
the call and not part of a configuration.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, ClassVar, TypeVar

from .errors import ConfigError

__all__ = [
    "BUDGETS",
    "Config",
    "OutputConfig",
    "ProtectionConfig",
    "SelectionConfig",
    "parse_epsilon",
]

BUDGETS: dict[str, float] = {"subtle": 4.0, "standard": 8.0, "strong": 16.0}
"""Named L-infinity budgets, in 1/255."""

MAX_GRID_PIXELS = 2_000_000

_T = TypeVar("_T", bound="Config")


def parse_epsilon(value: str | float) -> float:
    """Returns a budget in 1/255 from a name of :data:`BUDGETS` or a number.

    Args:
        value: ``"subtle"``, ``"standard"``, ``"strong"``, 0, or a number in [1, 64]

    Raises:
        ConfigError: if the value is none of these
    """
    if isinstance(value, str) and value in BUDGETS:
        return BUDGETS[value]
    try:
        epsilon = float(value)
    except (TypeError, ValueError):
        epsilon = math.nan
    if not 0 <= epsilon <= 64:
        names = ", ".join(f"{name} ({size:g})" for name, size in BUDGETS.items())
        raise ConfigError(
            f"epsilon is {value!r}: give {names}, or a number from 0 to 64 in units of 1/255"
        )
    if 0 < epsilon < 1:
        raise ConfigError(
            f"epsilon is {value!r}, less than one grey level of a file: give it in units of 1/255, "
            "such as 8 and not 8/255"
        )
    return epsilon


class Config:
    """What the configurations share: a dictionary form and a fingerprint of it."""

    _what: ClassVar[str] = "configuration"

    def to_dict(self) -> dict[str, Any]:
        """Returns the configuration as plain JSON values."""
        data: dict[str, Any] = json.loads(json.dumps(asdict(self)))  # type: ignore[call-overload]
        return data

    @classmethod
    def from_dict(cls: type[_T], data: Mapping[str, Any]) -> _T:
        """Returns the configuration that :meth:`to_dict` described.

        Raises:
            ConfigError: if a name is unknown or a value out of range
        """
        known = {f.name for f in fields(cls)}  # type: ignore[arg-type]
        unknown = sorted(set(data) - known)
        if unknown:
            raise ConfigError(
                f"unknown {cls._what} setting {unknown[0]!r}: "
                f"the settings are {', '.join(sorted(known))}"
            )
        return cls(
            **{
                key: tuple(value) if isinstance(value, list) else value
                for key, value in data.items()
            }
        )

    def fingerprint(self) -> str:
        """Returns 16 hex digits that are equal exactly when the configurations are."""
        text = json.dumps(self.to_dict(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def difference(self, other: Config) -> list[str]:
        """Returns one line for each setting in which ``other`` differs from this one."""
        mine, theirs = self.to_dict(), other.to_dict()
        return [
            f"{key}: {mine.get(key)!r} became {theirs.get(key)!r}"
            for key in sorted(set(mine) | set(theirs))
            if mine.get(key) != theirs.get(key)
        ]


def require(condition: bool, message: str) -> None:
    if not condition:
        raise ConfigError(message)


@dataclass(frozen=True, kw_only=True)
class ProtectionConfig(Config):
    """How photos are moved in encoder space.

    Args:
        encoders: names of the surrogate encoders, see
            :func:`fiftyone_dp2vl.encoders.list_encoders`
        strategy: the reading of "antithetical", see
            :func:`fiftyone_dp2vl.protection.list_strategies`; ``"auto"`` goes by whom a run names
        epsilon: L-infinity budget in 1/255: 0, or a number in [1, 64]
        steps: optimisation steps, at least 1
        optimizer: ``"momentum"`` (momentum sign) or ``"adam"``
        step_size: step in 1/255
        momentum: decay of the gradient's running mean (first moment for Adam), in [0, 1)
        token_weight: weight of the terms on patch tokens
        pooled_weight: weight of the terms on the pooled embedding
        repel_weight: weight of "away from the photo's own clean representation"
        attract_weight: weight of "toward the antithetical target"
        encoders_per_step: surrogates drawn per step; 0 uses all of them at every step
        crop_scale: smallest area share of the random crop of a step, in (0, 1]; 1 never crops
        crop_probability: share of the steps, photo by photo, that crop, in [0, 1]
        transforms: EOT transforms as ``name:low-high@probability``, see
            :func:`fiftyone_dp2vl.protection.list_transforms`
        grid_pixels: largest size of the grid on which the perturbation lives, in pixels; 0 takes
            twice the side of the largest surrogate input
        lanes: photos optimised side by side in one forward pass; groups are always filled up to
            it, so that a photo's result does not depend on its batch mates
        precision: ``"fp32"``, ``"bf16"`` (encoder blocks only) or ``"auto"`` (bf16 where the
            device has units for it)
        seed: seed of everything random
    """

    _what: ClassVar[str] = "protection"

    encoders: tuple[str, ...] = ("embedded",)
    strategy: str = "auto"
    epsilon: float = BUDGETS["standard"]
    steps: int = 60
    optimizer: str = "momentum"
    step_size: float = 1.0
    momentum: float = 0.9
    token_weight: float = 1.0
    pooled_weight: float = 1.0
    repel_weight: float = 1.0
    attract_weight: float = 1.0
    encoders_per_step: int = 0
    crop_scale: float = 1.0
    crop_probability: float = 1.0
    transforms: tuple[str, ...] = ("jpeg:40-95@0.5",)
    grid_pixels: int = 0
    lanes: int = 8
    precision: str = "auto"
    seed: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "epsilon", parse_epsilon(self.epsilon))
        require(len(self.encoders) > 0, "encoders is empty: name at least one surrogate encoder")
        require(
            len(set(self.encoders)) == len(self.encoders),
            "encoders names the same surrogate twice: name each one once",
        )
        require(self.steps >= 1, f"steps is {self.steps}: give at least 1")
        require(
            self.optimizer in ("momentum", "adam"),
            f"optimizer is {self.optimizer!r}: give 'momentum' or 'adam'",
        )
        require(0 < self.step_size <= 64, f"step_size is {self.step_size}: give (0, 64] in 1/255")
        require(0 <= self.momentum < 1, f"momentum is {self.momentum}: give a number in [0, 1)")
        for name in ("token_weight", "pooled_weight", "repel_weight", "attract_weight"):
            require(getattr(self, name) >= 0, f"{name} is negative: give 0 or more")
        require(self.token_weight + self.pooled_weight > 0, "token_weight and pooled_weight are 0")
        require(self.encoders_per_step >= 0, "encoders_per_step is negative: give 0 for all")
        require(0 < self.crop_scale <= 1, f"crop_scale is {self.crop_scale}: give (0, 1]")
        require(
            0 <= self.crop_probability <= 1,
            f"crop_probability is {self.crop_probability}: give a share from 0 to 1",
        )
        require(
            self.grid_pixels == 0 or 1024 <= self.grid_pixels <= MAX_GRID_PIXELS,
            f"grid_pixels is {self.grid_pixels}: give 0 (automatic) or 1024 to {MAX_GRID_PIXELS}",
        )
        require(1 <= self.lanes <= 1024, f"lanes is {self.lanes}: give 1 to 1024")
        require(
            self.precision in ("auto", "fp32", "bf16"),
            f"precision is {self.precision!r}: give 'auto', 'fp32' or 'bf16'",
        )
        require(self.seed >= 0, f"seed is {self.seed}: give 0 or more")


@dataclass(frozen=True, kw_only=True)
class SelectionConfig(Config):
    """Which photos of the view are protected.

    Args:
        ratio: share of the photos to protect, in [0, 1]; with one seed a smaller ratio's photos
            are always among a larger one's
        stratify: whether the ratio holds within each group (person) too
        seed: seed of the draw
    """

    _what: ClassVar[str] = "selection"

    ratio: float = 1.0
    stratify: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        require(0 <= self.ratio <= 1, f"ratio is {self.ratio}: give a share from 0 to 1")
        require(self.seed >= 0, f"seed is {self.seed}: give 0 or more")


@dataclass(frozen=True, kw_only=True)
class OutputConfig(Config):
    """How protected photos are written.

    Args:
        format: ``"png"``, ``"webp"`` (lossless) or ``"jpeg"`` (lossy: the protection is measured
            on the decoded file)
        jpeg_quality: quality for ``"jpeg"``, in [1, 100]
        metadata: ``"strip"``, ``"keep"`` or ``"keep-no-gps"``
    """

    _what: ClassVar[str] = "output"

    format: str = "png"
    jpeg_quality: int = 95
    metadata: str = "strip"

    def __post_init__(self) -> None:
        require(
            self.format in ("png", "webp", "jpeg"),
            f"format is {self.format!r}: give 'png', 'webp' or 'jpeg'",
        )
        require(1 <= self.jpeg_quality <= 100, "jpeg_quality is out of range: give 1 to 100")
        require(
            self.metadata in ("strip", "keep", "keep-no-gps"),
            f"metadata is {self.metadata!r}: give 'strip', 'keep' or 'keep-no-gps'",
        )
