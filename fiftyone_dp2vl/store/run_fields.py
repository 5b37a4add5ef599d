"""Fields of a run that somebody may have removed from its dataset since."""

from __future__ import annotations

from typing import Any

from ..errors import RunError
from .records import ProtectionRun

__all__ = ["columns", "require_run_fields"]


def require_run_fields(dataset: Any, record: ProtectionRun, *fields: str) -> None:
    """Checks that fields of a run, without which nothing can be said of it, are there.

    Args:
        dataset: a FiftyOne dataset
        record: the run's
        *fields: their names

    Raises:
        RunError: if one was removed
    """
    for field in fields:
        if not dataset.has_sample_field(field):
            raise RunError(
                f"field {field!r} of run {record.run!r} was removed: dp2vl doctor --repair sets "
                "the run back, and started again it makes the field again"
            )


def columns(view: Any, fields: list[str]) -> list[list[Any]]:
    """Returns fields' values in a view's order, each None where the field was removed.

    Args:
        view: a FiftyOne dataset or view
        fields: their names
    """
    present = ["id", *(f for f in fields if f != "id" and view.has_sample_field(f))]
    found = dict(zip(present, view.values(present), strict=True))
    return [found.get(field, [None] * len(found["id"])) for field in fields]
