"""Which strategy a run came to, told by what it was begun with."""

from __future__ import annotations

from pathlib import Path

from ..config import ProtectionConfig
from ..protection import settled
from .manifest import ItemList

__all__ = ["settled_in"]


def settled_in(directory: Path, protection: ProtectionConfig) -> ProtectionConfig:
    """Returns how a run moved its photos, by the strategy that the names it was told came to.

    Args:
        directory: the run's folder, which holds these names
        protection: the run's configuration

    Raises:
        RunError: if the folder holds no run
    """
    return settled(protection, [group for _, group in ItemList.load(directory).selected])
