"""What an evaluation is asked to do: frozen, validated, with a fingerprint. No torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar

from ..config import Config, require
from .config import FineTuneConfig

__all__ = ["SETTINGS", "AttackConfig"]

SETTINGS = ("all", "shown")
"""``"all"``: every photo tells all facts of its person, the worst case; ``"shown"``: each photo
tells only what it shows."""


@dataclass(frozen=True, kw_only=True)
class AttackConfig(Config):
    """Which attackers attack, with what, how often, and what they are asked.

    Args:
        attackers: registry names of vision-language models, see
            :func:`fiftyone_dp2vl.attack.registry.list_attackers`
        proxies: ``proxy:KIND@ENCODER``, see :mod:`fiftyone_dp2vl.attack.proxies`
        transfer: models or proxies whose encoder was no surrogate (A5 of the ladder); they attack
            the clean and the protected photos only
        arms: presets and arms by their identifiers, see
            :func:`fiftyone_dp2vl.attack.arms.list_arms`
        setting: one of :data:`SETTINGS`, or ``"both"``
        wording: ``"seen"`` asks in words that were trained on, ``"unseen"`` in words kept apart
        seeds: repetitions of everything, at least 1
        same_adapters: whether all repetitions share one seed of adapters, order and augmentation,
            so that only people and photos vary
        finetune: settings of :class:`FineTuneConfig` that replace a family's own recipe
        max_questions: of identity, and as many photos for affiliation; spread over people; 0 asks
            every query photo
        epochs_measured: how many epochs, evenly spread and with the last, are questioned in a
            forced choice for the peak; 0 for every one
        free_words: whether the final model also answers in its own words
        leaked: clean photos of each person that the attacker of A4 has
        synthetic: photos made from each one for the synthetic set
        denoiser_steps: training steps of A7's denoiser
        question_seed: of everything drawn about questions and subsets
    """

    _what: ClassVar[str] = "attack"

    attackers: tuple[str, ...] = ("embedded",)
    proxies: tuple[str, ...] = ("proxy:linear@embedded",)
    transfer: tuple[str, ...] = ()
    arms: tuple[str, ...] = ("quick",)
    setting: str = "all"
    wording: str = "seen"
    seeds: int = 1
    same_adapters: bool = False
    finetune: Mapping[str, Any] = field(default_factory=dict)
    max_questions: int = 0
    epochs_measured: int = 0
    free_words: bool = True
    leaked: int = 1
    synthetic: int = 2
    denoiser_steps: int = 300
    question_seed: int = 0

    def __post_init__(self) -> None:
        for name in ("attackers", "proxies", "transfer", "arms"):
            value = getattr(self, name)
            object.__setattr__(self, name, (value,) if isinstance(value, str) else tuple(value))
        require(
            bool(self.attackers or self.proxies),
            "there is no attacker: name at least one model or proxy",
        )
        everyone = self.everyone
        require(len(set(everyone)) == len(everyone), "an attacker is named twice: name each once")
        for name in self.attackers:
            require(not name.startswith("proxy:"), f"{name} is a proxy: name it under proxies")
        for name in self.proxies:
            require(name.startswith("proxy:"), f"{name!r} is no proxy: write proxy:KIND@ENCODER")
        require(bool(self.arms), "arms is empty: name a preset such as 'quick'")
        require(
            self.setting in (*SETTINGS, "both"),
            f"setting is {self.setting!r}: give 'all', 'shown' or 'both'",
        )
        require(
            self.wording in ("seen", "unseen"),
            f"wording is {self.wording!r}: give 'seen' or 'unseen'",
        )
        require(self.seeds >= 1, f"seeds is {self.seeds}: give at least 1")
        require(self.max_questions >= 0, "max_questions is negative: give 0 for all")
        require(self.epochs_measured >= 0, "epochs_measured is negative: give 0 for every epoch")
        require(self.leaked >= 1, f"leaked is {self.leaked}: give at least 1")
        require(self.synthetic >= 1, f"synthetic is {self.synthetic}: give at least 1")
        require(self.denoiser_steps >= 1, "denoiser_steps is below 1: give at least 1")
        require(self.question_seed >= 0, "question_seed is negative: give 0 or more")
        known = {f.name for f in fields(FineTuneConfig)}
        unknown = sorted(set(self.finetune) - known)
        require(
            not unknown,
            f"finetune has no setting {unknown[0] if unknown else ''!r}: the settings are "
            f"{', '.join(sorted(known))}",
        )

    @property
    def everyone(self) -> tuple[str, ...]:
        """All attackers: models, proxies, and those of A5."""
        return (*self.attackers, *self.proxies, *self.transfer)

    @property
    def settings(self) -> tuple[str, ...]:
        """The settings that are measured."""
        return SETTINGS if self.setting == "both" else (self.setting,)
