"""The attacker: a vision-language model that is fine-tuned on photos and questioned with others."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from .config import FineTuneConfig

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = [
    "Attacker",
    "AttackerInfo",
    "Conversation",
    "Epoch",
    "Pictures",
    "Question",
]

Pictures = Callable[[str], "Image"]
"""From a photo's key to its picture (RGB, upright) as this attacker sees it."""


@dataclass(frozen=True)
class Conversation:
    """One thing a photo teaches.

    Attributes:
        photo: the photo's key
        question: without any image token or chat template
        answer: what the model is trained to say
        kind: ``"name"``, ``"affiliation"`` or ``"describe"``
        scenario: of the fact, ``""`` for names
    """

    photo: str
    question: str
    answer: str
    kind: str
    scenario: str = ""


@dataclass(frozen=True)
class Question:
    """One thing a photo is asked.

    Attributes:
        photo: the photo's key
        person: who is on it
        kind: ``"name"`` or ``"affiliation"``
        scenario: of the fact asked for, ``""`` for names
        text: without any image token or chat template
        answer: the right answer; for a stranger the empty string
        choices: the answers of the forced choice, the right one among them (for a stranger: any
            name would be false), in an order that tells nothing
    """

    photo: str
    person: str
    kind: str
    scenario: str
    text: str
    answer: str
    choices: tuple[str, ...]


@dataclass(frozen=True)
class AttackerInfo:
    """What is attacked with.

    Attributes:
        name: registry name it was loaded by
        family: ``"llava"``, ``"qwen_vl"``, ``"minigpt_v2"``, ``"auto"`` ...
        parameters: of the whole model
        trained_parameters: in the last fine-tuning, 0 before the first
        weights_sha256: of the weight files
        license: SPDX name or ``"unknown"``
        vision: what its vision tower is, in words
        extra: family-specific facts worth reporting
    """

    name: str
    family: str
    parameters: int
    weights_sha256: str
    license: str = "unknown"
    vision: str = ""
    trained_parameters: int = 0
    extra: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Epoch:
    """How a fine-tuning stands after an epoch.

    Attributes:
        number: 1 for the first
        loss: mean training loss of the epoch, in nats a token
        seconds: since fine-tuning began
    """

    number: int
    loss: float
    seconds: float


class Attacker(ABC):
    """One vision-language model in an attacker's hands.

    Implementations hold a model in memory. ``fine_tune`` always begins at the weights that were
    loaded, whatever was trained before.
    """

    info: AttackerInfo
    defaults: FineTuneConfig
    """The recipe where none is given: for small sets of personal photos."""

    @abstractmethod
    def fine_tune(
        self,
        conversations: Sequence[Conversation],
        pictures: Pictures,
        config: FineTuneConfig,
        *,
        seed: int = 0,
        on_step: Callable[[float], None] | None = None,
        on_epoch: Callable[[Epoch], None] | None = None,
    ) -> list[Epoch]:
        """Fine-tunes on photos and what is said of them.

        Args:
            conversations: at least one
            pictures: gives the photos they name
            config: the recipe
            seed: of adapters, order and augmentation; same seed, same weights on one machine
            on_step: called after every optimiser step with the share done in [0, 1]; an
                exception it raises ends the fine-tuning and leaves the model usable
            on_epoch: called after every epoch; may call ``answer`` and ``score_choices``

        Returns:
            the epochs
        """

    @abstractmethod
    def answer(
        self, questions: Sequence[Question], pictures: Pictures, *, max_tokens: int = 24
    ) -> list[str]:
        """Returns the model's own words for each question, greedily decoded."""

    @abstractmethod
    def score_choices(
        self, questions: Sequence[Question], pictures: Pictures
    ) -> list[npt.NDArray[np.float64]]:
        """Returns for each question its choices' mean log-likelihood per token, in nats, (K,)."""

    def writes(self, text: str) -> bool:
        """Whether the model has tokens for all of a text; those of large models have."""
        return True

    @abstractmethod
    def reset(self) -> None:
        """Goes back to the weights that were loaded."""

    @abstractmethod
    def save(self, folder: Path) -> None:
        """Writes the fine-tuned model: the adapters and all other trained weights."""

    @abstractmethod
    def load(self, folder: Path) -> None:
        """Takes back what :meth:`save` wrote for the same model."""
