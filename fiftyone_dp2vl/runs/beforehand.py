"""What can be said against a run before anything is loaded, read or written."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping

import numpy as np

from ..config import ProtectionConfig, SelectionConfig
from ..errors import ConfigError
from ..protection import Auto, get_strategy, parse_transform
from .selection import refuse_no_groups, share_of

__all__ = [
    "check_settings",
    "nameless_note",
    "people_problem",
    "possible_groups",
    "strategy_problem",
]


def check_settings(config: ProtectionConfig, groups: Collection[str | None]) -> None:
    """Refuses settings that the run itself would refuse later.

    Args:
        config: how photos would be moved
        groups: the person in each photo to protect, None where that is not known

    Raises:
        ConfigError: if strategy or transforms are unknown, or the strategy needs more people
    """
    for problem in (strategy_problem(config), people_problem(config, groups)):
        if problem is not None:
            raise ConfigError(problem)


def possible_groups(
    counts: Mapping[str | None, int], selection: SelectionConfig
) -> list[str | None]:
    """Returns the groups of as many photos as a run would take, of as many people as can be.

    Which photos it takes goes by their content, which nobody has read yet. What will not do even
    for these will not do for the run.

    Args:
        counts: photos to choose from of each person, and of None where that is not known
        selection: the run's

    Raises:
        ConfigError: if there is no group to stratify by
    """
    if selection.stratify:
        refuse_no_groups(counts)
        shares = {group: share_of(selection.ratio, count) for group, count in counts.items()}
        return list(Counter(shares).elements())
    people: list[str | None] = [group for group in counts if group]
    more = Counter(counts) - Counter(people)
    # photos of nobody known may be of one person more, and come before further ones of somebody
    unknown = [None] * more.pop(None, 0)
    taken = share_of(selection.ratio, sum(counts.values()))
    return [*people, *unknown, *more.elements()][:taken]


def strategy_problem(config: ProtectionConfig) -> str | None:
    """Returns one sentence about an unknown strategy or transform, or None."""
    try:
        get_strategy(config.strategy)
        for text in config.transforms:
            parse_transform(text)
    except ConfigError as error:
        return str(error)
    return None


def people_problem(config: ProtectionConfig, groups: Collection[str | None]) -> str | None:
    """Returns one sentence if a known strategy needs more people than there are, or None.

    Photos that fail to be read may leave fewer, which only the run can tell.

    Args:
        config: names the strategy
        groups: as for :func:`check_settings`
    """
    strategy = get_strategy(config.strategy)
    if not groups or not strategy.uses_groups:
        return None
    names = {group for group in groups if group}
    unknown = sum(not group for group in groups)
    # the nameless are clustered: into one group at least, and without any names into two
    people = len(names) + min(unknown, 1 if names else 2)
    try:
        strategy.assign(np.arange(people), np.zeros(people), np.random.default_rng(0))
    except ConfigError as error:
        return str(error)
    return None


def nameless_note(config: ProtectionConfig, groups: Collection[str | None], how: str) -> str | None:
    """Returns one sentence on what a known strategy does where nobody is named, or None.

    Args:
        config: names the strategy
        groups: as for :func:`check_settings`
        how: what the user can do to name the people, as an imperative
    """
    strategy = get_strategy(config.strategy)
    if any(groups):
        return None
    if isinstance(strategy, Auto) and len(groups) >= strategy.least_people:
        return (
            "nobody is named, so that what sets each photo apart is erased; "
            f"{strategy.least_people} people or more are protected better with their names: {how}"
        )
    if not strategy.uses_groups:
        return None
    return (
        "without names photos are grouped by likeness and moved toward another group, which may "
        "show the same person and protects less, and nothing where all show one person: choose the "
        f"strategy 'erase', which needs no names, or {how}"
    )
