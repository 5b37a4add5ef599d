"""What a run is asked to do: frozen, validated, serialisable, with a fingerprint.

Everything that can change a single output byte is a field of one of these classes, and nothing
else is: how many photos are held in memory, or how many threads write files, is an argument of
the call and not part of a configuration.
"""

from __future__ import annotations

import hashlib
import json
import math
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from operator import index
from typing import Any, ClassVar, TypeVar

from .errors import ConfigError

__all__ = [
    "BUDGETS",
    "Config",
    "OutputConfig",
    "ProtectionConfig",
    "SelectionConfig",
    "parse_epsilon",
    "require_count",
]

BUDGETS: dict[str, float] = {"subtle": 4.0, "standard": 8.0, "strong": 16.0}
"""Named L-infinity budgets, in 1/255."""

MAX_GRID_PIXELS = 2_000_000
_MAX_WEIGHT = 1e6
_MAX_SEED = 2**63 - 1
"""What the database and the generators of random numbers hold."""

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
        epsilon = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):
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


_MEANT = {
    "int": "a whole number such as {}",
    "float": "a finite number such as {}",
    "bool": "True or False",
    "str": "a text such as {!r}",
    "tuple[str, ...]": "a list of texts such as {!r}",
}
"""Annotation of a field -> what to give, with the field's default as the example."""


def _typed(value: Any, kind: str) -> Any:
    """Returns a value as a field's annotation names it; TypeError where it is something else.

    What is of the kind already stays as it is: a whole number among the numbers must not become
    another text in a fingerprint.
    """
    if getattr(value, "ndim", None) == 0:
        value = value.item()  # a scalar of NumPy or PyTorch
    if kind == "tuple[str, ...]":
        several = value if isinstance(value, list | tuple) else (value,)
        return tuple(_typed(one, "str") for one in several)
    if kind in ("bool", "str"):
        good = isinstance(value, bool if kind == "bool" else str)
    else:
        if kind == "int" and isinstance(value, float) and value.is_integer():
            value = int(value)  # JSON may hold 2.0 for 2
        good = isinstance(value, int if kind == "int" else (int, float))
        # True is an int of Python; NaN compares with nothing
        good = good and not isinstance(value, bool) and abs(value) <= sys.float_info.max
    if not good:
        raise TypeError
    return value


def _shown(value: Any) -> str:
    """Returns a value as a part of a sentence."""
    text = repr(value)
    return text if len(text) <= 80 and "\n" not in text else f"a {type(value).__name__}"


class Config:
    """What the configurations share: a dictionary form and a fingerprint of it."""

    _what: ClassVar[str] = "configuration"

    def __post_init__(self) -> None:
        """Brings every value to its field's type.

        Raises:
            ConfigError: if one is of another type, or a number is not finite
        """
        for field in fields(self):  # type: ignore[arg-type]
            value = getattr(self, field.name)
            try:
                object.__setattr__(self, field.name, _typed(value, str(field.type)))
            except TypeError:
                meant = _MEANT[str(field.type)]
                example = field.default[0] if isinstance(field.default, tuple) else field.default
                raise ConfigError(
                    f"{field.name} is {_shown(value)}: give {meant.format(example)}"
                ) from None

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
        return cls(**data)

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


def require_count(name: str, value: Any) -> None:
    """Checks an argument of a call that counts something, such as threads.

    Args:
        name: the argument's
        value: None where the caller leaves the choice to the callee

    Raises:
        ConfigError: if it is no whole number of at least 1
    """
    try:
        good = value is None or (index(value) >= 1 and not isinstance(value, bool))
    except TypeError:
        good = False
    require(
        good,
        f"{name} is {_shown(value)}: give a whole number of at least 1, or leave it out",
    )


@dataclass(frozen=True, kw_only=True)
class ProtectionConfig(Config):
    """How photos are moved in encoder space.

    Args:
        encoders: names of the surrogate encoders, or the name of one, see
            :func:`fiftyone_dp2vl.encoders.list_encoders`
        strategy: the reading of "antithetical", see
            :func:`fiftyone_dp2vl.protection.list_strategies`; ``"auto"`` goes by whom a run names
        epsilon: L-infinity budget in 1/255: 0, or a number in [1, 64]
        steps: optimisation steps, at least 1
        optimizer: ``"momentum"`` (momentum sign) or ``"adam"``
        step_size: step in 1/255
        momentum: decay of the gradient's running mean (first moment for Adam), in [0, 1)
        token_weight: weight of the terms on patch tokens; all weights are in [0, 1000000]
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
        super().__post_init__()
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
            weight = getattr(self, name)
            require(0 <= weight <= _MAX_WEIGHT, f"{name} is {weight}: give 0 to {_MAX_WEIGHT:.0f}")
        require(
            self.token_weight + self.pooled_weight > 0,
            "token_weight and pooled_weight are 0: give one of them more than 0",
        )
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
        require(0 <= self.seed <= _MAX_SEED, f"seed is {self.seed}: give 0 to {_MAX_SEED}")


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
        super().__post_init__()
        require(0 <= self.ratio <= 1, f"ratio is {self.ratio}: give a share from 0 to 1")
        require(0 <= self.seed <= _MAX_SEED, f"seed is {self.seed}: give 0 to {_MAX_SEED}")


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
        super().__post_init__()
        require(
            self.format in ("png", "webp", "jpeg"),
            f"format is {self.format!r}: give 'png', 'webp' or 'jpeg'",
        )
        require(1 <= self.jpeg_quality <= 100, "jpeg_quality is out of range: give 1 to 100")
        require(
            self.metadata in ("strip", "keep", "keep-no-gps"),
            f"metadata is {self.metadata!r}: give 'strip', 'keep' or 'keep-no-gps'",
        )
