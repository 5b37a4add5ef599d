"""A fine-tuned attacker on disk: adapters in peft's format, other weights, and the recipe."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from pathlib import Path

from ..errors import ConfigError, DP2VLError
from .adapters import Adaptation
from .base import AttackerInfo
from .config import FineTuneConfig

__all__ = ["read_config", "save"]

_INDEX = "fine_tuned.json"


def save(adaptation: Adaptation, info: AttackerInfo, folder: Path) -> None:
    """Writes a folder, whole or not at all.

    Raises:
        ConfigError: if the folder holds something else
    """
    if folder.exists() and any(folder.iterdir()) and not (folder / _INDEX).is_file():
        raise ConfigError(f"{folder} holds other files: name an empty or a new folder")
    folder.parent.mkdir(parents=True, exist_ok=True)
    writing = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}-"))
    try:
        adaptation.save(writing)
        told = {
            "attacker": info.name,
            "weights_sha256": info.weights_sha256,
            "config": adaptation.config.to_dict(),
        }
        (writing / _INDEX).write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
        writing.chmod(0o755)
        if folder.exists():
            shutil.rmtree(folder)
        os.replace(writing, folder)
    except BaseException:
        shutil.rmtree(writing, ignore_errors=True)
        raise


def read_config(folder: Path, info: AttackerInfo) -> FineTuneConfig:
    """Returns the recipe of a saved attacker.

    Raises:
        DP2VLError: if the folder holds none, or one of another model
    """
    try:
        told = json.loads((folder / _INDEX).read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise DP2VLError(
            f"{folder} holds no fine-tuned attacker: name a folder that an attacker saved"
        ) from error
    if told["weights_sha256"] != info.weights_sha256:
        raise DP2VLError(
            f"{folder} was fine-tuned from {told['attacker']} with other weights: "
            "load that model first"
        )
    return FineTuneConfig.from_dict(told["config"])
