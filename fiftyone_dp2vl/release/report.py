"""What an audit found, as plain data that can be kept, compared and shown."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ..errors import DP2VLError
from ..media.atomic import write_atomically

__all__ = ["CODES", "AuditReport", "Finding", "PictureFigures"]

_FORMAT = 1

CODES: dict[str, str] = {
    "clean-file": "a clean original, byte for byte",
    "clean-copy": "a clean original, re-encoded, resized, turned or mirrored",
    "over-budget": "a file that differs from its original by more than the budget",
    "lost-shift": "a file that a surrogate sees nearly as the original",
    "not-verified": "a file that cannot be held against its protected copy",
    "unknown-picture": "a picture that was made from no photo of the dataset",
    "thumbnail": "a picture inside a picture's metadata",
    "gps": "a place in a picture's metadata",
    "serial": "a device's or owner's mark in a picture's metadata",
    "metadata": "metadata of any other kind",
    "trailing-data": "data behind the end of a picture",
    "hidden-data": "data among a picture's pixels that no viewer shows",
    "embedded-picture": "a picture inside another kind of file",
    "embedding": "an embedding of the dataset",
    "text": "words that give something away",
    "opaque": "a file that cannot be inspected",
    "link": "a link",
}
"""Code -> what it means; each code fails an audit."""


@dataclass(frozen=True)
class Finding:
    """One thing that should not be in a release.

    Args:
        code: a key of :data:`CODES`
        file: path in the release
        message: one sentence
        kind: for ``"text"`` the kind of words, else empty
    """

    code: str
    file: str
    message: str
    kind: str = ""


@dataclass(frozen=True)
class PictureFigures:
    """What was measured on a released picture.

    Args:
        file: path in the release
        width: in pixels
        height: in pixels
        linf: largest difference from its original in grey levels, or None where sizes differ
        shift: surrogate -> share of the run's shift that is left: 1 is all, 0 is none; the
            smaller of patch tokens and pooled embedding
        protected: whether it is one of the run's protected photos
    """

    file: str
    width: int
    height: int
    linf: int | None = None
    shift: dict[str, float] = field(default_factory=dict)
    protected: bool = True


@dataclass(frozen=True, kw_only=True)
class AuditReport:
    """An audit of a folder.

    Args:
        tree_sha256: of the names and contents of all files
        files: how many there are
        pictures: figures of each picture
        findings: what should not be there
        notes: what a reader should know besides, one sentence each
        checks: check -> how many things it looked at
        originals: photos that the release was held against
        epsilon: the run's budget in 1/255
        encoders: surrogates that looked at the pictures
        unprotected: pictures without protection, which somebody confirmed
        versions: of the software
        date: ISO date and time, UTC
        signed_off_by: who answers for it, or empty
    """

    tree_sha256: str
    files: int
    pictures: tuple[PictureFigures, ...]
    findings: tuple[Finding, ...]
    notes: tuple[str, ...]
    checks: dict[str, int]
    originals: int
    epsilon: float
    encoders: tuple[str, ...]
    unprotected: int
    versions: dict[str, str]
    date: str
    signed_off_by: str = ""

    @property
    def passed(self) -> bool:
        """Whether nothing was found."""
        return not self.findings

    def counts(self) -> dict[str, int]:
        """Returns how often each code was found."""
        return dict(Counter(finding.code for finding in self.findings))

    def summary(self) -> str:
        """Returns the outcome in one sentence."""
        size = f"{len(self.pictures)} pictures in {self.files} files"
        if self.passed:
            return f"nothing was found in {size}, held against {self.originals} originals"
        counts = ", ".join(f"{count} {code}" for code, count in sorted(self.counts().items()))
        first = self.findings[0]
        return f"do not share this: {counts} in {size}; first {first.file}: {first.message}"

    def to_dict(self) -> dict[str, Any]:
        """Returns JSON values with a seal: the hash of everything else in it."""
        data = {"format": _FORMAT, **asdict(self), "passed": self.passed}
        data = json.loads(json.dumps(data))
        return {**data, "seal_sha256": _seal(data)}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> AuditReport:
        """Returns the report that :meth:`to_dict` described.

        Raises:
            DP2VLError: if it is of another format, or was changed
        """
        try:
            values = dict(data)
            seal = values.pop("seal_sha256")
            if values["format"] != _FORMAT or seal != _seal(values):
                raise ValueError
            del values["format"], values["passed"]
            values["pictures"] = tuple(PictureFigures(**row) for row in values["pictures"])
            values["findings"] = tuple(Finding(**row) for row in values["findings"])
            values["notes"], values["encoders"] = tuple(values["notes"]), tuple(values["encoders"])
            return cls(**values)
        except (KeyError, TypeError, ValueError) as error:
            raise DP2VLError(
                "the audit's report was changed or is of another version: audit the folder again"
            ) from error

    def save(self, path: str | Path) -> None:
        """Writes the report as JSON, and as a page of HTML beside it."""
        from .page import audit_page

        path = Path(path)
        text = json.dumps(self.to_dict(), indent=2, sort_keys=True) + "\n"
        write_atomically(path, text.encode(), replace=True)
        page = audit_page(self).encode()
        write_atomically(path.with_suffix(".html"), page, replace=True)


def _seal(data: dict[str, Any]) -> str:
    text = json.dumps(data, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
