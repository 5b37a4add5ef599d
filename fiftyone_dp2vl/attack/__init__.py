"""The attacker: fine-tunes a vision-language model on photos, questions it, scores the answers.

No FiftyOne here, and no files but weights, photos and the cells of an evaluation.
"""

from __future__ import annotations

from .album import AlbumPhoto, AttackAlbum
from .base import Attacker, AttackerInfo, Conversation, Epoch, Pictures, Question
from .config import FineTuneConfig

__all__ = [
    "AlbumPhoto",
    "AttackAlbum",
    "Attacker",
    "AttackerInfo",
    "Conversation",
    "Epoch",
    "FineTuneConfig",
    "Pictures",
    "Question",
]
