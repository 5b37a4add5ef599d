"""What a study can be asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from ..config import ProtectionConfig
from ..errors import ConfigError

__all__ = ["Options", "parse_changes"]


@dataclass(frozen=True, kw_only=True)
class Options:
    """How large a study is and on what it is measured.

    Args:
        people: in each album
        seeds: repetitions
        per_scenario: share photos per person and scenario of the benchmark
        queries: query photos per person
        surrogate: registry name of the surrogate encoder
        held_out: registry names of encoders that are never surrogates, by label
        changes: settings of :class:`ProtectionConfig` that replace the defaults
        album: one's own photos instead of the benchmark, see ``albums.folder_album``
        photos: real photos for the studies that use them
        photo_weights: weights of the MobileNetV3 that real photos are also protected against
        count: photos of the memory study
        device: torch's name of a device, or None for the default
        cache: where cells and photos are kept
    """

    people: int = 20
    seeds: int = 3
    per_scenario: int = 1
    queries: int = 6
    surrogate: str = "embedded"
    held_out: Mapping[str, str] = field(default_factory=dict)
    changes: Mapping[str, Any] = field(default_factory=dict)
    album: Path | None = None
    photos: Path | None = None
    photo_weights: Path | None = None
    count: int = 200
    device: str | None = None
    cache: Path = Path(".cache/studies")

    def __post_init__(self) -> None:
        if self.people < 2 or self.seeds < 1 or self.per_scenario < 1 or self.queries < 1:
            raise ConfigError(
                "a study needs at least 2 people, 1 seed, 1 photo per scenario and 1 query"
            )

    @property
    def encoders(self) -> dict[str, str]:
        """Label in a card -> registry name; the surrogate first."""
        return {
            "embedded" if self.surrogate == "embedded" else "surrogate": self.surrogate,
            **self.held_out,
        }

    def config(self, **settings: Any) -> ProtectionConfig:
        """Returns the default configuration with this study's and the caller's changes.

        What the user asked for wins over what a study sets by itself.
        """
        return ProtectionConfig(**{"encoders": (self.surrogate,), **settings, **self.changes})


def parse_changes(texts: list[str]) -> dict[str, Any]:
    """Returns settings from texts such as ``steps=50`` and ``transforms=jpeg:50-95@0.7,...``.

    Raises:
        ConfigError: if a text has another form or names no setting
    """
    defaults = ProtectionConfig()
    known = [setting.name for setting in fields(ProtectionConfig)]
    changes: dict[str, Any] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals:
            raise ConfigError(f"--set {text}: write SETTING=VALUE, for example steps=50")
        if name not in known:
            listed = ", ".join(known)
            raise ConfigError(f"--set {text}: no setting {name!r}, the settings are {listed}")
        kind = type(getattr(defaults, name))
        try:
            changes[name] = (
                tuple(part for part in value.split(",") if part) if kind is tuple else kind(value)
            )
        except ValueError as error:
            raise ConfigError(f"--set {text}: {value!r} is not {kind.__name__}") from error
    return changes
