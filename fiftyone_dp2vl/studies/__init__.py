"""Studies: every figure of the documentation, each made by one command."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from types import MappingProxyType

from ..errors import ConfigError
from .base import Study

__all__ = ["STUDIES", "get_study"]

STUDIES: Mapping[str, str] = MappingProxyType(
    {
        "protection": "the headline table: probes, controls, held-out encoders, visible cost",
        "strategies": "every strategy at equal cost, on people used for choosing only",
        "robustness": "after JPEG, resizing, crops and more, by what EOT was done",
        "ratio": "when only a share of the photos is protected",
        "attack": "a vision-language model fine-tuned on the photos, with every control",
        "shown": "the same where each photo's words tell only what that photo shows",
        "nameless": "the same where the protection is not told who is on which photo",
        "ladder": "attackers who edit protected photos first, or know of the protection",
        "real_photos": "photographs, with a second surrogate from the public registry",
        "invariance": "batch size, order and shards change nothing; a budget of 0 neither",
        "memory": "resident memory for hundreds of 12-megapixel photos",
    }
)
"""Name -> what it shows; each is a module here that holds ``STUDY``."""


def get_study(name: str) -> Study:
    """Returns a study by name.

    Raises:
        ConfigError: if there is none of that name
    """
    if name not in STUDIES:
        raise ConfigError(f"no study {name!r}: there are {', '.join(STUDIES)}")
    study: Study = importlib.import_module(f".{name}", __name__).STUDY
    return study
