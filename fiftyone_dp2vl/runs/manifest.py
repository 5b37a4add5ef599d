"""How a run was made: enough to make it again, and to refuse to mix it with another."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from .. import __version__
from ..config import OutputConfig, ProtectionConfig, SelectionConfig
from ..errors import ConfigError, RunError
from ..media.atomic import write_atomically

__all__ = [
    "ITEMS",
    "JOURNAL",
    "MANIFEST",
    "PHOTOS",
    "TARGETS",
    "ItemList",
    "Manifest",
    "describe_encoder",
]

MANIFEST, ITEMS, JOURNAL = "run.json", "items.json", "journal.jsonl"
TARGETS, PHOTOS = "targets.safetensors", "photos"
_LIBRARIES = ("torch", "numpy", "pillow", "safetensors", "transformers", "open_clip_torch")
_FORMAT = 1


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """How a run is made. It holds no date and no path: equal runs have equal manifests.

    Args:
        protection: how photos are moved
        selection: which photos
        output: how they are written
        encoders: name, family, licence and exact weights of each surrogate
        versions: of Python, this package and the libraries whose arithmetic counts
        device: type of device, such as ``"cuda"``
        threads: that the surrogates compute with, on a CPU; sums come out in another order with
            another number
        shard: (index, count): this folder's share of the run
        targets_sha256: of the targets' file; None until they are computed, empty where no photo
            could be read
    """

    protection: ProtectionConfig
    selection: SelectionConfig
    output: OutputConfig
    encoders: tuple[dict[str, Any], ...]
    device: str
    threads: int | None = None
    shard: tuple[int, int] = (0, 1)
    versions: dict[str, str] = field(default_factory=lambda: _versions())
    targets_sha256: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Returns the manifest as plain JSON values, with the configurations' fingerprints."""
        parts = {n: getattr(self, n) for n in ("protection", "selection", "output")}
        return {
            "format": _FORMAT,
            **{name: part.to_dict() for name, part in parts.items()},
            "fingerprints": {name: part.fingerprint() for name, part in parts.items()},
            "encoders": list(self.encoders),
            "device": self.device,
            "threads": self.threads,
            "shard": list(self.shard),
            "versions": self.versions,
            "targets_sha256": self.targets_sha256,
        }

    def save(self, directory: Path) -> None:
        """Writes the manifest into a run's folder."""
        text = json.dumps(self.to_dict(), indent=2, sort_keys=True) + "\n"
        write_atomically(directory / MANIFEST, text.encode(), replace=True)

    @classmethod
    def load(cls, directory: str | Path) -> Manifest:
        """Returns the manifest of a run's folder.

        Raises:
            RunError: if there is none, or it cannot be read
        """
        path = Path(directory) / MANIFEST
        try:
            data = json.loads(path.read_text())
            if data["format"] != _FORMAT:
                raise RunError(
                    f"{path} is of format {data['format']}, this version reads {_FORMAT}: use the "
                    "version of dp2vl that began the run"
                )
            return cls(
                protection=ProtectionConfig.from_dict(data["protection"]),
                selection=SelectionConfig.from_dict(data["selection"]),
                output=OutputConfig.from_dict(data["output"]),
                encoders=tuple(data["encoders"]),
                device=data["device"],
                threads=data.get("threads"),
                shard=(data["shard"][0], data["shard"][1]),
                versions=data["versions"],
                targets_sha256=data["targets_sha256"],
            )
        except FileNotFoundError:
            raise RunError(
                f"{path.parent} is not the folder of a run: {MANIFEST} is missing"
            ) from None
        except (OSError, ValueError, KeyError, TypeError, ConfigError) as error:
            raise RunError(
                f"{path} cannot be read ({error}): put it back from a copy, or start a new run in "
                "another folder"
            ) from error

    def with_targets(self, sha256: str) -> Manifest:
        """Returns the manifest once the targets are computed."""
        return replace(self, targets_sha256=sha256)

    def check_same(self, asked: Manifest) -> list[str]:
        """Returns what differs harmlessly in a resumed run, one sentence each.

        Raises:
            RunError: if the run that is asked for is another one, with the differences
        """
        lines = [
            line
            for name in ("protection", "selection", "output")
            for line in getattr(self, name).difference(getattr(asked, name))
        ]
        if self.shard != asked.shard:
            lines.append(f"shard: {self.shard} became {asked.shard}")
        theirs = {encoder["name"]: encoder for encoder in asked.encoders}
        lines += [
            f"weights of {mine['name']}: {mine['weights_sha256'][:12]} became "
            f"{theirs[mine['name']]['weights_sha256'][:12]}"
            for mine in self.encoders
            if mine["name"] in theirs
            and mine["weights_sha256"] != theirs[mine["name"]]["weights_sha256"]
        ]
        if lines:
            raise RunError(
                f"the folder holds a run with other settings ({'; '.join(lines)}): give the same "
                "settings to resume it, or another folder to start a new one"
            )
        changed = [
            f"{name} {self.versions.get(name)} became {number}"
            for name, number in asked.versions.items()
            if self.versions.get(name) != number
        ]
        if self.device != asked.device:
            changed.append(f"the device {self.device} became {asked.device}")
        elif self.threads != asked.threads:
            changed.append(f"the number of threads {self.threads} became {asked.threads}")
        return [
            f"{change} since the run began: photos are protected as well from here on, but not to "
            "the very bytes that they would have come to"
            for change in changed
        ]


