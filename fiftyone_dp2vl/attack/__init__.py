"""The attacker: fine-tunes a vision-language model on photos, questions it, scores the answers.

No FiftyOne here, and no files but weights, photos and the cells of an evaluation.
"""

from __future__ import annotations

from .album import AlbumPhoto, AttackAlbum
from .base import Attacker, AttackerInfo, Conversation, Epoch, Pictures, Question
from .config import FineTuneConfig
from .registry import (
    AttackerListing,
    AttackerRequest,
    list_attackers,
    load_attacker,
    register_attacker,
)

__all__ = [
    "AlbumPhoto",
    "AttackAlbum",
    "Attacker",
    "AttackerInfo",
    "AttackerListing",
    "AttackerRequest",
    "Conversation",
    "Epoch",
    "FineTuneConfig",
    "Pictures",
    "Question",
    "list_attackers",
    "load_attacker",
    "register_attacker",
]
