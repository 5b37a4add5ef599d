"""A release's folder as a list of files, and one hash for all of it."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from ..errors import DP2VLError

__all__ = ["FolderListing", "list_folder", "tree_sha256"]


@dataclass(frozen=True)
class FolderListing:
    """What is in a folder and below it.

    Attributes:
        files: relative path -> the file, sorted
        links: relative paths of links and of whatever else is no plain file
        folders: relative paths of folders
    """

    files: dict[str, Path]
    links: list[str]
    folders: list[str]


def list_folder(directory: Path) -> FolderListing:
    """Returns what is in a folder; links are not followed.

    Raises:
        DP2VLError: if it does not exist or cannot be listed
    """
    if not directory.is_dir():
        raise DP2VLError(f"{directory} is not a folder: give the folder of a release")
    files: dict[str, Path] = {}
    links: list[str] = []
    folders: list[str] = []

    def refuse(error: OSError) -> None:
        raise DP2VLError(f"{error.filename} cannot be listed: change its permissions") from error

    for parent, below, names in os.walk(directory, onerror=refuse):
        for name in [*below, *names]:
            path = Path(parent, name)
            relative = path.relative_to(directory).as_posix()
            if path.is_symlink() or not (path.is_file() or path.is_dir()):
                links.append(relative)
            elif path.is_dir():
                folders.append(relative)
            else:
                files[relative] = path
    return FolderListing(dict(sorted(files.items())), sorted(links), sorted(folders))


def tree_sha256(hashes: Iterable[tuple[str, str]]) -> str:
    """Returns one hash of (relative path, sha256 in hex) pairs, whatever their order."""
    lines = "".join(f"{sha256}  {name}\n" for name, sha256 in sorted(hashes))
    return hashlib.sha256(lines.encode("utf-8", "surrogateescape")).hexdigest()
