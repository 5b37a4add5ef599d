"""Synthetic people: what stays the same about a person from photo to photo.

Everybody's attributes obey one check digit (their indices sum to 0 modulo `CHECK`), so two
different people always differ in at least two attributes, whatever the split, seed or count.
Which split a look belongs to is decided by a hash of the look itself, so no person of one
split can turn up in another.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np

from fiftyone_dp2vl.benchmark.names import GIVEN_NAMES, deal_names

HAIR: Final[tuple[str, ...]] = (
    "bigHair",
    "bob",
    "bun",
    "curly",
    "curvy",
    "dreads",
    "dreads01",
    "dreads02",
    "frida",
    "frizzle",
    "fro",
    "froBand",
    "longButNotTooLong",
    "miaWallace",
    "shaggy",
    "shaggyMullet",
    "shavedSides",
    "shortCurly",
    "shortFlat",
    "shortRound",
    "shortWaved",
    "sides",
    "straight01",
    "straight02",
    "straightAndStrand",
    "theCaesar",
    "theCaesarAndSidePart",
    "hijab",
    "turban",
)
"""Hair styles and head coverings. Hats are left to relatives and never worn by identities."""

HAIR_COLOURS: Final[tuple[str, ...]] = (
    "#211714",
    "#5b3a26",
    "#93562b",
    "#c8462a",
    "#c9953f",
    "#efdcb0",
    "#b9b6b5",
    "#d9658c",
    "#3f7fb8",
    "#2f8f6f",
    "#6f4aa5",
)
SKINS: Final[tuple[str, ...]] = ("#ffdfc6", "#edb98a", "#d08b5b", "#ae5d29", "#7b4a2d", "#4b3024")
BEARDS: Final[tuple[str, ...]] = (
    "none",
    "beardLight",
    "beardMedium",
    "beardMajestic",
    "moustacheFancy",
    "moustacheMagnum",
)
BROWS: Final[tuple[str, ...]] = (
    "default",
    "defaultNatural",
    "flatNatural",
    "unibrowNatural",
    "angryNatural",
    "raisedExcitedNatural",
    "sadConcernedNatural",
)
GLASSES: Final[tuple[str, ...]] = (
    "none",
    "prescription01",
    "prescription02",
    "round",
    "wayfarers",
    "kurt",
)
FACES: Final[tuple[str, ...]] = ("narrow", "medium", "wide")
FRAME_COLOURS: Final[tuple[str, ...]] = ("#262e33", "#7a3b2e", "#25557c", "#c23b3b", "#d8b04a")

CHECK: Final = 31
SPLITS: Final[tuple[str, ...]] = ("train", "train_heldout", "dev", "eval")
_SPLIT_SHARES: Final = (11, 14, 17, 20)
_COVERED: Final = frozenset({"hijab"})


@dataclass(frozen=True)
class Identity:
    """One synthetic person: a name and a look that every photo keeps.

    Attributes:
        name: the person's name, unique within one call of `sample_identities`.
        split: the split this look belongs to.
        hair: hair style or head covering, one of `HAIR`.
        hair_colour: colour of hair, beard or head covering, one of `HAIR_COLOURS`.
        skin: one of `SKINS`.
        beard: one of `BEARDS`.
        brows: one of `BROWS`.
        glasses: one of `GLASSES`; worn in every photo or in none.
        face: one of `FACES`.
    """

    name: str
    split: str
    hair: str
    hair_colour: str
    skin: str
    beard: str
    brows: str
    glasses: str
    face: str

    @property
    def attributes(self) -> tuple[str, ...]:
        """The look as a tuple, the same for the same look whatever the name."""
        return (
            self.hair,
            self.hair_colour,
            self.skin,
            self.beard,
            self.brows,
            self.glasses,
            self.face,
        )

    @property
    def indices(self) -> tuple[int, ...]:
        """The look as an index into each of `ATTRIBUTE_VALUES`."""
        return tuple(
            values.index(value)
            for values, value in zip(ATTRIBUTE_VALUES, self.attributes, strict=True)
        )

    @property
    def key(self) -> str:
        """A short hash of the look, in hexadecimal."""
        return _look_hash(self.attributes).hex()[:12]

    @property
    def frame_colour(self) -> str:
        """Colour of the glasses' frame: follows from the look, so it is as stable."""
        return FRAME_COLOURS[_look_hash(self.attributes)[8] % len(FRAME_COLOURS)]


