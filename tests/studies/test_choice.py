"""The default strategy is the one that the rule names, from the card that is committed."""

from __future__ import annotations

from pathlib import Path

import pytest

from fiftyone_dp2vl.config import ProtectionConfig
from fiftyone_dp2vl.measure.cards import ResultCard, Row
from fiftyone_dp2vl.measure.intervals import Interval
from fiftyone_dp2vl.studies.strategies import choice_rows, choose

CARD = Path(__file__).parents[2] / "docs" / "results" / "strategies.json"


def row(strategy, figure, value, *, encoder="embedded", features="pooled"):
    return Row(
        figure=figure,
        value=value,
        n=12,
        unit="share",
        interval=Interval(max(0.0, value - 0.1), min(1.0, value + 0.1)),
        conditions={"strategy": strategy, "encoder": encoder, "features": features},
    )


def strategy(name, probe, inverted, wrong):
    return [
        row(name, "identity_probe", probe),
        row(name, "inverted_probe", inverted),
        row(name, "commonest_wrong", wrong),
    ]


@pytest.fixture(scope="module")
def card():
    return ResultCard.load(CARD)


def test_the_default_is_what_the_rule_names(card):
    assert choose(card.rows) == ProtectionConfig().strategy


@pytest.mark.parametrize("planted", [0.44, 0.6, 0.73])
def test_the_choice_does_not_hang_on_the_bar_for_planted_names(card, planted):
    assert choose(card.rows, planted) == ProtectionConfig().strategy


def test_the_card_says_what_is_chosen_and_why(card):
    made = choice_rows(card.rows)
    assert [r for r in card.rows if r.figure in {m.figure for m in made}] == made
    (chosen,) = card.select(figure="chosen")
    assert chosen.conditions == {"strategy": ProtectionConfig().strategy}


def test_inversion_counts_as_much_as_the_plain_probe():
    rows = strategy("inverted", 0.0, 0.9, 0.2) + strategy("plain", 0.3, 0.0, 0.2)
    assert choose(rows) == "plain"


def test_one_view_is_enough_to_leak():
    rows = strategy("copied", 0.0, 0.0, 0.2) + strategy("even", 0.3, 0.0, 0.2)
    leak = row("copied", "identity_probe", 0.5, encoder="fine-tuned", features="mean token")
    assert choose([*rows, leak]) == "even"
    elsewhere = row("copied", "identity_probe", 0.5, encoder="held-out")
    assert choose([*rows, elsewhere]) == "copied"


def test_a_strategy_that_plants_a_name_is_not_chosen():
    rows = strategy("planting", 0.0, 0.0, 0.61) + strategy("spread", 0.3, 0.0, 0.59)
    assert choose(rows) == "spread"
    with pytest.raises(ValueError, match="names none"):
        choose(strategy("planting", 0.0, 0.0, 0.61))


def test_clean_photos_are_no_strategy():
    assert choose(strategy("clean", 0.0, 0.0, 0.0) + strategy("swap", 0.3, 0.0, 0.2)) == "swap"
