"""A folder that appears whole or not at all."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ..errors import RunError, reason_of
from ..media.atomic import sync_folder
from ..runs.lock import locked

__all__ = ["Stage", "clear_workshop", "refuse_existing", "staged", "workshop_of"]


@dataclass(frozen=True)
class Stage:
    """Where a folder is made before it is visible.

    Attributes:
        folder: becomes the folder that was asked for
        scratch: for what is needed meanwhile; goes when all is done
    """

    folder: Path
    scratch: Path

    def sync(self) -> None:
        """Brings the folder to the disk, for whoever puts something beside it before it appears."""
        for parent, _, names in os.walk(self.folder):
            for name in names:
                descriptor = os.open(Path(parent, name), os.O_RDONLY)
                try:
                    os.fsync(descriptor)
                finally:
                    os.close(descriptor)
            sync_folder(Path(parent))


def refuse_existing(directory: Path) -> None:
    """Refuses a folder in which there is something already.

    Raises:
        RunError: if there is
    """
    if directory.is_symlink() or (directory.exists() and not directory.is_dir()):
        raise RunError(f"{directory} exists and is no folder: give a new one")
    if directory.is_dir() and any(directory.iterdir()):
        raise RunError(f"{directory} holds files already: give a new folder")


@contextmanager
def staged(directory: Path) -> Iterator[Stage]:
    """Makes a folder beside the one that is asked for, and renames it when the block is left.

    When the block raises, or the process is killed, the folder does not appear; the next call
    clears what was left. Everything is on the disk before the rename.

    Args:
        directory: a new or empty folder; the folder that holds it is made if need be

    Raises:
        RunError: if something is there already, another process is at it, or the disk refuses
    """
    directory = Path(os.path.abspath(directory))
    refuse_existing(directory)
    workshop = workshop_of(directory)
    try:
        with locked(workshop):
            stage = Stage(workshop / "folder", workshop / "scratch")
            for folder in (stage.folder, stage.scratch):
                shutil.rmtree(folder, ignore_errors=True)
                folder.mkdir()
            yield stage
            stage.sync()
            refuse_existing(directory)
            os.rename(stage.folder, directory)
            sync_folder(directory.parent)
    except OSError as error:
        reason = reason_of(error)
        raise RunError(
            f"{directory} cannot be written ({reason}): mend that and give the same command again"
        ) from error
    finally:
        clear_workshop(workshop)


def workshop_of(directory: Path) -> Path:
    """Returns the hidden folder in which a folder is made."""
    return directory.with_name(f".{directory.name}.dp2vl-part")


def clear_workshop(workshop: Path) -> None:
    """Removes what was left where a folder was made, unless another process holds it."""
    try:
        with locked(workshop):
            shutil.rmtree(workshop / "folder", ignore_errors=True)
            shutil.rmtree(workshop / "scratch", ignore_errors=True)
            shutil.rmtree(workshop, ignore_errors=True)
    except RunError:
        return
