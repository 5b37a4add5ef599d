"""The audit of a release: every file of a folder, held against what must not leave."""

from __future__ import annotations

import hashlib
import io
import math
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from datetime import datetime, timezone
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from .. import __version__
from ..errors import ConfigError, PhotoError
from ..media import read_photo
from ..runs import Progress
from ..runs.names import PHOTO_SUFFIXES
from .contents import LARGEST_FILE, Contents, contents_of
from .likeness import turn
from .metadata import metadata_findings
from .pictures import (
    Index,
    Match,
    build_index,
    inverse,
    level_distance,
    linf,
    pixel_digest,
    rgb,
    share_of_perturbation,
)
from .private import PrivateSet
from .rasters import pictures_in
from .report import AuditReport, Finding, PictureFigures
from .steps import Steps
from .text import KINDS, TextScanner
from .tree import list_folder, tree_sha256
from .vectors import VectorFinder

if TYPE_CHECKING:
    from ..encoders import Encoder

__all__ = ["CLEAN_BELOW", "KEPT_SHIFT", "audit_release"]

CLEAN_BELOW = 0.25
"""A picture with less than this share of its photo's perturbation is the clean photo."""

KEPT_SHIFT = 0.5
"""A picture of which a surrogate sees less than this share of the recorded shift has lost it."""

_SAME_LEVELS = 12.0
_SHOWN_WORDS = 20

Pixels = NDArray[np.uint8]


def audit_release(
    directory: str | Path,
    against: PrivateSet,
    *,
    encoders: Sequence[Encoder] | None = None,
    allow_unprotected: int = 0,
    keep_text: Collection[str] = (),
    signed_off_by: str = "",
    progress: Callable[[Progress], None] | None = None,
    cancel: Callable[[], bool] | None = None,
) -> AuditReport:
    """Returns what a release gives away; nothing in it is changed, run or unpickled.

    Every file is compared with every clean original by bytes, by pixels and by a perceptual hash;
    the budget is measured on each picture against its own original; containers may hold nothing
    but pixels; words and numbers in other files are looked through; and each surrogate must still
    see the shift that the run recorded. What cannot be inspected fails.

    Args:
        directory: the release
        against: what must not leave
        encoders: the run's surrogates in ``against.encoders``' order; None loads them
        allow_unprotected: clean photos that were never protected and may be there
        keep_text: kinds of words (:data:`fiftyone_dp2vl.release.KINDS`) that may stand there
        signed_off_by: who answers for the audit, for the report
        progress: called while it goes on
        cancel: asked while it goes on

    Raises:
        DP2VLError: if the folder does not exist, or a surrogate cannot be loaded
        Cancelled: if ``cancel`` said so
    """
    unknown = sorted(set(keep_text) - set(KINDS))
    if unknown:
        raise ConfigError(f"no kind of words {unknown[0]!r}: the kinds are {', '.join(KINDS)}")
    models = _load(against) if encoders is None else list(encoders)
    audit = _Audit(Path(directory), against, models, frozenset(keep_text))
    audit.go(progress, cancel)
    audit.settle_unprotected(allow_unprotected)
    return audit.report(signed_off_by)


def _load(against: PrivateSet) -> list[Encoder]:
    from ..encoders import load_encoder

    return [load_encoder(name) for name in against.encoders]