ATTRIBUTE_NAMES: Final[tuple[str, ...]] = (
    "hair",
    "hair_colour",
    "skin",
    "beard",
    "brows",
    "glasses",
    "face",
)
ATTRIBUTE_VALUES: Final[tuple[tuple[str, ...], ...]] = (
    HAIR,
    HAIR_COLOURS,
    SKINS,
    BEARDS,
    BROWS,
    GLASSES,
    FACES,
)


@lru_cache(maxsize=65536)
def _look_hash(attributes: tuple[str, ...]) -> bytes:
    return hashlib.sha256("|".join(attributes).encode()).digest()


def split_of(attributes: tuple[str, ...]) -> str:
    """Returns the split that a look belongs to; every look belongs to exactly one."""
    drawn = _look_hash(attributes)[0] % _SPLIT_SHARES[-1]
    return next(s for s, end in zip(SPLITS, _SPLIT_SHARES, strict=True) if drawn < end)


def _is_possible(indices: tuple[int, ...]) -> bool:
    if sum(indices) % CHECK:
        return False
    return not (HAIR[indices[0]] in _COVERED and BEARDS[indices[3]] != "none")


def _draw_indices(rng: np.random.Generator) -> tuple[int, ...]:
    drawn = [int(rng.integers(len(values))) for values in ATTRIBUTE_VALUES]
    # Dyed hair (the last four colours) is as rare as in an ordinary album.
    if rng.random() < 0.4:
        drawn[1] = int(rng.integers(len(HAIR_COLOURS) - 4))
    # About half of all people wear no beard and half no glasses, as in an ordinary album.
    if rng.random() < 0.45:
        drawn[3] = 0
    if rng.random() < 0.4:
        drawn[5] = 0
    # The hair style is solved for, so that the check digit holds without rejecting 30 in 31.
    drawn[0] = -sum(drawn[1:]) % CHECK
    return tuple(drawn)


def sample_identities(
    n: int, seed: int, split: str = "eval", exclude: Collection[str] = ()
) -> list[Identity]:
    """Draws people with looks of one split.

    Args:
        n: how many people.
        seed: same seed, same people; the first k of n are the same for every n within one
            naming range.
        split: one of `SPLITS`. ``train`` and ``train_heldout`` are for training encoders,
            ``dev`` for choosing objectives, ``eval`` for reported figures only.
        exclude: `Identity.key` values of looks that must not be drawn.

    Returns:
        `n` people with distinct names and distinct looks. Any two looks of any split differ
        in at least two attributes.

    Raises:
        ValueError: if the split is unknown or it has fewer looks than asked for.
    """
    if split not in SPLITS:
        raise ValueError(f"unknown split {split!r}; choose one of {', '.join(SPLITS)}")
    rng = np.random.default_rng([seed, SPLITS.index(split), 11])
    names = deal_names([int(i) for i in rng.permutation(len(GIVEN_NAMES))], n)
    taken = set(exclude)
    people: list[Identity] = []
    for _ in range(400 * n + 20_000):
        if len(people) == n:
            return people
        indices = _draw_indices(rng)
        if indices[0] >= len(HAIR) or not _is_possible(indices):
            continue
        look = tuple(v[i] for v, i in zip(ATTRIBUTE_VALUES, indices, strict=True))
        if split_of(look) != split:
            continue
        person = Identity(names[len(people)], split, *look)
        if person.key in taken:
            continue
        taken.add(person.key)
        people.append(person)
    if len(people) == n:
        return people
    raise ValueError(f"split {split!r} has too few looks left for {n} people")
