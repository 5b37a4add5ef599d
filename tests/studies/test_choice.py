"""The default strategy is the one that the rule names, from the card that is committed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from fiftyone_dp2vl.config import ProtectionConfig
from fiftyone_dp2vl.measure.cards import ResultCard, Row
from fiftyone_dp2vl.measure.intervals import Interval
from fiftyone_dp2vl.protection import Auto
from fiftyone_dp2vl.studies.choice import IGNORANT, NAMED, NAMELESS, choice_rows, choose

CARD = Path(__file__).parents[2] / "docs" / "results" / "strategies.json"


def row(strategy, figure, value, *, encoder="embedded", features="pooled", people=NAMELESS):
    seen = {"encoder": encoder, "features": features, "people": people}
    return Row(
        figure=figure,
        value=value,
        n=12,
        unit="share",
        interval=Interval(max(0.0, value - 0.1), min(1.0, value + 0.1)),
        conditions={"strategy": strategy, **seen},
    )


def strategy(name, probe, inverted, wrong):
    return [
        row(name, "identity_probe", probe),
        row(name, "inverted_probe", inverted),
        row(name, "commonest_wrong", wrong),
    ]


BARS = (0.82, 0.97)  # see docs/protection.md
KNOWS_NOTHING = row(IGNORANT, "commonest_wrong", 0.5)


@pytest.fixture(scope="module")
def card():
    return ResultCard.load(CARD)


@pytest.mark.parametrize(("people", "part"), [(NAMED, Auto.named), (NAMELESS, Auto.nameless)])
class TestTheDefault:
    """It is what the rule names, with names and without."""

    def test_it_is_what_the_rule_names(self, card, people, part):
        assert ProtectionConfig().strategy == Auto.name
        assert part.name in choose(card.rows, people)

    def test_the_card_says_it(self, card, people, part):
        chosen = card.select(figure="chosen", people=people)
        assert part.name in [row.conditions["strategy"] for row in chosen]

    @pytest.mark.parametrize("planted", BARS)
    def test_it_does_not_hang_on_the_bar_for_planted_names(self, card, people, part, planted):
        assert part.name in choose(card.rows, people, planted)


def test_the_card_says_what_is_chosen_and_why(card):
    made = choice_rows(card.rows)
    assert [r for r in card.rows if r.figure in {m.figure for m in made}] == made


def test_inversion_counts_as_much_as_the_plain_probe():
    rows = strategy("inverted", 0.0, 0.9, 0.2) + strategy("plain", 0.3, 0.0, 0.2)
    assert choose([*rows, KNOWS_NOTHING], NAMELESS) == ["plain"]


def test_one_view_is_enough_to_leak():
    rows = strategy("copied", 0.0, 0.0, 0.2) + strategy("even", 0.3, 0.0, 0.2)
    leak = row("copied", "identity_probe", 0.5, encoder="fine-tuned", features="mean token")
    assert choose([*rows, leak, KNOWS_NOTHING], NAMELESS) == ["even"]
    elsewhere = row("copied", "identity_probe", 0.5, encoder="held-out")
    assert choose([*rows, elsewhere, KNOWS_NOTHING], NAMELESS) == ["copied"]


def test_strategies_that_read_names_stand_only_where_they_are_told():
    guessing = strategy("guessing", 0.1, 0.0, 0.2)
    told = [
        replace(r, value=r.value * 2, conditions={**r.conditions, "people": NAMED})
        for r in guessing
    ]
    rows = [*guessing, *told, *strategy("even", 0.3, 0.0, 0.2), KNOWS_NOTHING]
    assert choose(rows, NAMELESS) == ["even"]
    assert choose(rows, NAMED) == ["guessing"]
    leaks = {
        (r.conditions["strategy"], r.conditions["people"]): r.value
        for r in choice_rows(rows)
        if r.figure == "worst_leak"
    }
    assert leaks == {
        ("guessing", NAMED): 0.2,
        ("even", NAMED): 0.3,
        ("even", NAMELESS): 0.3,
    }


def test_a_strategy_that_plants_a_name_is_not_chosen():
    rows = strategy("planting", 0.0, 0.0, 0.71) + strategy("spread", 0.3, 0.0, 0.59)
    assert choose([*rows, KNOWS_NOTHING], NAMELESS) == ["spread"]
    with pytest.raises(ValueError, match="names none"):
        choose([*strategy("planting", 0.0, 0.0, 0.71), KNOWS_NOTHING], NAMELESS)


def test_what_leaks_the_same_is_not_told_apart():
    rows = strategy("one", 0.2, 0.1, 0.3) + strategy("other", 0.1, 0.2, 0.2)
    assert choose([*rows, KNOWS_NOTHING], NAMELESS) == ["other", "one"]


def test_clean_photos_are_no_strategy():
    rows = strategy("clean", 0.0, 0.0, 0.0) + strategy("swap", 0.3, 0.0, 0.2)
    assert choose([*rows, KNOWS_NOTHING], NAMELESS) == ["swap"]