def describe_encoder(name: str, info: Any) -> dict[str, Any]:
    """Returns what a manifest says of a surrogate.

    Args:
        name: as the configuration names it
        info: an :class:`fiftyone_dp2vl.encoders.EncoderInfo`
    """
    return {**asdict(info), "name": name}


@dataclass(frozen=True)
class ItemList:
    """The photos that a run was begun with.

    Args:
        selected: (key, group) of the photos to protect, sorted
        clean: keys of the others, sorted
        draws: key -> what the photo is drawn by, of the photos to protect
    """

    selected: tuple[tuple[str, str | None], ...]
    clean: tuple[str, ...]
    draws: Mapping[str, str]

    def save(self, directory: Path) -> None:
        """Writes the list into a run's folder."""
        data = {"selected": self.selected, "clean": self.clean, "draws": self.draws}
        write_atomically(directory / ITEMS, json.dumps(data, indent=0).encode(), replace=True)

    @classmethod
    def load(cls, directory: Path) -> ItemList:
        """Returns the list of a run's folder.

        Raises:
            RunError: if it cannot be read
        """
        try:
            data = json.loads((directory / ITEMS).read_text())
            selected = tuple((key, group) for key, group in data["selected"])
            # a run that was begun before there were draws goes by its keys
            draws = data.get("draws") or {key: key for key, _ in selected}
            return cls(selected, tuple(data["clean"]), draws)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise RunError(
                f"{directory / ITEMS} cannot be read ({error}): start a new run in another folder"
            ) from error

    def check_same(self, keys: Sequence[str], groups: Sequence[str | None]) -> None:
        """Refuses photos that the run was not begun with; photos may have gone.

        Raises:
            RunError: if photos were added, or a selected photo's group is another one
        """
        old = dict(self.selected)
        added = sorted(set(keys) - set(old) - set(self.clean))
        moved = sorted(
            key for key, group in zip(keys, groups, strict=True) if old.get(key, group) != group
        )
        for what, some in (("added", added), ("put in another group", moved)):
            if some:
                names = ", ".join(some[:3]) + (", ..." if len(some) > 3 else "")
                raise RunError(
                    f"since the run began photos were {what} ({len(some)}: {names}): choose "
                    "another folder to start a new run"
                )


def _versions() -> dict[str, str]:
    found = {"python": platform.python_version(), "fiftyone_dp2vl": __version__}
    for library in _LIBRARIES:
        try:
            found[library] = version(library)
        except PackageNotFoundError:
            continue
    return found
