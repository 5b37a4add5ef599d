"""The way out of an empty panel: the form of ``protect``, filled in."""

from __future__ import annotations

import fiftyone.operators as foo

from fiftyone_dp2vl.store.photos import obvious_group_field
from fiftyone_dp2vl.store.records import ProtectionRun

from .parts import prompt

__all__ = ["offer_protection"]


def offer_protection(ctx: foo.ExecutionContext, record: ProtectionRun | None = None) -> None:
    """Opens the form of ``protect``.

    Args:
        ctx: the panel's
        record: a run to go on with, or None for a new one
    """
    if record is None:
        prompt(ctx, "protect", group_field=obvious_group_field(ctx.dataset))
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
            "own_photos": True,
            "advanced": True,
            "epsilon": f"{record.protection.epsilon:g}",
            "group_field": record.group_field,
            "mask_field": record.mask_field,
        },
    )
