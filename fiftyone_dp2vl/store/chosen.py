"""What a run's draw would take of a view, cheaply enough to be told while a form is filled in."""

from __future__ import annotations

from typing import Any

from ..config import SelectionConfig
from ..runs.beforehand import possible_groups
from ..runs.selection import share_of
from .photos import group_counts

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
    """Returns the groups of as many photos as a run would take, of as many people as can be.

    Args:
        view: a FiftyOne dataset or view
        selection: the run's
        group_field: as for :func:`~fiftyone_dp2vl.store.photos.group_values`

    Raises:
        ConfigError: if there is no group to stratify by
    """
    return possible_groups(group_counts(view, group_field), selection)
