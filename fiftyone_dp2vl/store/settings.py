"""One flat set of named settings, split into the three configurations that they belong to."""

from __future__ import annotations

from dataclasses import fields
from typing import Any, NamedTuple

from ..config import OutputConfig, ProtectionConfig, SelectionConfig, require_count
from ..errors import ConfigError

__all__ = ["Settings", "check_means", "split_settings"]


class Settings(NamedTuple):
    """What a run is asked to do.

    Attributes:
        protection: how photos are moved
        selection: which photos are
        output: how they are written
    """

    protection: ProtectionConfig
    selection: SelectionConfig
    output: OutputConfig


def split_settings(settings: dict[str, Any]) -> Settings:
    """Returns the configurations that flat settings such as ``ratio`` and ``epsilon`` make.

    A name that two configurations have (``seed``) is given to both. What is not named keeps its
    default.

    Raises:
        ConfigError: if a name is unknown or a value out of range
    """
    kinds = (ProtectionConfig, SelectionConfig, OutputConfig)
    names = [{field.name for field in fields(kind)} for kind in kinds]
    unknown = sorted(set(settings) - set().union(*names))
    if unknown:
        known = ", ".join(sorted(set().union(*names)))
        raise ConfigError(f"unknown setting {unknown[0]!r}: the settings are {known}")
    parts = [{key: settings[key] for key in own if key in settings} for own in names]
    return Settings(
        ProtectionConfig.from_dict(parts[0]),
        SelectionConfig.from_dict(parts[1]),
        OutputConfig.from_dict(parts[2]),
    )


def check_means(*, device: Any = None, batch_size: Any = None, workers: Any = None) -> None:
    """Checks what a run works with, before it leaves a record; no byte of its files depends on it.

    Args:
        device: where models run, None for the default
        batch_size: photos between two savings, None for the default
        workers: threads, None for the default

    Raises:
        ConfigError: if one will not do on this machine; its sentence begins with the name
    """
    import torch

    from ..encoders.registry import usable_device

    require_count("batch_size", batch_size)
    require_count("workers", workers)
    if device is None:
        return
    if not isinstance(device, str | torch.device):
        raise ConfigError(f"device is {device!r}: give a text such as 'cpu' or 'cuda'")
    usable_device(device)
