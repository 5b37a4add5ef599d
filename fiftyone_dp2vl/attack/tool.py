"""Our own tool in an attacker's hands, and in an evaluation's: protected files, made once."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from ..config import OutputConfig, ProtectionConfig, SelectionConfig
from ..errors import RunError
from ..measure.cells import code_digest, fingerprint
from ..media.atomic import write_atomically

if TYPE_CHECKING:
    from ..runs import Progress

__all__ = ["MAKING", "ToolPhoto", "run_tool", "sha"]

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


def sha(path: Path) -> str:
    """Returns 16 hex digits of a file's bytes; read again only where the file has changed."""
    state = path.stat()
    return _sha(path, state.st_size, state.st_mtime_ns)


@lru_cache(maxsize=1 << 16)
def _sha(path: Path, size: int, changed: int) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]


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
        "code": code_digest(*MAKING),
    }
    run = folder / fingerprint(spec)
    # beside the run's folder, which holds what the runner puts there and nothing else
    done = run.with_suffix(".json")
    if not _whole(run, done):

        def show(progress: Progress) -> None:
            if report is not None:
                report(progress.done / max(1, progress.total), progress.label)

        result = protect_photos(
            [PhotoItem(photo.key, photo.path, photo.group) for photo in photos],
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
        made = {
            record.key: record.path.relative_to(run).as_posix()
            for record in result.records
            if record.path is not None
        }
        write_atomically(done, json.dumps(made).encode(), replace=True)
    return {key: run / name for key, name in _listed(done).items()}


def _listed(done: Path) -> Mapping[str, str]:
    files: Mapping[str, str] = json.loads(done.read_text(encoding="utf-8"))
    return files


def _whole(run: Path, done: Path) -> bool:
    """Whether a run is finished and somebody did not remove photos of it afterwards."""
    return done.is_file() and all((run / name).is_file() for name in _listed(done).values())
