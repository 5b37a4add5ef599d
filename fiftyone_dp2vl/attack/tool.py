"""Our own tool in an attacker's hands, and in an evaluation's: protected files, made once."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..config import OutputConfig, ProtectionConfig, SelectionConfig
from ..errors import RunError
from ..measure.cells import code_digest, fingerprint
from ..media.atomic import write_atomically
from .contents import sha

if TYPE_CHECKING:
    from ..runs import Progress

__all__ = ["MAKING", "ToolPhoto", "run_tool"]

MAKING = ("config", "encoders", "protection", "media", "runs")
"""Rooms whose code decides what a protected file holds."""


@dataclass(frozen=True)
class ToolPhoto:
    """A photo that the tool is given.

    Attributes:
        key: unique; seeds what is random about the photo
        path: the file
        group: the person on it, or None where nobody says
    """

    key: str
    path: Path
    group: str | None


def run_tool(
    photos: Sequence[ToolPhoto],
    config: ProtectionConfig,
    folder: Path,
    *,
    device: str | None = None,
    report: Callable[[float, str], None] | None = None,
    cancel: Callable[[], bool] | None = None,
) -> dict[str, Path]:
    """Returns each photo's protected file, made by the package's own runner.

    The run's folder is kept under a fingerprint of everything that decides its bytes; the runner
    makes an unfinished one whole.

    Args:
        photos: what is protected
        config: how
        folder: where runs are kept
        device: of the surrogates
        report: called with (share done in [0, 1], what is being done)
        cancel: asked now and then whether to stop

    Returns:
        key -> file

    Raises:
        RunError: if a photo could not be protected
        Cancelled: if ``cancel`` said so; a second call goes on
    """
    import torch

    from ..encoders import load_encoder
    from ..runs import PhotoItem, protect_photos

    encoders = [load_encoder(name, device=device) for name in config.encoders]
    selection, output = SelectionConfig(), OutputConfig()
    spec = {
        "kind": "attack",
        "photos": [[photo.key, photo.group, sha(photo.path)] for photo in photos],
        "config": config.to_dict(),
        "selection": selection.to_dict(),
        "output": output.to_dict(),
        "weights": [encoder.info.weights_sha256 for encoder in encoders],
        "threads": torch.get_num_threads(),
        "code": code_digest(*MAKING),
    }
    run = folder / fingerprint(spec)
    # beside the run's folder, which holds what the runner puts there and nothing else
    done = run.with_suffix(".json")
    files = _finished(run, done)
    if files is None:

        def show(progress: Progress) -> None:
            if report is not None:
                report(progress.done / max(1, progress.total), progress.label)

        result = protect_photos(
            [PhotoItem(p.key, p.path, p.group, draw=p.key) for p in photos],
            run,
            config,
            selection,
            output,
            device=device,
            encoders=encoders,
            progress=show,
            cancel=cancel,
        )
        failed = result.with_status("failed")
        if failed:
            raise RunError(
                f"{len(failed)} of {len(photos)} photos could not be protected; the first: "
                f"{failed[0].error}"
            )
        files = {
            record.key: record.path.relative_to(run).as_posix()
            for record in result.records
            if record.path is not None
        }
        write_atomically(done, json.dumps(files).encode(), replace=True)
    return {key: run / name for key, name in files.items()}


def _finished(run: Path, done: Path) -> Mapping[str, str] | None:
    """Returns key -> name of a finished run's files; None where it is not, or photos are gone."""
    if not done.is_file():
        return None
    files: Mapping[str, str] = json.loads(done.read_text(encoding="utf-8"))
    return files if all((run / name).is_file() for name in files.values()) else None
