"""No figure in the documents differs from the card it came from."""

from __future__ import annotations

from pathlib import Path

from fiftyone_dp2vl.measure.cards import ResultCard
from fiftyone_dp2vl.measure.documents import stale

ROOT = Path(__file__).parents[2]


def test_documents_equal_cards():
    changed = [path.name for path in stale(ROOT)]
    assert not changed, f"run `dp2vl study --render`: {changed} differ from docs/results"


def test_every_card_is_whole():
    for path in sorted((ROOT / "docs" / "results").glob("*.json")):
        card = ResultCard.load(path)
        assert card.rows
        assert card.command.startswith("dp2vl ")
