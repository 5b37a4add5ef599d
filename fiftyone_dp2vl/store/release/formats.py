"""The formats of a release: FiftyOne's own exporters, told to write no path and no date.

What an exporter writes beside that (ids, the dataset's name, times) is replaced afterwards, so that
a release that is made again is the same to the byte.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ...errors import ConfigError, RunError

__all__ = ["FORMATS", "ReleaseFormat", "format_problem", "get_format", "settle_files"]

DETECTIONS = ("Detections", "Polylines")
_FIRST = ("id", "filepath", "tags", "metadata", "created_at", "last_modified_at")
_UNSAFE_NAME = re.compile(r"[\x00-\x1f\x7f/\\:*?\"<>|]|^\.|^\s*$")


@dataclass(frozen=True)
class ReleaseFormat:
    """How FiftyOne writes one format.

    Attributes:
        name: what it is called here
        type_name: FiftyOne's class
        description: what comes out
        kinds: label classes that fit, or None for fields of any kind
        fields: how many fields it takes: ``"none"``, ``"one"`` or ``"any"``
        options: for the exporter
    """

    name: str
    type_name: str
    description: str
    kinds: tuple[str, ...] | None = None
    fields: str = "one"
    options: dict[str, Any] = field(default_factory=dict)

    @property
    def tells_names(self) -> bool:
        """Whether the names of fields are written, as far as is known."""
        return self.fields == "any" or self.name not in FORMATS


FORMATS: dict[str, ReleaseFormat] = {
    made.name: made
    for made in (
        ReleaseFormat("directory", "ImageDirectory", "a plain folder of photos", fields="none"),
        ReleaseFormat(
            "fiftyone", "FiftyOneDataset", "a FiftyOne dataset with the chosen fields", fields="any"
        ),
        ReleaseFormat("coco", "COCODetectionDataset", "COCO detections", DETECTIONS),
        ReleaseFormat(
            "yolo",
            "YOLOv5Dataset",
            "YOLO v5 and later",
            DETECTIONS,
            options={"include_path": False},
        ),
        ReleaseFormat(
            "voc",
            "VOCDetectionDataset",
            "Pascal VOC detections",
            ("Detections",),
            options={"include_paths": False},
        ),
        ReleaseFormat(
            "classification-tree",
            "ImageClassificationDirectoryTree",
            "a folder for each class",
            ("Classification", "StringField"),
        ),
        ReleaseFormat("csv", "CSVDataset", "a table with the chosen fields", fields="any"),
    )
}
"""Name -> format; any other class of ``fiftyone.types`` can be named too."""


def get_format(name: str) -> ReleaseFormat:
    """Returns a format by its name here, or by the name of FiftyOne's class.

    Raises:
        ConfigError: if there is none
    """
    if name in FORMATS:
        return FORMATS[name]
    for known in FORMATS.values():
        if known.type_name == name:
            return known
    import fiftyone.types as fot

    kind = getattr(fot, name, None)
    if isinstance(kind, type) and issubclass(kind, fot.LabeledImageDataset):
        return ReleaseFormat(name, name, f"FiftyOne's {name}")
    raise ConfigError(
        f"no format {name!r}: the formats are {', '.join(FORMATS)}, or a class of fiftyone.types "
        "for labelled images"
    )


def format_problem(made: ReleaseFormat, kinds: Sequence[tuple[str, str]]) -> str | None:
    """Returns one sentence that says why fields do not fit a format, or None.

    Args:
        made: the format
        kinds: (field, class) of each chosen field
    """
    wanted = "" if made.kinds is None else f" of type {' or '.join(made.kinds)}"
    if made.fields == "none" and kinds:
        return f"format {made.name!r} holds photos alone: choose no fields, or another format"
    if made.fields == "one" and len(kinds) != 1:
        return f"format {made.name!r} holds one field{wanted}: choose one, not {len(kinds)}"
    for name, kind in kinds:
        if made.kinds is not None and kind not in made.kinds:
            return f"format {made.name!r} holds a field{wanted}: {name!r} is of type {kind}"
        if made.name == "csv" and kind in ("Segmentation", "Keypoints", "Keypoint"):
            return f"format 'csv' cannot hold field {name!r} of type {kind}: leave it out"
    return None


def check_folder_names(labels: Sequence[str | None]) -> None:
    """Refuses labels that would name a folder outside the release, or none that can be.

    Raises:
        RunError: with the first of them
    """
    for label in labels:
        if label is not None and (_UNSAFE_NAME.search(label) or len(label.encode()) > 200):
            raise RunError(
                f"the label {label!r} cannot name a folder: rename it, or choose another format"
            )


def export_options(made: ReleaseFormat, kinds: Sequence[tuple[str, str]]) -> dict[str, Any]:
    """Returns what ``Dataset.export`` is called with beside the folder."""
    import fiftyone.types as fot

    options = {"dataset_type": getattr(fot, made.type_name), **made.options}
    if made.name == "csv":
        labels = {
            name: f"{name}.label" if kind == "Classification" else name for name, kind in kinds
        }
        options["fields"] = {"filepath": "filepath", **{v: k for k, v in labels.items()}}
    elif made.fields == "one":
        options["label_field"] = kinds[0][0]
    return options


def settle_files(made: ReleaseFormat, folder: Path, secret: bytes) -> None:
    """Replaces what an exporter wrote about the moment and the database.

    Args:
        made: the format
        folder: the export
        secret: makes the ids
    """
    if made.name == "fiftyone":
        settler = _Settler(secret)
        for name in ("metadata.json", "samples.json"):
            path = folder / name
            data = json.loads(path.read_text())
            if "sample_fields" in data:
                data["sample_fields"].sort(key=_place)
            path.write_text(json.dumps(settler.settled(data)))
    elif made.name == "coco":
        path = folder / "labels.json"
        data = json.loads(path.read_text())
        data["info"] = {"description": "release"}
        path.write_text(json.dumps(data))


def _place(field: dict[str, Any]) -> tuple[int, str]:
    """Returns a sort key: fields of every sample first, the others in the order they were chosen.

    FiftyOne keeps the former in a set, so their order is another one in every process.
    """
    name = field["name"]
    if name in _FIRST:
        return _FIRST.index(name), ""
    return (len(_FIRST), name) if name.startswith("_") else (len(_FIRST) + 1, "")


class _Settler:
    """Gives a FiftyOne export new ids, one name and no dates."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret
        self._ids: dict[str, str] = {}

    def settled(self, data: Any) -> Any:
        """Returns parsed JSON with everything replaced."""
        if isinstance(data, list):
            return [self.settled(value) for value in data]
        if not isinstance(data, dict):
            return data
        if set(data) == {"$oid"}:
            return {"$oid": self._id(data["$oid"])}
        if set(data) == {"$date"}:
            return {"$date": "2000-01-01T00:00:00Z"}
        made = {key: self.settled(value) for key, value in data.items()}
        if "sample_collection_name" in made:
            made["sample_collection_name"] = f"samples.{made['_id']['$oid']}"
            made["name"] = made["slug"] = "release"
        if "_rand" in made:
            number = int.from_bytes(self._digest(str(made.get("filepath")))[:6], "big")
            made["_rand"] = number / 2**48
        return made

    def _id(self, old: str) -> str:
        if old not in self._ids:
            self._ids[old] = self._digest(f"id {len(self._ids)}").hex()[:24]
        return self._ids[old]

    def _digest(self, text: str) -> bytes:
        return hmac.new(self._secret, text.encode(), hashlib.sha256).digest()
