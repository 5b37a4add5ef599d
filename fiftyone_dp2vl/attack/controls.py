"""Files of photos that were changed in another way than by protection."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from ..measure.cells import code_digest, fingerprint
from ..measure.features import Change, read_rgb
from ..media.atomic import write_atomically
from .album import AlbumPhoto
from .contents import sha

__all__ = ["changed_photos", "rmse_between", "write_changed"]


class _Photo(Protocol):
    """A photo with a file and a key."""

    @property
    def key(self) -> str: ...

    @property
    def path(self) -> Path: ...


def changed_photos(
    photos: Sequence[AlbumPhoto],
    change: Change,
    spec: Mapping[str, Any],
    folder: Path,
    *,
    cancel: Callable[[], None] | None = None,
) -> list[AlbumPhoto]:
    """Returns the photos with their files replaced by changed ones, written once as PNG.

    Args:
        photos: what is changed; a photo's key seeds what is random
        change: the change
        spec: JSON values that, with the photos and the code, determine the change
        folder: where changed photos are kept
        cancel: called before each photo; may raise
    """
    full = {
        "photos": [[photo.key, sha(photo.path)] for photo in photos],
        "change": dict(spec),
        "code": code_digest("attack/changes", "attack/face", "protection", "media"),
    }
    files = write_changed(photos, change, folder / fingerprint(full), cancel=cancel)
    return [replace(photo, path=path) for photo, path in zip(photos, files, strict=True)]


def write_changed(
    photos: Sequence[_Photo],
    change: Change,
    folder: Path,
    *,
    cancel: Callable[[], None] | None = None,
) -> list[Path]:
    """Returns PNG files of changed photos, each written once.

    Args:
        photos: what is changed; a photo's key seeds what is random
        change: the change
        folder: where the files are kept, of these very photos and this change alone
        cancel: called before each photo; may raise
    """
    from PIL import Image

    folder.mkdir(parents=True, exist_ok=True)
    made = []
    for index, photo in enumerate(photos):
        if cancel is not None:
            cancel()
        path = folder / f"{index:05d}.png"
        if not path.is_file():
            file = io.BytesIO()
            picture = Image.fromarray(change(read_rgb(photo.path), photo.key))
            picture.save(file, format="PNG", compress_level=1)
            write_atomically(path, file.getvalue(), replace=True)
        made.append(path)
    return made


def rmse_between(photos: Sequence[AlbumPhoto], protected: Mapping[str, Path]) -> dict[str, float]:
    """Returns key -> root mean square of what protection changed, in 8-bit levels.

    Args:
        photos: clean ones
        protected: key -> file of the same size, or absent where a photo was left clean
    """
    levels = {}
    for photo in photos:
        if photo.key in protected:
            clean, moved = read_rgb(photo.path), read_rgb(protected[photo.key])
            levels[photo.key] = float(np.sqrt(np.mean((moved.astype(float) - clean) ** 2)))
        else:
            levels[photo.key] = 0.0
    return levels
