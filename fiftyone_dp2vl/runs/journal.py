"""An append-only list of JSON lines that survives being killed between any two bytes."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ..errors import RunError
from ..media.atomic import sync_folder

__all__ = ["Journal"]


class Journal:
    """A file of JSON objects, one a line.

    A last line that was cut short when its writer was killed is removed: what it told did not
    happen.

    Args:
        path: the file; made if it does not exist

    Attributes:
        entries: what the file held when it was opened

    Raises:
        RunError: if a line other than the last cannot be read
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.entries: list[dict[str, Any]] = []
        data = path.read_bytes() if path.exists() else b""
        kept = 0
        lines = data.splitlines(keepends=True)
        for number, line in enumerate(lines, start=1):
            entry = _parsed(line)
            if entry is None:
                if number < len(lines):
                    raise RunError(
                        f"line {number} of {path} is damaged: put the file back from a copy, or "
                        "start a new run in another folder"
                    )
                break
            self.entries.append(entry)
            kept += len(line)
        self._stream = open(path, "r+b" if path.exists() else "x+b")  # noqa: SIM115 (closed below)
        self._stream.truncate(kept)
        self._stream.seek(kept)
        os.fsync(self._stream.fileno())
        sync_folder(path.parent)

    def append(self, entries: Iterable[Mapping[str, Any]]) -> None:
        """Adds entries; they are on the disk when this returns."""
        lines = [json.dumps(entry, sort_keys=True, allow_nan=False) + "\n" for entry in entries]
        if lines:
            self._stream.write("".join(lines).encode())
            self._stream.flush()
            os.fsync(self._stream.fileno())

    def close(self) -> None:
        """Closes the file."""
        self._stream.close()


def _parsed(line: bytes) -> dict[str, Any] | None:
    if not line.endswith(b"\n"):
        return None
    try:
        entry = json.loads(line)
    except ValueError:
        return None
    return entry if isinstance(entry, dict) else None
