"""What a run's draw would take of a view, cheaply enough to be told while a form is filled in."""

from __future__ import annotations

from typing import Any

from ..config import SelectionConfig
from ..runs.selection import select, share_of
from .photos import group_counts, group_values

__all__ = ["count_chosen", "groups_chosen"]


def count_chosen(view: Any, selection: SelectionConfig, group_field: str | None) -> int:
    """Returns how many photos a run would protect.

    Args:
        view: a FiftyOne dataset or view
        selection: the run's
        group_field: as for :func:`~fiftyone_dp2vl.store.photos.group_values`
    """
    if not selection.stratify:
        return share_of(selection.ratio, len(view))
    counts = group_counts(view, group_field).values()
    return sum(share_of(selection.ratio, count) for count in counts)


def groups_chosen(
    view: Any, selection: SelectionConfig, group_field: str | None
) -> list[str | None]:
    """Returns the groups of the photos that a run would protect, or of more photos than these.

    It is one group alone exactly if all of the run's photos are of that group.

    Args:
        view: a FiftyOne dataset or view
        selection: the run's
        group_field: as for :func:`~fiftyone_dp2vl.store.photos.group_values`
    """
    counts = group_counts(view, group_field)
    chosen = count_chosen(view, selection, group_field)
    if group_field is None or not chosen:
        return [None] * chosen
    if selection.stratify:
        shares = {group: share_of(selection.ratio, count) for group, count in counts.items()}
        return [group for group, count in shares.items() for _ in range(count)]
    # more photos than the largest group has are of two groups, whoever is drawn
    if chosen > max(counts.values()):
        return [group for group, count in counts.items() for _ in range(count)]
    groups = dict(zip(view.values("id"), group_values(view, group_field), strict=True))
    return [groups[key] for key in select(list(groups), list(groups.values()), selection)]
