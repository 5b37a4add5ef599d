"""Where weights come from: a folder, the hub's cache, or the hub; and how they are read safely.

No pickle is ever executed: safetensors, or torch's weights-only loader for older files.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import DP2VLError, ModelNotFoundError

__all__ = ["find_model", "load_strictly", "read_config", "read_license", "read_tensors", "sha256"]

HUB_TIMEOUT = 5.0
"""Seconds to wait for the hub's answer before the model is called unreachable."""

_TEXT_FILES = ("*.json", "README.md", "LICENSE*")
_REPO_ID = re.compile(r"^[\w.-]+/[\w.-]+$")


def find_model(
    model: str,
    *,
    local_files_only: bool = False,
    wanted: Callable[[str], bool] | None = None,
    files: Sequence[str] = (),
) -> Path:
    """Returns a folder with a model's configuration and weights.

    Args:
        model: a folder, or a model's id on the hub
        local_files_only: whether to stay with this machine's files
        wanted: of the tensors' names, which are needed; files with none of them are not fetched
        files: names of weight files, the best first, of which one is needed; empty for the names
            that transformers uses

    Raises:
        ModelNotFoundError: if the model is not here and cannot be fetched
    """
    folder = Path(model).expanduser()
    if folder.is_dir():
        return folder
    if not _REPO_ID.match(model):
        raise ModelNotFoundError(
            f"{model} is no folder on this machine and no id of a model on the hub: "
            "give the folder that holds its config.json and its weights"
        )
    cached = _cached(model, wanted, files)
    if cached is not None:
        return cached
    how = (
        f"run `hf download {model} --local-dir FOLDER` on a connected machine, bring FOLDER here, "
        "and name FOLDER instead"
    )
    if local_files_only:
        raise ModelNotFoundError(f"{model} is not in this machine's cache of the hub: {how}")
    return _download(model, wanted, files, how)


def _cached(model: str, wanted: Callable[[str], bool] | None, files: Sequence[str]) -> Path | None:
    """Returns the hub's cached folder of a model if what is needed of it is there."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    try:
        # Weights are looked for below: a cache with one needed shard of three is enough.
        folder = Path(
            snapshot_download(model, allow_patterns=["*config.json"], local_files_only=True)
        )
    except (LocalEntryNotFoundError, HFValidationError, OSError):
        return None
    if files:
        return folder if any((folder / name).is_file() for name in files) else None
    try:
        found = _weight_files(folder, wanted)
    except ModelNotFoundError:
        return None
    return folder if all(file.is_file() for file in found) else None


def _download(
    model: str, wanted: Callable[[str], bool] | None, files: Sequence[str], how: str
) -> Path:
    from huggingface_hub import HfApi, constants, snapshot_download
    from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError

    if constants.HF_HUB_OFFLINE:
        raise ModelNotFoundError(f"{model} is not on this machine and HF_HUB_OFFLINE is set: {how}")
    try:
        # One short question first: the downloader itself would retry for minutes.
        listing = HfApi().model_info(model, timeout=HUB_TIMEOUT)
        names = [file.rfilename for file in listing.siblings or []]
        best = [name for name in files if name in names][:1]
        if best:
            return Path(snapshot_download(model, allow_patterns=[*_TEXT_FILES, *best]))
        pattern = "*.safetensors" if any(n.endswith(".safetensors") for n in names) else "*.bin"
        if wanted is None:
            return Path(snapshot_download(model, allow_patterns=[*_TEXT_FILES, pattern]))
        folder = Path(snapshot_download(model, allow_patterns=list(_TEXT_FILES)))
        needed = [file.name for file in _weight_files(folder, wanted, missing_ok=True)]
        return Path(snapshot_download(model, allow_patterns=[*_TEXT_FILES, *(needed or [pattern])]))
    except GatedRepoError as error:
        raise ModelNotFoundError(
            f"{model} asks for its licence to be accepted on its page of the hub: accept it, run "
            "`hf auth login`, and try again"
        ) from error
    except RepositoryNotFoundError as error:
        raise ModelNotFoundError(
            f"{model} is not on the hub, or not open to you: look at the spelling, or {how}"
        ) from error
    except Exception as error:  # every kind of network trouble means the same to the user
        raise ModelNotFoundError(
            f"{model} is not on this machine and the hub cannot be reached: {how}"
        ) from error


def read_config(folder: Path) -> dict[str, Any]:
    """Returns ``config.json`` of a model's folder.

    Raises:
        ModelNotFoundError: if there is none
    """
    try:
        config: dict[str, Any] = json.loads((folder / "config.json").read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise ModelNotFoundError(
            f"{folder} has no readable config.json: give the folder of a whole model"
        ) from error
    return config


def _weight_files(
    folder: Path, wanted: Callable[[str], bool] | None, missing_ok: bool = False
) -> list[Path]:
    """Returns a folder's files with the wanted tensors, safetensors before older kinds."""
    for suffix, stem in ((".safetensors", "model"), (".bin", "pytorch_model")):
        index = folder / f"{stem}{suffix}.index.json"
        if index.is_file():
            names: dict[str, str] = json.loads(index.read_text("utf-8"))["weight_map"]
            return [folder / f for f in sorted({f for n, f in names.items() if _take(n, wanted)})]
        one = folder / f"{stem}{suffix}"
        found = [one] if one.is_file() else sorted(folder.glob(f"*{suffix}"))
        if found:
            return found
    if missing_ok:
        return []
    raise ModelNotFoundError(f"{folder} holds no weights: it needs a .safetensors or .bin file")


