"""What lies beside a release's folder: its audit, and the sidecar that restores the originals.

Both are there before the folder appears, so that nobody sees a folder without them. By then the
release's record says what folder and sidecar will be, so that after a death what it left can be
told from anybody else's files.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Collection
from pathlib import Path
from typing import Any

from ...errors import ConfigError, DP2VLError
from ...media.atomic import sync_folder
from ...release.restoration import SUFFIX
from ...release.tree import list_folder, tree_sha256
from ..repair.files import sha256_of
from .records import ReleaseRecord, list_releases

__all__ = [
    "audit_path",
    "check_sidecar",
    "has_sidecar",
    "known_sidecars",
    "left_folder",
    "part_of",
    "place",
    "sidecar_path",
]


def audit_path(directory: Path) -> Path:
    """Returns where the audit of a release is; its page ends in ``.html``."""
    return directory.with_name(f"{directory.name}.audit.json")


def sidecar_path(directory: Path, chosen: str | Path | None) -> Path:
    """Returns where the sidecar of a release goes.

    Args:
        directory: the release's folder
        chosen: the caller's place, or None for the one beside the folder

    Raises:
        ConfigError: if it would lie inside the release
    """
    path = directory.with_name(directory.name + SUFFIX)
    if chosen is not None:
        path = Path(chosen).expanduser().absolute()
    if directory in path.parents or Path(os.path.realpath(directory)) in path.resolve().parents:
        raise ConfigError("the sidecar would lie inside the release: choose a place outside")
    return path


def known_sidecars(dataset: Any, directory: Path) -> set[str]:
    """Returns the hashes of sidecars that interrupted releases to a folder may have left."""
    return {
        sha256
        for record in list_releases(dataset)
        if record.state == "running" and record.directory == str(directory)
        for sha256 in record.sidecars_sha256
    }


def check_sidecar(path: Path, known: Collection[str]) -> None:
    """Refuses a place where there is something that is not ours to replace.

    Args:
        path: where a sidecar is to go
        known: hashes of sidecars of the same release, which never appeared

    Raises:
        ConfigError: if it may be the only key to another release
    """
    if os.path.lexists(path) and not _is_one_of(path, known):
        raise ConfigError(f"{path} exists: move it away, or choose another place for the sidecar")


def has_sidecar(record: ReleaseRecord) -> bool:
    """Returns whether the sidecar of a release, if it has one, is where its record says."""
    return not record.sidecar or _is_one_of(Path(record.sidecar), record.sidecars_sha256[-1:])


def left_folder(dataset: Any, directory: Path) -> ReleaseRecord | None:
    """Returns the record of a release that was interrupted after its folder appeared, or None.

    The folder must be, name by name and byte by byte, what passed the release's audit.
    """
    waiting = [
        record
        for record in list_releases(dataset)
        if record.state == "running" and record.tree_sha256 and record.directory == str(directory)
    ]
    if not waiting or directory.is_symlink():
        return None
    try:
        listing = list_folder(directory)
        found = tree_sha256((name, sha256_of(file)) for name, file in listing.files.items())
    except (DP2VLError, OSError):
        return None
    if listing.links:
        return None
    return next((record for record in waiting if record.tree_sha256 == found), None)


def place(made: Path, target: Path) -> None:
    """Puts a finished file elsewhere, in place of what is there, whole or not at all."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.replace(made, target)
    except OSError:  # another file system
        part = part_of(target)
        try:
            shutil.copyfile(made, part)
            with open(part, "rb") as stream:
                os.fsync(stream.fileno())
            os.replace(part, target)
        finally:
            part.unlink(missing_ok=True)
    sync_folder(target.parent)


def part_of(target: Path) -> Path:
    """Returns where a file is copied to before it gets its name; always the same place."""
    return target.with_name(f".{target.name}.dp2vl-part")


def _is_one_of(path: Path, known: Collection[str]) -> bool:
    try:
        return not path.is_symlink() and path.is_file() and sha256_of(path) in known
    except OSError:
        return False
