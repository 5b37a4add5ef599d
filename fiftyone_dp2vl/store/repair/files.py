"""What a run's folder says of its files, read without changing anything, against what is there."""

from __future__ import annotations

import hashlib
import json
import os
import re
import stat
from dataclasses import dataclass
from pathlib import Path

from ...errors import RunError
from ...runs.lock import LOCK
from ...runs.manifest import JOURNAL, MANIFEST, Manifest
from ...runs.names import checked_path

__all__ = ["FolderState", "Told", "leftovers", "set_aside", "sha256_of", "state_of_file"]

ASIDE = "altered"
"""Folder within a run's to which files are moved that are not what the run wrote."""

_TEMPORARY = re.compile(r"\.dp2vl-[0-9a-f]{16}\.part")


@dataclass(frozen=True)
class Told:
    """What a journal says of a protected file.

    Args:
        path: the file
        size: in bytes
        sha256: of the file
    """

    path: Path
    size: int
    sha256: str


class FolderState:
    """What a run's folder says.

    Args:
        directory: the folder

    Attributes:
        files: key -> what was noted of its protected file; empty where the folder is gone
        problem: one sentence that says why the folder says nothing, or None
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.files: dict[str, Told] = {}
        self.problem: str | None = None
        if not directory.is_dir() or all(entry.name == LOCK for entry in directory.iterdir()):
            return
        try:
            Manifest.load(directory)
            if (directory / JOURNAL).is_file():
                self._read((directory / JOURNAL).read_bytes())
        except (RunError, OSError) as error:
            self.problem = str(error)

    @property
    def is_there(self) -> bool:
        """Whether there is a run in the folder at all."""
        return (self.directory / MANIFEST).is_file()

    def _read(self, data: bytes) -> None:
        lines = data.splitlines(keepends=True)
        if lines and not lines[-1].endswith(b"\n"):
            lines.pop()  # cut short when its writer was killed: what it told did not happen
        try:
            for line in lines:
                entry = json.loads(line)
                if entry["kind"] != "photo":
                    continue
                self.files.pop(entry["key"], None)
                if entry["status"] == "protected":
                    self.files[entry["key"]] = self._told(entry["path"], entry)
        except (ValueError, KeyError, TypeError) as error:
            raise RunError(
                f"{self.directory / JOURNAL} does not read as a run's journal ({error}): put it "
                "back from a copy"
            ) from error

    def _told(self, name: str, entry: dict[str, object]) -> Told:
        # the folder that holds the file must be the run's; the file itself is looked at later
        checked_path(self.directory, os.path.dirname(name))
        size, sha256 = entry["bytes"], entry["sha256"]
        if not isinstance(size, int) or not isinstance(sha256, str) or ".." in Path(name).parts:
            raise ValueError("a photo's entry names no file")
        return Told(self.directory / name, size, sha256)


def state_of_file(told: Told, *, thorough: bool) -> str:
    """Returns ``"whole"``, ``"gone"`` or ``"altered"``.

    Args:
        told: what was noted of the file
        thorough: whether to read it; else its size must do
    """
    try:
        found = os.lstat(told.path)
    except OSError:
        return "gone"
    if not stat.S_ISREG(found.st_mode) or found.st_size != told.size:
        return "altered"
    if not thorough:
        return "whole"
    return "whole" if sha256_of(told.path) == told.sha256 else "altered"


def sha256_of(path: Path) -> str:
    """Returns the hash of a file, in hex."""
    digest = hashlib.sha256()
    with open(path, "rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def set_aside(directory: Path, path: Path) -> None:
    """Moves a file that is not what the run wrote out of the way, keeping it.

    Args:
        directory: the run's folder
        path: the file
    """
    place = directory / ASIDE / path.relative_to(directory)
    place.parent.mkdir(parents=True, exist_ok=True)
    number = 1
    while os.path.lexists(place):
        place, number = place.with_name(f"{path.stem}-{number}{path.suffix}"), number + 1
    os.rename(path, place)


def leftovers(directory: Path) -> list[Path]:
    """Returns the temporary files that killed writers left in a folder and below it."""
    if not directory.is_dir():
        return []
    found = directory.rglob(".dp2vl-*.part")
    return sorted(
        path
        for path in found
        if _TEMPORARY.fullmatch(path.name) and path.is_file() and not path.is_symlink()
    )
