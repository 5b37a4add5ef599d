"""A plain folder of photos as a run's items: no database."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

from ..errors import RunError
from .items import PhotoItem
from .names import PHOTO_SUFFIXES

__all__ = ["photos_in"]


def photos_in(
    folder: str | os.PathLike[str], *, group_by_folder: bool = False
) -> tuple[list[PhotoItem], Counter[str]]:
    """Returns the photos in a folder and below it, or a single one, and what else is there.

    A file is taken for a photo by its ending; one that then cannot be read becomes a failure of
    the run, not a gap. Hidden files and folders are passed over.

    Args:
        folder: where to look, or the photo; links to folders are not followed
        group_by_folder: whether photos of one sub-folder are of one person; who is on a photo
            outside of any sub-folder is then not known

    Returns:
        items with their relative paths as keys, sorted, and the other files' endings, counted

    Raises:
        RunError: if the folder does not exist or cannot be listed
    """
    root = Path(folder)
    if root.is_file():
        return [PhotoItem(root.name, root)], Counter()
    if not root.is_dir():
        raise RunError(f"{root} is neither a folder nor a file: give a folder with photos")
    items: list[PhotoItem] = []
    others: Counter[str] = Counter()

    def refuse(error: OSError) -> None:
        raise RunError(f"{error.filename} cannot be listed: change its permissions") from error

    for parent, folders, names in os.walk(root, onerror=refuse):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in names:
            path = Path(parent, name)
            if name.startswith("."):
                continue
            if path.suffix.lower() not in PHOTO_SUFFIXES:
                others[path.suffix.lower() or name] += 1
                continue
            relative = path.relative_to(root)
            known = group_by_folder and relative.parent != Path()
            group = relative.parent.as_posix() if known else None
            items.append(PhotoItem(relative.as_posix(), path, group=group))
    return sorted(items, key=lambda item: item.key), others
