"""Encoders by name, loaded when asked for; open to a user's own."""

from __future__ import annotations

import difflib
import importlib
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import torch

from ..errors import ConfigError, ModelNotFoundError
from .base import Encoder

__all__ = [
    "EncoderListing",
    "EncoderRequest",
    "list_encoders",
    "load_encoder",
    "parse_name",
    "register_encoder",
    "unload_encoders",
    "usable_device",
]

EMBEDDED = Path(__file__).resolve().parent.parent / "models" / "embedded"
"""The folder of the model that comes with the package."""


@dataclass(frozen=True)
class EncoderRequest:
    """What a loader is asked for.

    Attributes:
        name: the whole name, as it was given
        target: what follows the prefix, without the options; empty for a name without prefix
        options: the options, from ``?key=value&key=value`` at the end of the name
        local_files_only: whether to stay with this machine's files
    """

    name: str
    target: str
    options: dict[str, str] = field(default_factory=dict)
    local_files_only: bool = False

    def take(self, *known: str) -> dict[str, str]:
        """Returns the options.

        Raises:
            ConfigError: if there is one that the loader does not know
        """
        for key in self.options:
            if key not in known:
                told = f"the options are {', '.join(known)}" if known else "it has no options"
                raise ConfigError(f"unknown option {key!r} in {self.name!r}: {told}")
        return self.options


Loader = Callable[[EncoderRequest], Encoder]


