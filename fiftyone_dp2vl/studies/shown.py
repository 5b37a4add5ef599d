"""The embedded attacker where each photo tells only what it shows."""

from __future__ import annotations

from .attack import attack_study

__all__ = ["STUDY"]

STUDY = attack_study(
    "shown",
    "What the embedded VLM learns when each photo's words tell only what that photo shows",
    "about 6 fine-tunings a seed, one minute each on a quiet machine",
    proxies=(),
    arms=("quick",),
    setting="shown",
)
