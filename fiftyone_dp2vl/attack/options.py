"""What an arm is: one thing that an attacker may do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ..measure.report import Arm
from .workbench import Material, Workbench

__all__ = ["REQUIREMENTS", "ArmOption", "Maker"]

Maker = Callable[[Workbench], Material]

REQUIREMENTS = {
    "protected": "no photo was protected",
    "all protected": "only a part of the shared photos is protected as it is",
    "tool": "it is not known how the photos were protected, so our tool cannot be run",
    "faces": "no face box is known; register a face detector",
    "others": "the album has too few photos of other people (role 'other')",
    "queries of two people": "all query photos show one person, so that there is no group to tell",
    "jpeg in the loop": "the protection had no JPEG in the loop to leave out",
}
"""What an arm may rely on -> why it is left out where that is missing."""


@dataclass(frozen=True)
class ArmOption:
    """One thing that an attacker may do.

    Attributes:
        id: for configurations and the command line
        arm: as a report shows it
        make: prepares what he trains on
        requires: of :data:`REQUIREMENTS`
        models: whether vision-language models can do it
        proxies: whether proxies can do it
        transfer: whether it is for attackers whose encoder was no surrogate, and only for them
        derived: identifier of the arm from whose peak epoch it is read, without training again
    """

    id: str
    arm: Arm
    make: Maker
    requires: frozenset[str] = frozenset()
    models: bool = True
    proxies: bool = True
    transfer: bool = False
    derived: str = ""
