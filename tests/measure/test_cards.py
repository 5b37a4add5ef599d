"""Cards round trip, refuse what is damaged, and fill documents."""

from __future__ import annotations

import json

import pytest

from fiftyone_dp2vl.measure.cards import CardError, ResultCard, Row
from fiftyone_dp2vl.measure.documents import fill, stale
from fiftyone_dp2vl.measure.intervals import Interval
from fiftyone_dp2vl.measure.render import figure_text, table_markdown


def row(figure="identity_probe", value=0.0833, **conditions):
    return Row(
        figure=figure,
        value=value,
        unit="share" if "probe" in figure else "dB",
        interval=Interval(value - 0.05, value + 0.05),
        n=120,
        conditions=conditions,
    )


@pytest.fixture
def card():
    return ResultCard(
        name="toy",
        title="A toy",
        command="dp2vl study toy",
        rows=[
            row(encoder="embedded", trained_on="protected"),
            row(value=0.95, encoder="embedded", trained_on="clean"),
            row(value=0.5, encoder="held-out", trained_on="protected"),
            row("psnr", 33.21, encoder="embedded", trained_on="protected"),
        ],
        environment={"device": "CPU, 2 cores", "threads": 2},
        configs={"default": "0123456789abcdef"},
        encoders={"embedded": "ff" * 32},
        seeds=[0, 1, 2],
        date="2026-11-21",
        notes=["a note"],
    )


def test_round_trip(card, tmp_path):
    path = card.save(tmp_path)
    assert path == tmp_path / "toy.json"
    again = ResultCard.load(path)
    assert again == card
    assert isinstance(again.rows[0].interval, Interval)
    assert [p.name for p in tmp_path.iterdir()] == ["toy.json"]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda d: d.update(format=2), "format"),
        (lambda d: d.update(extra=1), "unknown 'extra'"),
        (lambda d: d.pop("date"), "missing 'date'"),
        (lambda d: d["rows"][0].update(extra=1), "unknown 'extra'"),
        (lambda d: d["rows"][0].pop("n"), "missing 'n'"),
        (lambda d: d["rows"][0].update(value=None), "finite"),
        (lambda d: d["rows"][0].update(interval=[1, 0]), "upside down"),
        (lambda d: d["rows"][0].update(interval=[1]), "toy"),
        (lambda d: d["rows"][0].update(n=0), "n is 0"),
        (lambda d: d["rows"][0].update(unit="furlong"), "furlong"),
        (lambda d: d["rows"].append(d["rows"][0]), "stands twice"),
    ],
)
def test_strict_loader(card, tmp_path, change, says):
    data = json.loads(card.to_json())
    change(data)
    with pytest.raises(CardError, match=says):
        ResultCard.from_json(json.dumps(data), "toy.json")


def test_a_renamed_or_missing_card_is_refused(card, tmp_path):
    card.save(tmp_path).rename(tmp_path / "other.json")
    with pytest.raises(CardError, match="names must be equal"):
        ResultCard.load(tmp_path / "other.json")
    with pytest.raises(CardError, match="dp2vl study toy"):
        ResultCard.load(tmp_path / "toy.json")


def test_figures_as_text():
    assert figure_text(row()) == "8.3 % [3.3, 13.3]"
    assert figure_text(row(), interval=False) == "8.3 %"
    assert figure_text(Row(figure="cosine", value=-0.001, n=1)) == "0.00"
    assert (
        figure_text(Row(figure="speed", value=1.5, unit="ratio", n=1))
        == "1.50 \N{MULTIPLICATION SIGN}"
    )


def test_table(card):
    text = table_markdown(card, ["trained_on"], "encoder", figure="identity_probe")
    assert text.splitlines() == [
        "| trained on | embedded | held-out |",
        "|---|---:|---:|",
        "| protected | 8.3 % [3.3, 13.3] | 50.0 % [45.0, 55.0] |",
        "| clean | 95.0 % [90.0, 100.0] | \N{EN DASH} |",
    ]
    with pytest.raises(CardError, match="one cell"):
        table_markdown(card, ["encoder"], "figure")
    with pytest.raises(CardError, match="no rows"):
        table_markdown(card, ["encoder"], "figure", trained_on="nothing")


def test_documents_are_filled_from_cards(card, tmp_path):
    card.save(tmp_path / "docs" / "results")
    readme = tmp_path / "README.md"
    what = "figure=identity_probe trained_on=protected encoder=embedded"
    readme.write_text(
        f"It is <!-- card:toy figure {what} -->old<!-- /card --> now, and\n"
        f"<!-- card:toy value {what} --><!-- /card -->.\n\n"
        "<!-- card:toy table rows=trained_on columns=encoder figure=identity_probe -->\n"
        "<!-- /card -->\n\n```\n<!-- card:NAME figure -->\n```\n"
    )
    assert stale(tmp_path) == [readme]
    assert "old" in readme.read_text()
    assert stale(tmp_path, write=True) == [readme]
    assert stale(tmp_path) == []
    text = readme.read_text()
    assert "-->8.3 % [3.3, 13.3]<!-- /card --> now" in text
    assert "-->8.3 %<!-- /card -->." in text
    assert "| clean | 95.0 %" in text
    assert "<!-- card:NAME figure -->" in text


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("<!-- card:toy figure figure=psnr -->", "not closed"),
        ("<!-- card:toy figure encoder=embedded --><!-- /card -->", "3 rows"),
        ("<!-- card:toy figure nonsense --><!-- /card -->", "KEY=VALUE"),
        ("<!-- card:toy poem --><!-- /card -->", "poem"),
    ],
)
def test_a_wrong_block_is_said(card, tmp_path, text, says):
    card.save(tmp_path)
    with pytest.raises(CardError, match=says):
        fill(text, tmp_path)


def test_a_card_that_was_never_made_is_said(tmp_path):
    text = fill("It is <!-- card:absent value figure=x -->8 %<!-- /card -->.", tmp_path)
    assert "-->*not measured yet: `dp2vl study absent`*<!--" in text
    assert "8 %" not in text