class EncoderListing(NamedTuple):
    """One line of :func:`list_encoders`.

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
    needs: str | None = None


def _lazy(module: str, function: str) -> Loader:
    """Returns a loader whose module, and what that imports, is loaded at the first call."""

    def load(request: EncoderRequest) -> Encoder:
        loader: Loader = getattr(importlib.import_module(f".{module}", __package__), function)
        return loader(request)

    return load


def _load_embedded(request: EncoderRequest) -> Encoder:
    from .vit import load_vit

    if not (EMBEDDED / "config.json").is_file():
        raise ModelNotFoundError(
            f"the embedded model is not at {EMBEDDED}: install the package again, or train it "
            "with the script in training/"
        )
    return load_vit(
        EncoderRequest(request.name, str(EMBEDDED), request.options, local_files_only=True)
    )


_entries: dict[str, _Entry] = {
    "embedded": _Entry(_load_embedded, "the small encoder in the package", "transformers"),
    "local:": _Entry(_lazy("local", "load_local"), "a folder of any kind below"),
    "hf:": _Entry(
        _lazy("vit", "load_vit"),
        "CLIP, SigLIP, SigLIP 2, DINOv2, DINOv3: a folder or a hub id",
        "transformers",
    ),
    "open_clip:": _Entry(
        _lazy("openclip", "load_open_clip"),
        "ARCHITECTURE/TAG or ARCHITECTURE/FILE, a folder, or a hub id",
        "open_clip",
    ),
    "llava:": _Entry(
        _lazy("llava", "load_llava"), "the vision tower of a LLaVA-format model", "transformers"
    ),
    "qwen2_vl:": _Entry(_lazy("qwen_vl", "load_qwen_vl"), "Qwen2-VL's tower", "transformers"),
    "qwen2_5_vl:": _Entry(_lazy("qwen_vl", "load_qwen_vl"), "Qwen2.5-VL's tower", "transformers"),
    "qwen3_vl:": _Entry(_lazy("qwen_vl", "load_qwen_vl"), "Qwen3-VL's tower", "transformers"),
}
_loaded: dict[tuple[str, str], Encoder] = {}
_lock = threading.RLock()


def register_encoder(name_or_prefix: str, loader: Loader, *, description: str = "") -> None:
    """Adds an encoder, or a family of them, to the registry.

    Args:
        name_or_prefix: a name such as ``"mine"``, or a prefix ending in a colon such as ``"my:"``
        loader: from an :class:`EncoderRequest` to an :class:`Encoder`, called at the first use
        description: shown by :func:`list_encoders`

    Raises:
        ConfigError: if the name is taken or has a character that names cannot have
    """
    stem = name_or_prefix.removesuffix(":")
    if not stem or any(character in stem for character in ":?& \t\n"):
        raise ConfigError(
            f"{name_or_prefix!r} cannot name an encoder: give a word, or a word and a colon"
        )
    with _lock:
        if stem in {name.removesuffix(":") for name in _entries}:
            raise ConfigError(f"an encoder named {stem!r} is registered already: choose another")
        _entries[name_or_prefix] = _Entry(loader, description)


def list_encoders() -> list[EncoderListing]:
    """Returns the names and prefixes that :func:`load_encoder` knows."""
    return [
        EncoderListing(
            name,
            entry.description,
            (entry.needs is None or _installed(entry.needs))
            and (name != "embedded" or (EMBEDDED / "config.json").is_file()),
        )
        for name, entry in _entries.items()
    ]


def _installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except (ImportError, ValueError):
        return False


def parse_name(name: str) -> tuple[str, str, dict[str, str]]:
    """Returns the registered name or prefix, the target and the options of an encoder's name.

    Raises:
        ConfigError: if the name is unknown or malformed
    """
    body, mark, query = name.partition("?")
    options: dict[str, str] = {}
    for part in query.split("&") if mark else []:
        key, equals, value = part.partition("=")
        if not key or not equals or not value:
            raise ConfigError(f"{name!r} ends in no option: give ?key=value, joined by &")
        options[key] = value
    prefix, colon, target = body.partition(":")
    entry = _entries.get(prefix + colon)
    if entry is None:
        known = ", ".join(_entries)
        close = difflib.get_close_matches(prefix + colon, list(_entries), n=1)
        hint = f"did you mean {close[0]!r}? The names are" if close else "the names are"
        raise ConfigError(f"no encoder is called {name!r}: {hint} {known}")
    if colon and not target:
        raise ConfigError(f"{name!r} names no model: give {entry.description} after the colon")
    return prefix + colon, target, options


def load_encoder(
    name: str, *, device: str | torch.device | None = None, local_files_only: bool = False
) -> Encoder:
    """Loads an encoder: frozen, in evaluation mode, with float32 weights.

    An encoder that this process loaded before, on the same device, is returned again.

    Args:
        name: a name of :func:`list_encoders`, or a prefix and what it needs, such as
            ``"hf:openai/clip-vit-large-patch14-336?layer=-2"``
        device: where to put it; None is the CPU
        local_files_only: whether to stay with this machine's files

    Raises:
        ConfigError: if the name is unknown, or the device is none of this machine's
        ModelNotFoundError: if the weights are not here and cannot be fetched
    """
    place = usable_device(device)
    with _lock:
        registered, target, options = parse_name(name)
        entry = _entries[registered]
        key = (name, str(place))
        if key not in _loaded:
            if entry.needs is not None and not _installed(entry.needs):
                package = "open_clip_torch" if entry.needs == "open_clip" else entry.needs
                raise ModelNotFoundError(
                    f"{name!r} needs the package {package}: run `pip install {package}`"
                )
            request = EncoderRequest(name, target, options, local_files_only)
            encoder = entry.loader(request)
            if not encoder.name:
                encoder.name = name
            _loaded[key] = encoder.to(place).freeze()
        return _loaded[key]


def usable_device(device: str | torch.device | None) -> torch.device:
    """Returns a device that works, which the first number on it shows.

    Args:
        device: torch's name of it, None for the CPU

    Raises:
        ConfigError: if it does not, with those that this machine has
    """
    try:
        place = torch.device("cpu" if device is None else device)
        torch.zeros(1, device=place).item()
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        here = ["cpu", *(f"cuda:{number}" for number in range(torch.cuda.device_count()))]
        here += ["mps"] if torch.backends.mps.is_available() else []
        raise ConfigError(
            f"device {str(device)!r} is not usable here: this machine has {', '.join(here)}"
        ) from error
    return place


def unload_encoders() -> None:
    """Forgets the encoders that this process holds, so that their memory can be freed."""
    with _lock:
        _loaded.clear()