class _Audit:
    def __init__(
        self,
        directory: Path,
        against: PrivateSet,
        models: Sequence[Encoder],
        kept: frozenset[str],
    ) -> None:
        self.listing = list_folder(directory)
        self.against = against
        self.models = dict(zip(against.encoders, models, strict=True))
        self.kept = kept
        self.findings: list[Finding] = []
        self.figures: list[PictureFigures] = []
        self.notes: list[str] = []
        self.kept_words: Counter[str] = Counter()
        self.unprotected: list[str] = []
        self.hashes: list[tuple[str, str]] = []
        self.checks: Counter[str] = Counter()
        self.scanner = TextScanner(
            against.identities,
            (photo.original for photo in against.photos),
            (photo.key for photo in against.photos),
        )
        self.bound = math.floor(against.epsilon + 1e-6)
        self.vectors = {
            name: VectorFinder(matrix) for name, matrix in against.embeddings.items() if len(matrix)
        }

    def go(
        self,
        progress: Callable[[Progress], None] | None,
        cancel: Callable[[], bool] | None,
    ) -> None:
        photos = self.against.photos
        steps = Steps("index", len(photos), "reading the originals", progress, cancel)
        self.index: Index = build_index(photos, steps.at)
        self._note_unreadable()
        for name in self.listing.links:
            self._find("link", name, "it is no plain file: copy what it leads to, or delete it")
        for name in self.listing.folders:
            self._words(name, name)
        steps = Steps("audit", len(self.listing.files), "auditing files", progress, cancel)
        for number, (name, path) in enumerate(self.listing.files.items(), start=1):
            self._file(name, path)
            steps.at(number)

    def _find(self, code: str, file: str, message: str, kind: str = "") -> None:
        self.findings.append(Finding(code, file, message, kind))

    def _note_unreadable(self) -> None:
        gone = self.index.unreadable
        if gone:
            self.notes.append(
                f"{len(gone)} originals cannot be read as photos, so nothing can be compared with "
                f"their pixels: {next(iter(gone.values()))}"
            )

    def _file(self, name: str, path: Path) -> None:
        self._words(name, name)
        try:
            data = _bytes_of(path)
        except OSError as error:
            reason = (error.strerror or type(error).__name__).lower()
            self._find("opaque", name, f"it cannot be read ({reason}): audit the folder again")
            return
        if data is None:
            self._find("opaque", name, "it is larger than 512 MiB: take it out")
            return
        digest = hashlib.sha256(data).hexdigest()
        self.hashes.append((name, digest))
        self.checks["bytes"] += 1
        if digest in self.index.files:
            owner = self.index.files[digest]
            self._find("clean-file", name, f"it is the clean original of photo {owner.key}")
        if _is_picture(name, data):
            self.checks["metadata"] += 1
            self.findings.extend(metadata_findings(name, data))
            self._picture(name, path, digest)
        else:
            self._contents(name, contents_of(name, data))

    def _words(self, file: str, text: str, source: str = "its name") -> None:
        # a relative path is no path of a file system
        kinds = [kind for kind in KINDS if kind != "path"]
        self._text_findings(file, [text], kinds, source)

    def _text_findings(
        self, file: str, texts: Sequence[str], kinds: Sequence[str], source: str
    ) -> None:
        seen: dict[tuple[str, str], int] = Counter()
        for text in texts:
            self.checks["text"] += 1
            for hit in self.scanner.hits(text, kinds):
                seen[hit.kind, hit.text] += 1
        for (kind, _), count in seen.items():
            if kind in self.kept:
                self.kept_words[kind] += count
        told = [(key, count) for key, count in seen.items() if key[0] not in self.kept]
        for (kind, words), count in told[:_SHOWN_WORDS]:
            times = "" if count == 1 else f", {count} times"
            shown = words if len(words) <= 80 else words[:79] + "…"
            self._find("text", file, f"{source} has {KINDS[kind]}: {shown!r}{times}", kind)
        if len(told) > _SHOWN_WORDS:
            more = len(told) - _SHOWN_WORDS
            self._find("text", file, f"{source} has {more} more such words", told[-1][0][0])

    def _contents(self, name: str, found: Contents) -> None:
        self._text_findings(name, found.texts, list(KINDS), "it")
        for reason in dict.fromkeys(found.opaque):
            self._find("opaque", name, f"{reason}: take it out, or write it as text")
        for data in found.pictures:
            self._find("embedded-picture", name, f"it holds a picture of {len(data)} bytes")
        for array in found.arrays:
            self.checks["arrays"] += 1
            self._array(name, array)

    def _array(self, name: str, array: NDArray[np.generic]) -> None:
        if not np.issubdtype(array.dtype, np.number) or array.size == 0:
            return
        for field, finder in self.vectors.items():
            if finder.finds(array):
                self._find("embedding", name, f"it has an embedding of field {field}")
        for orders in pictures_in(array, self.index.sizes):
            if self._is_clean(orders):
                self._find("embedded-picture", name, "it holds the pixels of a clean photo")
                break

    def _is_clean(self, orders: Sequence[Pixels]) -> bool:
        """Says whether one of some orders of channels shows a photo, and not its protected copy."""
        found = [(pixels, match) for pixels in orders if (match := self.index.find(pixels))]
        if not found:
            return False
        if orders[0].ndim == 2:
            found = [(pixels, match.in_gray()) for pixels, match in found]
        distance, place = min(
            (level_distance(pixels, match.original), place)
            for place, (pixels, match) in enumerate(found)
        )
        if distance > _SAME_LEVELS:
            return True  # in levels of its own, by which clean and protected cannot be told apart
        left = share_of_perturbation(*found[place])
        return left is None or left < CLEAN_BELOW

    def _picture(self, name: str, path: Path, sha256: str) -> None:
        self.checks["pixels"] += 1
        try:
            photo = read_photo(path)
        except PhotoError as error:
            self._find("opaque", name, f"it cannot be read as one still picture ({error})")
            return
        assert photo.source is not None  # read_photo always notes it
        if photo.source.sha256 != sha256:
            self._find("opaque", name, "it changed while it was read: audit the folder again")
            return
        pixels = photo.pixels
        digest = pixel_digest(pixels)
        owner = self.index.clean_owner(digest)
        if owner is not None and owner.protected is None:
            self._unprotected(name, pixels)
            if photo.alpha is not None:
                self._transparency(name, photo.alpha, self.index.match_of(owner))
            return
        known = self.index.protected.get(digest)
        if known is not None or owner is not None:
            match = self.index.match_of(known or owner)  # type: ignore[arg-type]
        else:
            match = self.index.find(pixels)
        if match is None:
            what = "it was made from no photo of the dataset, as far as can be seen"
            if known is not None:
                what = "the original that it was made from is gone, so its budget is unknown"
            self._find("not-verified" if known else "unknown-picture", name, what)
            self.figures.append(_sized(name, pixels))
        else:
            self._against(name, pixels, match, exact=known is not None)
        if photo.alpha is not None:
            self._transparency(name, photo.alpha, match)

    def _transparency(self, name: str, alpha: Pixels, match: Match | None) -> None:
        """Refuses transparency that is not the original's: it has room for a whole picture."""
        if alpha.min() == 255 or (match is not None and _is_alpha_of(alpha, match)):
            return
        self._find("hidden-data", name, "its transparency is not that of the photo")

    def _unprotected(self, name: str, pixels: Pixels) -> None:
        self.unprotected.append(name)
        height, width = pixels.shape[:2]
        self.figures.append(PictureFigures(name, width, height, linf=0, protected=False))

    def _against(self, name: str, pixels: Pixels, match: Match, *, exact: bool) -> None:
        """Holds a picture against the photo that it was made from."""
        key = match.photo.key
        if match.photo.protected is None:
            # a changed copy of a photo that was never protected is as clean as the photo
            self._unprotected(name, pixels)
            return
        same_size = pixels.shape[:2] == match.original.shape[:2]
        change = linf(pixels, match.original) if same_size else None
        left = 1.0 if exact else share_of_perturbation(pixels, match)
        if change == 0 or (left is not None and left < CLEAN_BELOW):
            how = "" if change == 0 else ", re-encoded, resized, turned or mirrored"
            self._find("clean-copy", name, f"it is the clean photo {key}{how}")
        allowed = self.bound
        if self.against.lossy and exact and match.photo.linf is not None:
            allowed = max(allowed, math.ceil(match.photo.linf))
        self.checks["budget"] += 1
        if change is not None and change > allowed:
            self._find(
                "over-budget", name, f"it differs by {change} grey levels, the budget is {allowed}"
            )
        elif change is None or match.turn or left is None:
            self._find(
                "not-verified",
                name,
                f"it was made from photo {key} but is not its protected file: release that",
            )
        shift = self._shift(name, pixels, match)
        height, width = pixels.shape[:2]
        self.figures.append(PictureFigures(name, width, height, change, shift))

    def _shift(self, name: str, pixels: Pixels, match: Match) -> dict[str, float]:
        from .shift import cosines, shift_left

        shares: dict[str, float] = {}
        for encoder, model in self.models.items():
            self.checks["shift"] += 1
            now, *file = cosines(
                rgb(match.original),
                [rgb(pixels)] if match.protected is None else [rgb(pixels), rgb(match.protected)],
                model,
            )
            then = match.photo.cosines.get(encoder) or (file[0] if file else None)
            left = None if then is None else shift_left(now, then)
            if left is None:
                continue
            shares[encoder] = round(left, 4)
            if left < KEPT_SHIFT:
                self._find(
                    "lost-shift",
                    name,
                    f"{encoder} sees {max(0.0, left):.0%} of the shift that the run recorded",
                )
        return shares

    def settle_unprotected(self, allowed: int) -> None:
        """Makes findings of clean photos beyond those that somebody confirmed."""
        count = len(self.unprotected)
        if count > allowed:
            for name in self.unprotected:
                self._find(
                    "clean-copy",
                    name,
                    f"it is a clean photo that was never protected; {allowed} were confirmed, "
                    f"{count} are here",
                )
        elif count:
            self.notes.append(f"{count} photos are released without protection, as was confirmed")
            allowed_files = set(self.unprotected)
            self.findings = [
                f for f in self.findings if f.code != "clean-file" or f.file not in allowed_files
            ]

    def report(self, signed_off_by: str) -> AuditReport:
        for kind, count in sorted(self.kept_words.items()):
            self.notes.append(
                f"{KINDS[kind]} was kept on purpose {count} times: pixels cannot unsay text"
            )
        if not self.models:
            self.notes.append("no surrogate looked at the pictures, so no shift was checked")
        return AuditReport(
            tree_sha256=tree_sha256(self.hashes),
            files=len(self.listing.files),
            pictures=tuple(self.figures),
            findings=tuple(self.findings),
            notes=tuple(self.notes),
            checks=dict(sorted(self.checks.items())),
            originals=len(self.against.photos),
            epsilon=self.against.epsilon,
            encoders=tuple(self.models),
            unprotected=len(self.unprotected),
            versions={
                "fiftyone_dp2vl": __version__,
                **{name: version(name) for name in ("torch", "numpy", "pillow")},
            },
            date=datetime.now(timezone.utc).isoformat(timespec="seconds"),
            signed_off_by=signed_off_by,
        )


def _is_picture(name: str, data: bytes) -> bool:
    if Path(name).suffix.lower() in PHOTO_SUFFIXES:
        return True
    try:
        with Image.open(io.BytesIO(data)):  # only the header: nothing is decoded
            return True
    except Exception:  # header parsers raise a dozen types for what is no picture
        return False


def _bytes_of(path: Path) -> bytes | None:
    """Returns a file's bytes, or None where they are too many."""
    with open(path, "rb") as stream:
        data = stream.read(LARGEST_FILE + 1)
    return data if len(data) <= LARGEST_FILE else None


def _is_alpha_of(alpha: Pixels, match: Match) -> bool:
    try:
        own = read_photo(match.photo.original).alpha
    except PhotoError:
        return False
    return own is not None and np.array_equal(turn(own, inverse(match.turn)), alpha)


def _sized(name: str, pixels: Pixels) -> PictureFigures:
    height, width = pixels.shape[:2]
    return PictureFigures(name, width, height)
