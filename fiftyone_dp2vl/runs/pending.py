"""Perturbations that the engine has found and that are not yet files.

They are a few megabytes and cost minutes. Kept on disk until their photos are in the journal, they
make a killed run repeat at most the batch that the engine was at.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from ..media.atomic import write_atomically
from .finishing import Perturbation

__all__ = ["PENDING", "Pending"]

PENDING = "pending"


class Pending:
    """The folder of a run's pending perturbations, one file a batch.

    Args:
        directory: the run's folder
    """

    def __init__(self, directory: Path) -> None:
        self.folder = directory / PENDING

    def save(self, batch: int, found: Mapping[str, Perturbation]) -> None:
        """Keeps a batch; it is on the disk when this returns.

        Args:
            batch: its number in this call
            found: key -> perturbation
        """
        self.folder.mkdir(exist_ok=True)
        tensors = {f"delta{row}": p.delta.contiguous() for row, p in enumerate(found.values())}
        # keys and losses as a tensor: safetensors writes its metadata in no fixed order
        facts = json.dumps([[key, p.loss, p.start_loss] for key, p in found.items()]).encode()
        tensors["facts"] = torch.tensor(list(facts), dtype=torch.uint8)
        write_atomically(self._path(batch), save(tensors), replace=True)

    def load(self) -> dict[str, Perturbation]:
        """Returns all that is pending; a file that cannot be read is as good as none."""
        found: dict[str, Perturbation] = {}
        for path in sorted(self.folder.glob("*.safetensors")):
            try:
                with safe_open(path, framework="pt") as tensors:
                    facts = json.loads(bytes(tensors.get_tensor("facts").tolist()))
                    for row, (key, loss, start_loss) in enumerate(facts):
                        delta = tensors.get_tensor(f"delta{row}")
                        found[key] = Perturbation(delta, loss, start_loss)
            except (SafetensorError, OSError, ValueError):
                continue
        return found

    def clear(self, batch: int) -> None:
        """Forgets a batch, whose photos are in the journal."""
        self._path(batch).unlink(missing_ok=True)

    def clear_all(self) -> None:
        """Forgets everything; for the end of a run."""
        if self.folder.is_dir():
            for path in self.folder.iterdir():
                path.unlink()
            self.folder.rmdir()

    def _path(self, batch: int) -> Path:
        return self.folder / f"{batch:06d}.safetensors"
