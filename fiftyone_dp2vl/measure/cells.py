"""What was measured stays on disk, so that killed work goes on where it was."""

from __future__ import annotations

import ast
import hashlib
import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from ..media.atomic import write_atomically

__all__ = ["CellCache", "code_digest", "fingerprint"]

_PACKAGE = Path(__file__).resolve().parents[1]


def fingerprint(spec: Mapping[str, Any]) -> str:
    """Returns 16 hex digits that are equal exactly when the specifications are.

    Args:
        spec: JSON values
    """
    text = json.dumps(spec, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


class _WithoutDocstrings(ast.NodeTransformer):
    def generic_visit(self, node: ast.AST) -> ast.AST:
        body = getattr(node, "body", None)
        if isinstance(body, list):
            node.body = [x for x in body if not _is_text(x)]  # type: ignore[attr-defined]
        return super().generic_visit(node)


def _is_text(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )


@cache
def code_digest(*rooms: str) -> str:
    """Returns a digest of what some rooms of the package do, comments and docstrings aside.

    A figure measured by other code must never be taken for a figure of this code; a mended
    sentence should not cost an hour of measuring.

    Args:
        *rooms: names of sub-packages or modules, for example ``"protection"``
    """
    digest = hashlib.sha256()
    for room in sorted(rooms):
        path = _PACKAGE / room
        files = sorted(path.rglob("*.py")) if path.is_dir() else [path.with_suffix(".py")]
        for file in files:
            tree = _WithoutDocstrings().visit(ast.parse(file.read_text(encoding="utf-8")))
            digest.update(file.relative_to(_PACKAGE).as_posix().encode())
            digest.update(ast.dump(tree).encode())
    return digest.hexdigest()[:16]


class CellCache:
    """A folder of JSON results, one file for each specification.

    Args:
        folder: made when the first result is stored
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, spec: Mapping[str, Any]) -> Path:
        """Where the result of ``spec`` lies, or will."""
        return self.folder / f"{fingerprint(spec)}.json"

    def has(self, name: str) -> bool:
        """Whether there is a result of the specification with this fingerprint."""
        return (self.folder / f"{name}.json").is_file()

    def load(self, spec: Mapping[str, Any]) -> dict[str, Any] | None:
        """Returns the stored result of ``spec``, or None."""
        stored = self._stored(spec)
        return None if stored is None else stored["result"]

    def seconds(self, spec: Mapping[str, Any]) -> float | None:
        """Returns how long the stored result of ``spec`` took to measure, or None."""
        stored = self._stored(spec)
        return None if stored is None else float(stored["seconds"])

    def _stored(self, spec: Mapping[str, Any]) -> dict[str, Any] | None:
        """Returns what was stored; a file that somebody damaged counts as not measured."""
        try:
            stored: dict[str, Any] = json.loads(self.path(spec).read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):
            return None
        whole = isinstance(stored, dict) and {"result", "seconds"} <= stored.keys()
        return stored if whole else None

    def store(self, spec: Mapping[str, Any], result: Mapping[str, Any], seconds: float) -> None:
        """Stores a result with its specification, whole or not at all."""
        path = self.path(spec)
        path.parent.mkdir(parents=True, exist_ok=True)
        text = json.dumps(
            {"spec": spec, "seconds": round(seconds, 3), "result": result}, allow_nan=False
        )
        write_atomically(path, text.encode(), replace=True)
