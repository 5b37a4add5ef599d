"""Albums and protections as they lie in folders: one's own photos, and a run's files."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..config import ProtectionConfig
from ..errors import ConfigError, RunError
from .album import AlbumPhoto, AttackAlbum

__all__ = ["RunFiles", "folder_attack_album", "run_files"]

_ROLES = ("share", "query")
OTHERS = "others"


def folder_attack_album(folder: Path) -> AttackAlbum:
    """Returns one's own photos, laid out as ``PERSON/share/*`` and ``PERSON/query/*``.

    Photos of people who are in no shared photo may lie in ``others/PERSON/*``. Nothing but the
    name of the person is told of a photo, so that identity alone is asked for.

    Args:
        folder: a folder of each person

    Raises:
        ConfigError: if the folder holds no such photos
        PhotoError: if one cannot be read
    """
    from ..media import probe_photo
    from ..runs.names import PHOTO_SUFFIXES

    photos = []
    for path in sorted(folder.glob("*/*/*")):
        if path.suffix.lower() not in PHOTO_SUFFIXES:
            continue
        probe_photo(path)  # one that is passed over would make the attacker weaker than he is
        key = path.relative_to(folder).as_posix()
        person, kind = path.parents[1].name, path.parent.name
        if person == OTHERS:
            photos.append(AlbumPhoto(key, path, kind, "other"))
        elif kind in _ROLES:
            photos.append(AlbumPhoto(key, path, person, kind))
    if not set(_ROLES) <= {photo.role for photo in photos}:
        raise ConfigError(
            f"{folder} holds no benchmark and no photos as PERSON/share/* and PERSON/query/*"
        )
    people = {photo.person for photo in photos if photo.role == "share"}
    return AttackAlbum(tuple(photos), {person: {} for person in people}, {})


@dataclass(frozen=True)
class RunFiles:
    """What a run's folder says of an album's photos.

    Attributes:
        files: share photo's key -> protected file
        protection: how they were protected
        facts: for a report: run, encoders, quality
    """

    files: Mapping[str, Path]
    protection: ProtectionConfig
    facts: Mapping[str, Any] = field(default_factory=dict)


def run_files(album: AttackAlbum, directory: Path) -> RunFiles:
    """Returns the files that a run made of an album's shared photos.

    Photos are found by their bytes, so that it does not matter under which keys the run knows
    them.

    Args:
        album: the clean photos
        directory: a finished run of ``dp2vl protect``

    Raises:
        RunError: if the folder holds no run, or none of these photos
    """
    from ..runs import Manifest
    from ..runs.manifest import JOURNAL
    from ..runs.names import checked_path
    from ..runs.settled import settled_in

    manifest = Manifest.load(directory)
    originals: dict[str, str] = {}
    records: dict[str, dict[str, Any]] = {}
    try:
        lines = (directory / JOURNAL).read_text(encoding="utf-8").splitlines()
        for line in lines:
            entry = json.loads(line)
            if entry["kind"] == "original":
                originals[entry.get("sha256", "")] = entry["key"]
            elif entry["status"] == "protected":
                records[entry["key"]] = entry
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RunError(
            f"the journal in {directory} cannot be read ({error}): finish the run first by giving "
            "the command that began it again"
        ) from error
    files: dict[str, Path] = {}
    quality: dict[str, list[float]] = {"linf": [], "psnr": [], "ssim": []}
    for photo in album.of("share"):
        known = originals.get(hashlib.sha256(photo.path.read_bytes()).hexdigest())
        record = records.get(known) if known is not None else None
        if record is not None:
            files[photo.key] = checked_path(directory, record["path"])
            for name, values in quality.items():
                if record.get(name) is not None:
                    values.append(float(record[name]))
    if not files:
        raise RunError(
            f"the run in {directory} protected none of these photos: give the run that was made "
            "of them"
        )
    facts = {
        "run": directory.name,
        "encoders": {e["name"]: e.get("weights_sha256", "") for e in manifest.encoders},
        "quality": {
            name: {"mean": sum(values) / len(values), "worst": _worst(name, values)}
            for name, values in quality.items()
            if values
        },
    }
    return RunFiles(files, settled_in(directory, manifest.protection), facts)


def _worst(name: str, values: list[float]) -> float:
    return max(values) if name == "linf" else min(values)
