"""A run's folder: begun, or taken up again where a killed or cancelled run left it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from safetensors import SafetensorError

from ..errors import RunError
from ..media import remove_leftovers
from ..media.atomic import write_atomically
from ..protection import Targets
from .items import PhotoItem, PhotoRecord
from .journal import Journal
from .lock import LOCK
from .manifest import ITEMS, JOURNAL, MANIFEST, TARGETS, ItemList, Manifest
from .names import checked_path
from .originals import Original

__all__ = ["RunFolder", "has_begun", "refuse_foreign"]


def has_begun(directory: Path) -> bool:
    """Says whether a folder holds a run whose settings can no longer change.

    Until the first pass is finished nothing was made by them, so they bind nobody.

    Raises:
        RunError: if the run in the folder cannot be read
    """
    if not (directory / MANIFEST).is_file():
        return False
    return Manifest.load(directory).targets_sha256 is not None


def refuse_foreign(directory: Path) -> None:
    """Refuses a folder that holds anything but a run.

    Raises:
        RunError: if it does
    """
    if directory.exists() and not directory.is_dir():
        raise RunError(f"{directory} is a file: give a folder to write to")
    if not directory.is_dir() or (directory / MANIFEST).is_file():
        return
    # a run that was killed while it began has left these
    own = {LOCK, ITEMS, MANIFEST}
    others = [p.name for p in directory.iterdir() if p.name not in own and p.suffix != ".part"]
    if others:
        raise RunError(
            f"{directory} holds other files ({sorted(others)[0]}): give an empty or a new folder"
        )


class RunFolder:
    """What a run's folder holds, as long as its lock is held.

    Args:
        directory: the folder
        asked: the run that is asked for
        items: all photos
        listed: which of them to protect; None goes on with a run that has begun

    Attributes:
        manifest: as it stands in the folder
        warnings: what differs harmlessly from an unbroken run, one sentence each
        selected: (key, group) of the photos to protect, sorted, as the run was begun
        draws: key -> what the photo is drawn by, of the same photos
        targets: the run's, None until they are computed
        originals: key -> what was noted of the photo; empty until the targets are computed
        records: key -> the last that was written of a photo

    Raises:
        RunError: if the folder holds another run, or was tampered with
    """

    def __init__(
        self,
        directory: Path,
        asked: Manifest,
        items: Sequence[PhotoItem],
        listed: ItemList | None,
    ) -> None:
        self.directory = directory
        self.warnings: list[str] = []
        self.targets: Targets | None = None
        self.originals: dict[str, Original] = {}
        self.records: dict[str, PhotoRecord] = {}
        remove_leftovers(directory)
        if has_begun(directory):
            self.manifest = Manifest.load(directory)
            self.warnings += self.manifest.check_same(asked)
            begun = ItemList.load(directory)
            begun.check_same([i.key for i in items], [i.group for i in items])
        elif listed is None:
            raise RunError(
                f"the run in {directory} was taken away meanwhile: start the same command again"
            )
        else:
            self.manifest = asked
            # what a first pass that was not finished has noted is not to be trusted
            (directory / JOURNAL).unlink(missing_ok=True)
            begun = listed
            begun.save(directory)
            asked.save(directory)
        self.selected, self.draws = begun.selected, begun.draws
        self._journal = Journal(directory / JOURNAL)
        self._read()

    def __enter__(self) -> RunFolder:
        return self

    def __exit__(self, *error: object) -> None:
        self._journal.close()

    def _read(self) -> None:
        for entry in self._journal.entries:
            values = {name: value for name, value in entry.items() if name != "kind"}
            try:
                if entry["kind"] == "original":
                    self.originals[values["key"]] = Original.from_dict(values)
                else:
                    if "path" in values:
                        checked_path(self.directory, values["path"])
                    record = PhotoRecord.from_dict(values, self.directory)
                    self.records[record.key] = record
            except (KeyError, TypeError) as error:
                raise RunError(
                    f"{self.directory / JOURNAL} does not read as a run's journal ({error}): start "
                    "a new run in another folder"
                ) from error
        if self.manifest.targets_sha256:
            self.targets = self._load_targets(self.manifest.targets_sha256)

    def _load_targets(self, sha256: str) -> Targets:
        path = self.directory / TARGETS
        try:
            targets = Targets.load(path)
        except (OSError, SafetensorError, ValueError, KeyError) as error:
            raise RunError(
                f"{path} cannot be read: put it back from a copy, or start a new run in another "
                "folder"
            ) from error
        if targets.sha256 != sha256:
            raise RunError(
                f"{path} is not the file that this run was begun with: put it back from a copy, or "
                "start a new run in another folder"
            )
        return targets

    @property
    def surveyed(self) -> bool:
        """Whether the first pass is finished."""
        return self.manifest.targets_sha256 is not None

    def begin(self, originals: Iterable[Original], targets: Targets | None) -> None:
        """Ends the first pass: its results are on the disk when this returns.

        The manifest comes last: until it names the targets, the pass counts as not made.
        """
        originals = list(originals)
        self._journal.append({"kind": "original", **o.to_dict()} for o in originals)
        if targets is not None:
            write_atomically(self.directory / TARGETS, targets.to_bytes(), replace=True)
        self.manifest = self.manifest.with_targets("" if targets is None else targets.sha256)
        self.manifest.save(self.directory)
        self.targets = targets
        self.originals = {original.key: original for original in originals}

    def abandon(self) -> None:
        """Leaves nothing of a run whose first pass was refused; for the end of a call."""
        self._journal.close()
        for name in (JOURNAL, ITEMS, MANIFEST):
            (self.directory / name).unlink(missing_ok=True)

    def add(self, record: PhotoRecord) -> None:
        """Writes what became of a photo; it is on the disk when this returns."""
        self._journal.append([{"kind": "photo", **record.to_dict(self.directory)}])
        self.records[record.key] = record
