"""Attackers by name, loaded when asked for; open to a user's own."""

from __future__ import annotations

import difflib
import importlib
import threading
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from ..errors import ConfigError, ModelNotFoundError
from .base import Attacker

__all__ = [
    "AttackerListing",
    "AttackerRequest",
    "list_attackers",
    "load_attacker",
    "register_attacker",
]

EMBEDDED_VLM = Path(__file__).resolve().parent.parent / "models" / "embedded_vlm"
"""The folder of the vision-language model that comes with the package."""


@dataclass(frozen=True)
class AttackerRequest:
    """What a loader is asked for.

    Attributes:
        name: the whole name, as it was given
        target: what follows the prefix: a folder or a hub id; empty for a name without prefix
        device: where to put the model, for example ``"cpu"`` or ``"cuda:0"``
        local_files_only: whether to stay with this machine's files
        trust_remote_code: whether code that ships with a checkpoint may run
    """

    name: str
    target: str
    device: str = "cpu"
    local_files_only: bool = False
    trust_remote_code: bool = False


Loader = Callable[[AttackerRequest], Attacker]


class AttackerListing(NamedTuple):
    """One line of :func:`list_attackers`.

    Attributes:
        name: a name, or a prefix ending in a colon
        description: what it loads
        ready: whether what it needs is installed
    """

    name: str
    description: str
    ready: bool


@dataclass(frozen=True)
class _Entry:
    loader: Loader
    description: str
    needs: tuple[str, ...] = ()


def _lazy(module: str, function: str) -> Loader:
    """Returns a loader whose module, and what that imports, is loaded at the first call."""

    def load(request: AttackerRequest) -> Attacker:
        loader: Loader = getattr(importlib.import_module(f".{module}", __package__), function)
        return loader(request)

    return load


_NEEDS = ("transformers", "peft")
_entries: dict[str, _Entry] = {
    "embedded": _Entry(
        _lazy("llava", "load_embedded"), "the small model in the package, for a CPU", _NEEDS
    ),
    "llava:": _Entry(
        _lazy("llava", "load_llava"), "LLaVA 1.5 or NeXT format: a folder or a hub id", _NEEDS
    ),
    "qwen_vl:": _Entry(
        _lazy("qwen_vl", "load_qwen_vl"),
        "Qwen2-VL, Qwen2.5-VL, Qwen3-VL: a folder or a hub id",
        _NEEDS,
    ),
    "qwen_vl_original:": _Entry(
        _lazy("qwen_original", "load_qwen_original"),
        "the first Qwen-VL, whose code comes with its checkpoint: a folder or a hub id",
        _NEEDS,
    ),
    "minigpt_v2:": _Entry(_lazy("minigpt_v2", "load_minigpt_v2"), "MiniGPT-v2: a folder", _NEEDS),
    "auto:": _Entry(
        _lazy("auto", "load_auto"),
        "any other image-text-to-text model of transformers: a folder or a hub id",
        _NEEDS,
    ),
}
_lock = threading.RLock()


def register_attacker(name_or_prefix: str, loader: Loader, *, description: str = "") -> None:
    """Adds an attacker, or a family of them, to the registry.

    Args:
        name_or_prefix: a name such as ``"mine"``, or a prefix ending in a colon such as ``"my:"``
        loader: from an :class:`AttackerRequest` to an :class:`~.base.Attacker`
        description: shown by :func:`list_attackers`

    Raises:
        ConfigError: if the name is taken or has a character that names cannot have
    """
    stem = name_or_prefix.removesuffix(":")
    if not stem or any(character in stem for character in ":& \t\n"):
        raise ConfigError(
            f"{name_or_prefix!r} cannot name an attacker: give a word, or a word and a colon"
        )
    with _lock:
        if stem in {name.removesuffix(":") for name in _entries}:
            raise ConfigError(f"an attacker named {stem!r} is registered already: choose another")
        _entries[name_or_prefix] = _Entry(loader, description)


def list_attackers() -> list[AttackerListing]:
    """Returns the names and prefixes that :func:`load_attacker` knows."""
    return [
        AttackerListing(
            name,
            entry.description,
            not _missing(entry)
            and (name != "embedded" or (EMBEDDED_VLM / "config.json").is_file()),
        )
        for name, entry in _entries.items()
    ]


def _missing(entry: _Entry) -> list[str]:
    return [module for module in entry.needs if find_spec(module) is None]


def load_attacker(
    name: str,
    *,
    device: str | None = None,
    local_files_only: bool = False,
    trust_remote_code: bool = False,
) -> Attacker:
    """Loads a model for an attacker to fine-tune; every call loads it anew.

    Args:
        name: a name of :func:`list_attackers`, or a prefix and what it needs, such as
            ``"llava:llava-hf/llava-1.5-7b-hf"``
        device: where to put it; None is the CPU
        local_files_only: whether to stay with this machine's files
        trust_remote_code: whether code that ships with a checkpoint may run; needed by
            ``qwen_vl_original:`` alone, and to be given only for checkpoints whose code was read

    Raises:
        ConfigError: if the name is unknown
        ModelNotFoundError: if the weights, or a package that reads them, are not here
    """
    prefix, colon, target = name.partition(":")
    entry = _entries.get(prefix + colon)
    if entry is None:
        close = difflib.get_close_matches(prefix + colon, list(_entries), n=1)
        hint = f"did you mean {close[0]!r}? The names are" if close else "the names are"
        raise ConfigError(f"no attacker is called {name!r}: {hint} {', '.join(_entries)}")
    if colon and not target:
        raise ConfigError(f"{name!r} names no model: give {entry.description} after the colon")
    for package in _missing(entry):
        raise ModelNotFoundError(
            f"{name!r} needs the package {package}: run `pip install {package}`"
        )
    return entry.loader(
        AttackerRequest(name, target, device or "cpu", local_files_only, trust_remote_code)
    )
