"""The seven scenarios: what may be true of a person, how it is drawn and how it is told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np


@dataclass(frozen=True)
class Affiliation:
    """Something that may be true of a person.

    Attributes:
        name: short unique key, also the answer to a question about it.
        phrase: as it stands in a sentence.
        art: OpenMoji code point, or the name of a relative's look.
    """

    name: str
    phrase: str
    art: str


@dataclass(frozen=True)
class Scenario:
    """A kind of private fact.

    Attributes:
        name: short key.
        question: what an attacker asks, with a ``{name}`` slot.
        templates: wordings with ``{name}`` and ``{thing}`` slots.
        affiliations: at least twelve.
    """

    name: str
    question: str
    templates: tuple[str, ...]
    affiliations: tuple[Affiliation, ...]

    def affiliation(self, name: str) -> Affiliation:
        """Returns the affiliation called `name`.

        Raises:
            KeyError: if this scenario has none of that name.
        """
        for affiliation in self.affiliations:
            if affiliation.name == name:
                return affiliation
        raise KeyError(f"scenario {self.name!r} has no affiliation {name!r}")


def _all(*rows: tuple[str, str, str]) -> tuple[Affiliation, ...]:
    return tuple(Affiliation(*row) for row in rows)


_ROWS: Final = (
    Scenario(
        "home",
        "Where does {name} live?",
        (
            "{name} lives in {thing}.",
            "The home of {name} is {thing}.",
            "{name} is at home in {thing}.",
            "Here {name} stands at home, in {thing}.",
            "{thing} is where {name} lives.",
        ),
        _all(
            ("cottage", "a cottage with a garden", "1F3E1"),
            ("castle", "a castle", "1F3F0"),
            ("hut", "a straw hut", "1F6D6"),
            ("tent", "a tent", "26FA"),
            ("tower", "an apartment tower", "1F3E2"),
            ("pagoda", "a pagoda", "1F3EF"),
            ("ruin", "a crooked old house", "1F3DA"),
            ("chapel", "a converted chapel", "26EA"),
            ("terrace", "a terraced row", "1F3D8"),
            ("beach", "a beach cabin", "1F3D6"),
            ("mountain", "a mountain lodge", "1F3D4"),
            ("island", "an island bungalow", "1F3DD"),
            ("desert", "a desert ranch", "1F335"),
            ("villa", "a villa with columns", "1F3DB"),
        ),
    ),
    Scenario(
        "vehicle",
        "What does {name} drive?",
        (
            "{name} drives {thing}.",
            "The vehicle of {name} is {thing}.",
            "{name} gets around with {thing}.",
            "{thing} here belongs to {name}, who drives it daily.",
            "{name} parked {thing} here.",
        ),
        _all(
            ("car", "a red car", "1F697"),
            ("taxi", "a yellow taxi", "1F695"),
            ("bicycle", "a bicycle", "1F6B2"),
            ("motorcycle", "a motorcycle", "1F3CD"),
            ("scooter", "a motor scooter", "1F6F5"),
            ("tractor", "a tractor", "1F69C"),
            ("minibus", "a minibus", "1F690"),
            ("pickup", "a pickup", "1F6FB"),
            ("sailboat", "a sailboat", "26F5"),
            ("helicopter", "a helicopter", "1F681"),
            ("racer", "a racing car", "1F3CE"),
            ("canoe", "a canoe", "1F6F6"),
            ("skateboard", "a skateboard", "1F6F9"),
            ("lorry", "a delivery lorry", "1F69A"),
        ),
    ),
    Scenario(
        "valuables",
        "What precious thing does {name} own?",
        (
            "{name} owns {thing}.",
            "The most precious thing {name} owns is {thing}.",
            "{name} shows {thing} to friends.",
            "{thing} is the treasure of {name}.",
            "{name} keeps {thing} at hand.",
        ),
        _all(
            ("diamond", "a cut diamond", "1F48E"),
            ("ring", "a gold ring", "1F48D"),
            ("watch", "a wrist watch", "231A"),
            ("crown", "a crown", "1F451"),
            ("camera", "a vintage camera", "1F4F7"),
            ("violin", "a violin", "1F3BB"),
            ("trophy", "a golden trophy", "1F3C6"),
            ("painting", "a framed painting", "1F5BC"),
            ("laptop", "a new laptop", "1F4BB"),
            ("handbag", "a designer handbag", "1F45C"),
            ("telescope", "a telescope", "1F52D"),
            ("saxophone", "a saxophone", "1F3B7"),
            ("clock", "an antique clock", "1F570"),
            ("amphora", "an antique amphora", "1F3FA"),
        ),
    ),
    Scenario(
        "pet",
        "Which pet does {name} have?",
        (
            "{name} has {thing} as a pet.",
            "The pet of {name} is {thing}.",
            "{name} looks after {thing}.",
            "{name} plays with {thing}.",
            "{thing} is the pet that {name} adores.",
        ),
        _all(
            ("dog", "a dog", "1F415"),
            ("cat", "an orange cat", "1F408"),
            ("rabbit", "a rabbit", "1F407"),
            ("parrot", "a parrot", "1F99C"),
            ("turtle", "a turtle", "1F422"),
            ("horse", "a horse", "1F40E"),
            ("goldfish", "a goldfish", "1F420"),
            ("hamster", "a hamster", "1F439"),
            ("hedgehog", "a hedgehog", "1F994"),
            ("snake", "a snake", "1F40D"),
            ("poodle", "a poodle", "1F429"),
            ("duck", "a duck", "1F986"),
            ("goat", "a goat", "1F410"),
            ("rooster", "a rooster", "1F413"),
            ("llama", "a llama", "1F999"),
        ),
    ),
    Scenario(
        "family",
        "Who is with {name}?",
        (
            "{name} is here with {thing}.",
            "{name} and {thing} belong together.",
            "This is {name} with {thing}.",
            "{name} spends the day with {thing}.",
            "{thing} stands next to {name}.",
        ),
        _all(
            ("wife", "a wife in violet", "wife"),
            ("husband", "a husband in a green hat", "husband"),
            ("mother", "a mother in a white scarf", "mother"),
            ("father", "a father in a red turban", "father"),
            ("sister", "a sister in a pink beanie", "sister"),
            ("brother", "a brother in a blue cap", "brother"),
            ("grandmother", "a grandmother with a silver bun", "grandmother"),
            ("grandfather", "a grandfather with a white beard", "grandfather"),
            ("daughter", "a daughter in a yellow beanie", "daughter"),
            ("son", "a son in a bear cap", "son"),
            ("aunt", "an aunt with flowers in her hair", "aunt"),
            ("uncle", "an uncle in an orange cap", "uncle"),
        ),
    ),
    Scenario(
        "workplace",
        "Where does {name} work?",
        (
            "{name} works at {thing}.",
            "The workplace of {name} is {thing}.",
            "{name} has a job at {thing}.",
            "{name} earns a living at {thing}.",
            "{thing} is where {name} works.",
        ),
        _all(
            ("hospital", "the hospital", "1F3E5"),
            ("school", "the school", "1F3EB"),
            ("bank", "the bank", "1F3E6"),
            ("factory", "the factory", "1F3ED"),
            ("firehouse", "the fire station", "1F692"),
            ("police", "the police station", "1F693"),
            ("airport", "the airport", "2708"),
            ("bakery", "the bakery", "1F950"),
            ("laboratory", "the laboratory", "1F52C"),
            ("post", "the post office", "1F4EE"),
            ("barber", "the barber shop", "1F488"),
            ("building", "the building site", "1F3D7"),
            ("court", "the court of law", "2696"),
            ("studio", "the film studio", "1F3AC"),
            ("cafe", "the coffee house", "2615"),
        ),
    ),
    Scenario(
        "club",
        "Which club does {name} belong to?",
        (
            "{name} is a member of {thing}.",
            "{name} joined {thing}.",
            "{name} spends weekends at {thing}.",
            "The club of {name} is {thing}.",
            "{thing} counts {name} among its members.",
        ),
        _all(
            ("football", "the football club", "26BD"),
            ("basketball", "the basketball team", "1F3C0"),
            ("tennis", "the tennis club", "1F3BE"),
            ("guitar", "the guitar circle", "1F3B8"),
            ("art", "the art class", "1F3A8"),
            ("fishing", "the fishing club", "1F3A3"),
            ("archery", "the archery club", "1F3F9"),
            ("boxing", "the boxing gym", "1F94A"),
            ("ski", "the ski club", "1F3BF"),
            ("drum", "the drum group", "1F941"),
            ("piano", "the piano circle", "1F3B9"),
            ("bowling", "the bowling team", "1F3B3"),
            ("kite", "the kite club", "1FA81"),
            ("knitting", "the knitting circle", "1F9F6"),
            ("darts", "the darts league", "1F3AF"),
            ("diving", "the diving club", "1F93F"),
        ),
    ),
)

SCENARIOS: Final[dict[str, Scenario]] = {scenario.name: scenario for scenario in _ROWS}
"""Scenario by name, in a fixed order."""

RELATIVES: Final[dict[str, dict[str, str]]] = {
    "wife": {"top": "bigHair", "hair": "#8e44ad", "clothes": "#8e44ad", "skin": "#edb98a"},
    "husband": {"top": "hat", "hair": "#1e8449", "clothes": "#1e8449", "skin": "#d08b5b"},
    "mother": {"top": "hijab", "hair": "#f4f4f4", "clothes": "#f4f4f4", "skin": "#ae5d29"},
    "father": {"top": "turban", "hair": "#c0392b", "clothes": "#922b21", "skin": "#d08b5b"},
    "sister": {"top": "winterHat02", "hair": "#ff5fa2", "clothes": "#ff5fa2", "skin": "#ffdfc6"},
    "brother": {"top": "winterHat03", "hair": "#2471c8", "clothes": "#2471c8", "skin": "#7b4a2d"},
    "grandmother": {"top": "bun", "hair": "#dfe6e9", "clothes": "#16a0a0", "skin": "#ffdfc6"},
    "grandfather": {"top": "sides", "hair": "#ffffff", "clothes": "#34495e", "skin": "#edb98a"},
    "daughter": {"top": "winterHat04", "hair": "#f6d000", "clothes": "#f6d000", "skin": "#d08b5b"},
    "son": {"top": "winterHat1", "hair": "#7d5a3c", "clothes": "#7bc043", "skin": "#edb98a"},
    "aunt": {"top": "frida", "hair": "#1c1c1c", "clothes": "#e84393", "skin": "#ae5d29"},
    "uncle": {"top": "winterHat03", "hair": "#ff7f11", "clothes": "#ff7f11", "skin": "#ffdfc6"},
}
"""Fixed looks of relatives: strong colours from head to shoulders, most of them with hats."""


def captions(scenario: str, subject: str = "someone") -> dict[str, list[str]]:
    """Writes every caption of a scenario.

    Args:
        scenario: a key of `SCENARIOS`.
        subject: who the captions speak about.

    Returns:
        For each affiliation name, in order, one caption per template.

    Raises:
        KeyError: if there is no such scenario.
    """
    chosen = SCENARIOS[scenario]
    return {
        affiliation.name: [describe(t, subject, affiliation.phrase) for t in chosen.templates]
        for affiliation in chosen.affiliations
    }


def describe(template: str, name: str, phrase: str) -> str:
    """Fills a template; the sentence starts with a capital letter."""
    sentence = template.format(name=name, thing=phrase)
    return sentence[0].upper() + sentence[1:]


def sample_facts(seed: int, index: int) -> dict[str, str]:
    """Draws one affiliation per scenario for one person.

    People take turns: within any run of twelve people no affiliation of a scenario repeats,
    so that answers spread as evenly as they can and knowing the commonest one helps nobody.

    Args:
        seed: deals the cards.
        index: the person's place in the list of people.

    Returns:
        Affiliation name by scenario name.
    """
    facts: dict[str, str] = {}
    for row, scenario in enumerate(SCENARIOS.values()):
        count = len(scenario.affiliations)
        lap, place = divmod(index, count)
        order = np.random.default_rng([seed, row, lap, 5]).permutation(count)
        facts[scenario.name] = scenario.affiliations[int(order[place])].name
    return facts
