"""The FiftyOne plugin around this library: its name, its folder, and what FiftyOne made of it."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

__all__ = [
    "PLUGIN_NAME",
    "PluginState",
    "inspect_plugin",
    "plugin_folder",
    "plugin_metadata",
    "plugins_directory",
]

PLUGIN_NAME = "@dp2vl/fiftyone_dp2vl"

_PLUGIN_MODULE = "fiftyone.plugins.orgs.dp2vl.fiftyone_dp2vl"


def plugin_folder() -> Path | None:
    """Returns the folder with ``fiftyone.yml`` that this library lies in, or None.

    A library installed as a wheel lies in no such folder.
    """
    folder = Path(__file__).resolve().parents[2]
    return folder if (folder / "fiftyone.yml").is_file() else None


def plugin_metadata(folder: Path) -> dict[str, Any]:
    """Returns what ``fiftyone.yml`` in a folder says."""
    import yaml

    data: dict[str, Any] = yaml.safe_load((folder / "fiftyone.yml").read_text()) or {}
    return data


def plugins_directory() -> Path:
    """Returns FiftyOne's plugins directory, without importing FiftyOne where a variable says."""
    named = os.environ.get("FIFTYONE_PLUGINS_DIR")
    if named:
        return Path(named).expanduser()
    import fiftyone as fo

    return Path(fo.config.plugins_dir)


@dataclass(frozen=True)
class PluginState:
    """What FiftyOne found of the plugin.

    Args:
        directory: FiftyOne's plugins directory
        folder: the copy in use, or None where there is none
        version: its version
        enabled: whether FiftyOne may load it
        shadowed: further copies, which FiftyOne ignores
        listed: operators and panels that ``fiftyone.yml`` names
        registered: operators and panels that ``register`` registers
        errors: tracebacks from loading it
    """

    directory: Path
    folder: Path | None = None
    version: str | None = None
    enabled: bool = True
    shadowed: tuple[str, ...] = ()
    listed: frozenset[str] = frozenset()
    registered: frozenset[str] = frozenset()
    errors: tuple[str, ...] = ()


@dataclass
class _Recorder:
    """Stands in for FiftyOne's plugin context, which drops unlisted classes silently."""

    names: set[str] = field(default_factory=set)

    def register(self, cls: Any) -> None:
        self.names.add(cls(_builtin=False).config.name)


def inspect_plugin() -> PluginState:
    """Returns what FiftyOne's own discovery and registry say about the plugin."""
    import fiftyone.plugins as fop
    from fiftyone.operators.registry import OperatorRegistry

    directory = plugins_directory()
    found = [p for p in fop.list_plugins(enabled="all", shadowed="all") if p.name == PLUGIN_NAME]
    if not found:
        return PluginState(directory)
    used = found[0]
    registry = OperatorRegistry()
    contexts = [c for c in registry.plugin_contexts if c.name == PLUGIN_NAME]
    recorder = _Recorder()
    errors = [trace for context in contexts for trace in context.errors]
    if contexts and not errors:
        sys.modules[_PLUGIN_MODULE].register(recorder)
    return PluginState(
        directory=directory,
        folder=Path(used.directory),
        version=used.version,
        enabled=PLUGIN_NAME in fop.list_enabled_plugins(),
        shadowed=tuple(str(p.directory) for p in found[1:]),
        listed=frozenset(used.operators),
        registered=frozenset(recorder.names),
        errors=tuple(errors),
    )