def _take(name: str, wanted: Callable[[str], bool] | None) -> bool:
    return wanted is None or wanted(name)


def read_tensors(
    source: Path | Iterable[Path], wanted: Callable[[str], bool] | None = None
) -> dict[str, Tensor]:
    """Returns the wanted tensors of a folder or of some files, by name, on the CPU.

    Args:
        source: a model's folder, or ``.safetensors``, ``.bin``, ``.pt`` and ``.pth`` files
        wanted: of the tensors' names, which to read; None for all

    Raises:
        ModelNotFoundError: if a file is missing
        DP2VLError: if a file would have to be unpickled
    """
    files = _weight_files(source, wanted) if isinstance(source, Path) else list(source)
    tensors: dict[str, Tensor] = {}
    for file in files:
        if not file.is_file():
            raise ModelNotFoundError(f"{file} is missing: copy or download it again")
        if file.suffix == ".safetensors":
            from safetensors import safe_open

            with safe_open(file, framework="pt") as handle:
                names = [name for name in handle.keys() if _take(name, wanted)]  # noqa: SIM118
                tensors.update((name, handle.get_tensor(name)) for name in names)
        else:
            state = load_weights_only(file)
            tensors.update((n, t) for n, t in state.items() if _take(n, wanted))
    return tensors


def load_weights_only(file: Path) -> dict[str, Tensor]:
    """Returns the state dict of a torch file without running anything that is in it.

    Raises:
        DP2VLError: if the file holds more than tensors and plain containers
    """
    try:
        state = torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:
        raise DP2VLError(
            f"{file} cannot be read without running code that it contains, so it is refused: "
            "bring the model as safetensors"
        ) from error
    if isinstance(state, dict) and isinstance(state.get("state_dict"), dict):
        state = state["state_dict"]
    if not isinstance(state, dict):
        raise DP2VLError(f"{file} holds no named tensors: bring the model as safetensors")
    return {name: value for name, value in state.items() if isinstance(value, Tensor)}


def load_strictly(module: nn.Module, tensors: dict[str, Tensor], source: object) -> None:
    """Loads a module's weights, all of them, as float32.

    Args:
        module: the module
        tensors: by the module's own names; more than it has are ignored
        source: what to name in an error

    Raises:
        DP2VLError: if a weight is missing or has another shape
    """
    own = module.state_dict()
    for name, value in own.items():
        if name not in tensors:
            raise DP2VLError(f"{source} does not fit its own configuration: {name} is missing")
        if tensors[name].shape != value.shape:
            raise DP2VLError(
                f"{source} does not fit its own configuration: {name} has shape "
                f"{tuple(tensors[name].shape)} and not {tuple(value.shape)}"
            )
    module.load_state_dict(
        {n: tensors[n].float() if v.is_floating_point() else tensors[n] for n, v in own.items()}
    )


def read_license(folder: Path) -> str:
    """Returns the licence that a model's card names, or ``"unknown"``."""
    card = folder / "README.md"
    if card.is_file():
        text = card.read_text("utf-8", errors="replace")
        if text.startswith("---"):
            head = text[3:].split("\n---", 1)[0]
            found = dict(re.findall(r"^(license(?:_name)?):[ \t]*[\"']?([^\s\"'#]+)", head, re.M))
            named = str(found.get("license", ""))
            if named == "other":
                named = str(found.get("license_name", "other"))
            if named:
                return named
    return "unknown"


def sha256(module: nn.Module) -> str:
    """Returns the hash of a module's exact weights: names, shapes, types and bytes, in order."""
    digest = hashlib.sha256()
    for name, value in sorted(module.state_dict().items()):
        digest.update(f"{name}\0{tuple(value.shape)}\0{value.dtype}\0".encode())
        data = value.detach().cpu().contiguous().reshape(-1).view(torch.uint8)
        digest.update(memoryview(data.numpy()))
    return digest.hexdigest()
