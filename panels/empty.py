"""The way out of an empty panel: the form of ``protect``, filled in."""

from __future__ import annotations

from typing import Any

import fiftyone.operators as foo

from fiftyone_dp2vl.store.photos import GROUP_KINDS, field_kind
from fiftyone_dp2vl.store.records import ProtectionRun

from .parts import prompt

__all__ = ["fields_of_kind", "likely_person_field", "offer_protection"]

_LIKELY = ("identity", "person", "name", "subject", "face", "ground_truth")


def fields_of_kind(dataset: Any, kinds: tuple[str, ...]) -> list[str]:
    """Returns a dataset's fields of given classes, without the plugin's own."""
    names = [n for n in dataset.get_field_schema() if not n.startswith(("dp2vl_", "_"))]
    return [n for n in names if n not in ("id", "filepath") and field_kind(dataset, n) in kinds]


def likely_person_field(dataset: Any) -> str | None:
    """Returns the field that seems to say who is on a photo, by its name."""
    names = fields_of_kind(dataset, GROUP_KINDS)
    return next((name for word in _LIKELY for name in names if word in name.lower()), None)


def offer_protection(ctx: foo.ExecutionContext, record: ProtectionRun | None = None) -> None:
    """Opens the form of ``protect``.

    Args:
        ctx: the panel's
        record: a run to go on with, or None for a new one
    """
    if record is None:
        prompt(ctx, "protect", group_field=likely_person_field(ctx.dataset))
        return
    settings = {
        **record.output.to_dict(),
        **record.selection.to_dict(),
        **record.protection.to_dict(),
    }
    prompt(
        ctx,
        "protect",
        **{
            **settings,
            "run": record.run,
            "advanced": True,
            "epsilon": f"{record.protection.epsilon:g}",
            "group_field": record.group_field,
            "mask_field": record.mask_field,
        },
    )
