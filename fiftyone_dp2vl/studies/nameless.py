"""The embedded attacker where nobody tells the protection who is on which photo."""

from __future__ import annotations

from .attack import attack_study

__all__ = ["STUDY"]

STUDY = attack_study(
    "nameless",
    "What the embedded VLM learns from photos whose people the protection was not told",
    "about 9 fine-tunings a seed, one minute each on a quiet machine",
    strategy="erase",
    proxies=("proxy:linear@embedded",),
    arms=("quick", "after-jpeg-75", "after-half-size-and-back"),
)
"""``erase`` is what the default does without names."""
