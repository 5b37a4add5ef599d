"""Attackers who process protected photos first, or who know of the protection."""

from __future__ import annotations

from .attack import attack_study

__all__ = ["STUDY"]

STUDY = attack_study(
    "ladder",
    "What post-processing and adaptive attackers get out of protected photos",
    "about 25 fine-tunings a seed, one minute each on a quiet machine",
    proxies=("proxy:linear@embedded", "proxy:knn@embedded", "proxy:prototype@embedded"),
    transfer=("llava:tests/data/heldout_vlm", "proxy:linear@local:tests/data/heldout"),
    arms=("post-processing", "adaptive", "clean-tower-lora", "clean-tower-full"),
)
