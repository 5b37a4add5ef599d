"""One release while it is made: photos under neutral names, a format, a sidecar."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ...config import OutputConfig
from ...errors import DP2VLError, RunError
from ...media import SUFFIXES, probe_photo, read_photo, write_photo
from ...release import KINDS, AuditReport, PrivateSet, SidecarWriter, TextScanner
from ...release.containers import strip
from ...release.steps import Steps
from ...release.text import TextHit
from ...runs import Progress
from ...runs.manifest import PHOTOS
from ..repair.files import sha256_of
from .fields import edited, texts_of
from .formats import check_folder_names, export_options, settle_files
from .kept import KeptWords
from .plan import ReleasePlan
from .records import (
    ReleaseRecord,
    begin_release,
    save_release,
    save_released_files,
    scratch_dataset,
)
from .text import FIELD_NAME, TextChoices, aliases_of

__all__ = ["ReleaseJob"]

_PREFIXES = ("photo", "picture", "image", "item")


class ReleaseJob:
    """Makes a release in a folder that nobody sees yet.

    Args:
        view: the photos
        plan: what the release holds
        choices: what is done with words
        private: the dataset as the audit sees it
        keys: ids of the photos that go
        progress: called while it goes on
        cancel: asked while it goes on

    Attributes:
        release: the dataset's record of it, once begun
    """

    def __init__(
        self,
        view: Any,
        plan: ReleasePlan,
        choices: TextChoices,
        private: PrivateSet,
        keys: Sequence[str],
        progress: Callable[[Progress], None] | None,
        cancel: Callable[[], bool] | None,
    ) -> None:
        self.view, self.plan, self.choices, self.private = view, plan, choices, private
        self.keys, self.progress, self.cancel = list(keys), progress, cancel
        self.dataset = view._root_dataset
        self.photos = {photo.key: photo for photo in private.photos}
        self.protected = set(plan.protected)
        self.release: ReleaseRecord
        self.files: dict[str, Path] = {}
        self.names: dict[str, str] = {}
        self.kept = KeptWords()
        self.scanner = TextScanner(
            private.identities,
            (photo.original for photo in private.photos),
            (photo.key for photo in private.photos),
        )

    def begin(self, directory: str) -> None:
        """Takes note of the release, and puts the photos in an order that tells nothing."""
        plan = self.plan
        self.release = begin_release(self.dataset, directory, plan.record.run, plan.format.name)
        self.secret = bytes.fromhex(self.release.secret)
        self.keys.sort(key=lambda key: self._digest(f"photo {key}"))
        prefix = self._prefix()
        ours = SUFFIXES[plan.record.output.format]
        for number, key in enumerate(self.keys, start=1):
            suffix = ours if key in self.protected else ".png"
            self.names[key] = f"{prefix}-{number:06d}{suffix}"

    def write_photos(self, folder: Path) -> None:
        """Writes every photo with nothing but its pixels."""
        folder.mkdir()
        steps = Steps("copy", len(self.keys), "copying photos", self.progress, self.cancel)
        for number, key in enumerate(self.keys, start=1):
            path = folder / self.names[key]
            if key in self.protected:
                path.write_bytes(strip(self._protected(key).read_bytes()))
            else:
                write_photo(read_photo(self.photos[key].original), path, OutputConfig())
            self.files[key] = path
            steps.at(number)

    def export(self, folder: Path) -> None:
        """Writes the format, by way of a dataset that has never held anything else."""
        import fiftyone as fo

        made, fields = self.plan.format, self.plan.fields
        name = scratch_dataset(self.release)
        if fo.dataset_exists(name):  # a killed release left it
            fo.delete_dataset(name)
        dataset = fo.Dataset(name)
        try:
            dataset.add_samples(self._samples(), progress=False)
            options = export_options(made, fields)
            folder.rmdir()  # FiftyOne warns that it merges into a folder that is there
            try:
                dataset.export(
                    export_dir=str(folder), export_media="move", progress=False, **options
                )
            except DP2VLError:
                raise
            except Exception as error:  # exporters raise whatever labels provoke in them
                raise RunError(
                    f"FiftyOne could not write format {made.name!r} ({type(error).__name__}: "
                    f"{error}): choose other fields or another format"
                ) from error
        finally:
            with contextlib.suppress(Exception):  # the database may be what failed
                fo.delete_dataset(name)
        settle_files(made, folder, self.secret)

    def seal(self, folder: Path, path: Path, passphrase: str | None) -> Path | None:
        """Writes the sidecar of the protected photos."""
        if passphrase is None:
            return None
        keys = [key for key in self.keys if key in self.protected]
        places = {p.name: p for p in folder.rglob("*") if p.is_file()}
        steps = Steps("seal", len(keys), "sealing the originals", self.progress, self.cancel)
        with open(path, "wb") as stream:
            writer = SidecarWriter(stream, passphrase, len(keys))
            for number, key in enumerate(keys, start=1):
                place = places[self.names[key]]
                original, released = read_photo(self.photos[key].original), read_photo(place)
                if original.pixels.shape[:2] != released.pixels.shape[:2]:
                    raise RunError(
                        f"the original of photo {key} was changed after it was protected: put it "
                        "back, or protect it in a new run"
                    )
                writer.add(place.relative_to(folder).as_posix(), original, released)
                steps.at(number)
            writer.finish()
        return path

    def note(self, report: AuditReport, sidecar: Path | None, sealed: Path | None) -> None:
        """Takes note of what will be there, before anybody can see any of it.

        Args:
            report: the audit that the folder passed
            sidecar: where its sidecar will be, or None
            sealed: the sidecar as it is now, or None
        """
        save_released_files(self.dataset, self.release, self.names)
        sidecars = self.release.sidecars_sha256
        if sealed is not None:
            sidecars = (*sidecars, sha256_of(sealed))
        self.release = save_release(
            self.dataset,
            self.release,
            fields=tuple(name for name, _ in self.plan.fields),
            unprotected=report.unprotected,
            tree_sha256=report.tree_sha256,
            sidecar=str(sidecar or ""),
            sidecars_sha256=sidecars,
        )

    def finish(self) -> None:
        """Takes note that the release is there."""
        self.release = save_release(self.dataset, self.release, state="complete")

    def _samples(self) -> list[Any]:
        import fiftyone as fo

        columns = self._columns()
        samples = []
        for key in self.keys:
            width, height = probe_photo(self.files[key])
            values = {name: column[key] for name, column in columns.items()}
            tags = values.pop("tags", None) or []
            samples.append(
                fo.Sample(
                    filepath=str(self.files[key]),
                    tags=tags,
                    metadata=fo.ImageMetadata(width=width, height=height),
                    **values,
                )
            )
        return samples

    def _columns(self) -> dict[str, dict[str, Any]]:
        """Returns field -> id -> the value as it travels."""
        import fiftyone as fo

        scanner = self.scanner
        aliases = aliases_of(self.private.identities, self.secret, scanner)
        ids = self.view.values("id")
        columns = {}
        for name, kind in self.plan.fields:
            edit = self.choices.editor(name, scanner, aliases)
            values = [edited(value, edit) for value in self.view.values(name)]
            self._note_kept(name, values)
            if self.plan.format.name == "classification-tree":
                labels = [v if kind == "StringField" else getattr(v, "label", None) for v in values]
                check_folder_names(labels)
                values = [None if v is None else fo.Classification(label=v) for v in labels]
            columns[name] = dict(zip(ids, values, strict=True))
        return columns

    def _note_kept(self, field: str, values: Sequence[Any]) -> None:
        """Takes note of the words that a field keeps, and refuses any that it was not to keep."""
        if self.choices.of(field, FIELD_NAME) == "keep":
            self.kept.keep([field], self.scanner.hits(field))
        for value in values:
            texts = list(texts_of(value))
            hits: list[TextHit] = []
            for text in texts:
                hits += self.scanner.hits(text)
            for hit in hits:
                action = self.choices.of(field, hit.kind)
                if action != "keep":
                    raise RunError(
                        f"field {field!r} would still have {KINDS[hit.kind]} ({hit.text!r}) after "
                        f"what was chosen for it ({action}): drop what carries it, or leave the "
                        "field out"
                    )
            self.kept.keep(texts, hits)

    def strays(self, folder: Path) -> list[str]:
        """Returns a sentence for each file with words that are kept elsewhere, but not there."""
        kinds = self.choices.kept(self.plan.words)
        return self.kept.strays(folder, kinds, self.scanner) if kinds else []

    def _protected(self, key: str) -> Path:
        """Returns a protected file, which must be one of the run's."""
        path = self.photos[key].protected
        folder = os.path.realpath(Path(self.plan.record.directory) / PHOTOS)
        if path is None or not path.is_file():
            raise RunError(
                f"the protected file of photo {key} is gone: put it back, or protect it in a new "
                "run"
            )
        if os.path.commonpath([folder, os.path.realpath(path)]) != folder:
            raise RunError(
                f"the protected file of photo {key} lies outside the run's folder: the field "
                f"{self.plan.record.names.path} was changed; protect in a new run"
            )
        return path

    def _prefix(self) -> str:
        """Returns a beginning of names that no original has."""
        taken = [photo.original.stem.casefold() for photo in self.private.photos]
        for prefix in _PREFIXES:
            if not any(stem.startswith(f"{prefix}-") for stem in taken):
                return prefix
        return f"release-{self._digest('prefix').hex()[:6]}"

    def _digest(self, text: str) -> bytes:
        return hmac.new(self.secret, text.encode(), hashlib.sha256).digest()
