"""Where protected files may go: never among, nor onto, the originals."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from ..errors import RunError

__all__ = ["check_output_folder", "refuse_inside"]


def check_output_folder(
    directory: str | os.PathLike[str], sources: Iterable[str | os.PathLike[str]]
) -> None:
    """Refuses an output folder in which an original lies, or which lies in a folder with one.

    Links are followed on both sides, so that a folder cannot be reached under another name.

    Args:
        directory: the folder to write to; it need not exist
        sources: the original files

    Raises:
        RunError: if protected files would lie among originals
    """
    output = Path(os.path.realpath(directory))
    folders: dict[str, str] = {}  # as given -> real: a folder of many photos is resolved once
    for source in sources:
        given = os.path.dirname(os.path.abspath(source))
        if given not in folders:
            folders[given] = os.path.realpath(given)
        _refuse_among(output, Path(folders[given]), source)
        # a link that leads nowhere has no original to lie among: it fails as one photo of the run
        if os.path.islink(source) and os.path.exists(source):
            _refuse_among(output, Path(os.path.realpath(source)).parent, source)


def refuse_inside(directory: str | os.PathLike[str], album: str | os.PathLike[str]) -> None:
    """Refuses an output folder inside the folder whose photos are protected, sub-folders included.

    Where all photos lie in sub-folders, :func:`check_output_folder` sees nothing wrong with it;
    but the next look for photos in the album would find the protected ones among them.

    Args:
        directory: the folder to write to; it need not exist
        album: the folder that is looked through for photos

    Raises:
        RunError: if protected files would lie in the album; links are followed
    """
    output, folder = Path(os.path.realpath(directory)), Path(os.path.realpath(album))
    if output == folder or folder in output.parents:
        raise RunError(
            f"the output folder {output} lies inside the folder of the originals {folder}: choose "
            "a folder beside the originals"
        )


def _refuse_among(output: Path, folder: Path, source: str | os.PathLike[str]) -> None:
    if output == folder or folder in output.parents or output in folder.parents:
        raise RunError(
            f"the output folder {output} and the folder of the original {Path(source).name} lie "
            "one inside the other: choose a folder beside the originals"
        )
