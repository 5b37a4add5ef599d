"""What can be said about an encoder's name without loading anything or asking the hub."""

from __future__ import annotations

import re
from pathlib import Path

from ..errors import ConfigError, ModelNotFoundError
from .registry import list_encoders, parse_name
from .weights import find_model

__all__ = ["hub_is_off", "missing_model", "name_problem"]

_HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")
_LAYERS = r"(-?\d+|last)(,(-?\d+|last))*"
_VIT = {"layer": _LAYERS, "mode": "crop|pad|squash"}
_QWEN = {"deepstack": "true|false", "max_pixels": r"[1-9]\d*"}
_OPTIONS: dict[str, dict[str, str]] = {
    "embedded": _VIT,
    "hf": _VIT,
    "local": {**_VIT, **_QWEN},
    "open_clip": {"layer": r"-?\d+"},
    "llava": {"mode": _VIT["mode"]},
    "qwen2_vl": _QWEN,
    "qwen2_5_vl": _QWEN,
    "qwen3_vl": _QWEN,
}
"""Family -> option -> what its value looks like; users' own families check theirs themselves."""

_MEANING = {
    "layer": "an index such as -2",
    "mode": "'crop', 'pad' or 'squash'",
    "deepstack": "'true' or 'false'",
    "max_pixels": "a number of pixels",
}


def name_problem(name: str) -> str | None:
    """Returns one sentence that says why an encoder's name cannot be right, or None.

    Args:
        name: as for :func:`~fiftyone_dp2vl.encoders.load_encoder`
    """
    try:
        prefix, target, options = parse_name(name)
    except ConfigError as error:
        return str(error)
    if not {entry.name: entry.ready for entry in list_encoders()}[prefix]:
        return f"encoder {name!r} is not installed: the doctor operator says how to bring it"
    family = prefix.removesuffix(":")
    looks_local = target.startswith(("/", "~", ".")) or family == "local"
    if looks_local and not Path(target).expanduser().exists():
        return f"encoder {name!r} names a folder that does not exist"
    for key, value in options.items() if family in _OPTIONS else ():
        form = _OPTIONS[family].get(key)
        if form is None:
            known = ", ".join(_OPTIONS[family])
            return f"unknown option {key!r} in {name!r}: the options are {known}"
        if not re.fullmatch(form, value):
            return f"{key} is {value!r} in {name!r}: give {_MEANING[key]}"
    if family == "open_clip":
        return _open_clip_problem(target)
    hub = family in _OPTIONS and family not in ("embedded", "local")
    if hub and not Path(target).expanduser().is_dir() and not _HUB_ID.fullmatch(target):
        return f"{target!r} is no folder on this machine and no id of a model on the hub"
    return None


def hub_is_off() -> bool:
    """Says whether ``HF_HUB_OFFLINE`` keeps this process from fetching models."""
    from huggingface_hub import constants

    return bool(constants.HF_HUB_OFFLINE)


def missing_model(name: str) -> str | None:
    """Returns one sentence if a model would have to be fetched from the hub, or None.

    Args:
        name: one of which :func:`name_problem` knows nothing bad
    """
    prefix, target, _ = parse_name(name)
    family = prefix.removesuffix(":")
    if family not in _OPTIONS or family in ("embedded", "local"):
        return None
    repository, files = _open_clip_source(target) if family == "open_clip" else (target, ())
    try:
        # a part of the weights will do: which are needed is only known once the model is loaded
        find_model(repository, local_files_only=True, wanted=lambda name: False, files=files)
    except ModelNotFoundError as error:
        return str(error)
    return None


def _open_clip_source(target: str) -> tuple[str, tuple[str, ...]]:
    """Returns the folder or hub id of a target, and the names that its weights may have."""
    import open_clip

    from .openclip import WEIGHTS

    target = target.removeprefix("hf-hub:")
    architecture, _, tag = target.partition("/")
    if Path(target).expanduser().is_dir() or architecture not in open_clip.list_models():
        return target, WEIGHTS
    if Path(tag).expanduser().is_file():
        return str(Path(tag).expanduser().parent), ()
    repository, _, file = str(open_clip.get_pretrained_cfg(architecture, tag)["hf_hub"]).rpartition(
        "/"
    )
    return repository, (file.rsplit(".", 1)[0] + ".safetensors", file) if file else WEIGHTS


def _open_clip_problem(target: str) -> str | None:
    import open_clip

    target = target.removeprefix("hf-hub:")
    architecture, _, tag = target.partition("/")
    if Path(target).expanduser().is_dir():
        return None
    if architecture not in open_clip.list_models():
        if tag and architecture:
            return None  # an id of the hub
        return (
            f"open_clip has no architecture {architecture!r}: give one of "
            "open_clip.list_models(), a folder with open_clip_config.json, or a hub id"
        )
    if Path(tag).expanduser().is_file() or open_clip.get_pretrained_cfg(architecture, tag):
        return None
    tags = ", ".join(open_clip.list_pretrained_tags_by_model(architecture)) or "none"
    return f"{tag!r} is no file and no tag of {architecture}: the tags are {tags}"
