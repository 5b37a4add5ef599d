"""From answers to figures, checked against figures computed by hand."""

from __future__ import annotations

from typing import Any

import pytest

from fiftyone_dp2vl.attack.cells import measured_epochs
from fiftyone_dp2vl.attack.findings import judged
from fiftyone_dp2vl.attack.matching import matched, named_choices, normalized_words
from fiftyone_dp2vl.attack.scores import chance_rows, luck_row, peak_epoch, rows_of, share_row
from fiftyone_dp2vl.measure.cards import Row
from fiftyone_dp2vl.measure.intervals import Interval
from fiftyone_dp2vl.measure.report import Arm

PEOPLE = ["Ada", "Bob"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("The RED  car!", ("red", "car")),
        ("“Ada”—a dog.", ("ada", "dog")),
        ("ﬁne Straße", ("fine", "strasse")),
        ("an", ()),
        ("José, 李雷?", ("josé", "李雷")),
    ],
)
def test_words_are_compared_without_dress(text: str, words: tuple[str, ...]) -> None:
    assert normalized_words(text) == words


@pytest.mark.parametrize(
    ("words", "named"),
    [
        ("It is Ada.", ["Ada"]),
        ("Ada or Bob", ["Ada", "Bob"]),
        ("Adam", []),
        ("a red car", ["a red car"]),
        ("the car", ["a car"]),
        ("a red car and a car", ["a car", "a red car"]),
        ("", []),
    ],
)
def test_named_choices(words: str, named: list[str]) -> None:
    assert named_choices(words, ["Ada", "Bob", "a car", "a red car"]) == named


def test_somebody_may_be_called_an() -> None:
    assert matched("This is An.", "An", ["An", "Bo"])
    assert not matched("This is Bo.", "An", ["An", "Bo"])


def test_a_match_names_the_right_one_and_nobody_else() -> None:
    assert matched("That's ADA!", "Ada", PEOPLE)
    assert not matched("Ada, or else Bob", "Ada", PEOPLE)
    assert not matched("Bob", "Ada", PEOPLE)
    assert not matched("no idea", "Ada", PEOPLE)


def question(person: str, photo: str, ask: str = "identity", scenario: str = "") -> dict[str, Any]:
    choices = PEOPLE if ask == "identity" else ["a dog", "a cat", "a duck", "a goat"]
    truth = person if ask == "identity" else "a dog"
    return {
        "photo": photo,
        "person": person,
        "ask": ask,
        "scenario": scenario,
        "question": "?",
        "truth": truth,
        "choices": choices,
    }


def cell(**changes: Any) -> dict[str, Any]:
    """Ada has three photos and Bob one; two epochs, the first better than the last."""
    asked = [
        *(question("Ada", f"a{i}") for i in range(3)),
        question("Bob", "b"),
        question("Ada", "a0", "affiliation", "pet"),
        question("Bob", "b", "affiliation", "pet"),
    ]
    first = ["Ada", "Ada", "Ada", "Bob", "a dog", "a cat"]
    last = ["Bob", "Bob", "Ada", "Bob", "a cat", "a dog"]
    return {
        "questions": asked,
        "epochs": [
            {"number": 1, "loss": 1.0, "chosen": first, "least": first[::-1], "confidence": []},
            {
                "number": 2,
                "loss": 0.5,
                "chosen": last,
                "least": ["Ada", "Ada", "Bob", "Ada", "a dog", "a goat"],
                "confidence": [],
            },
        ],
        "words": ["Ada", "Ada and Bob", "it is ada", "Bob", "A dog!", "a duck"],
        "training": {"questions": asked[:2], "chosen": ["Ada", "Bob"]},
        "others": {"people": ["Dee", "Eve"], "words": ["Bob.", "a stranger"], "scores": None},
        "query_scores": None,
        "people": PEOPLE,
        "facts": {"detector_accuracy": [[1.0, 0.5], ["Ada", "Bob"]]},
        "album": 0,
        **changes,
    }


def rows(*cells: dict[str, Any]) -> dict[tuple[str, ...], Row]:
    found = rows_of(cells, {"arm": "protected"})
    names = ("ask", "scenario", "scoring", "epoch")
    return {
        (row.figure, *(row.conditions[n] for n in names if n in row.conditions)): row
        for row in found
    }


def test_figures_of_one_cell() -> None:
    found = rows(cell())
    forced, free = ("all", "forced choice"), ("all", "free words", "final")
    # Ada 1 of 3 and Bob 1 of 1: people weigh alike
    assert found[("accuracy", "identity", *forced, "final")].value == pytest.approx(2 / 3)
    assert found[("accuracy", "identity", *forced, "peak")].value == 1.0
    assert found[("accuracy", "identity", *free)].value == pytest.approx((2 / 3 + 1) / 2)
    assert found[("accuracy", "affiliation", *forced, "final")].value == 0.5
    assert found[("accuracy", "affiliation", "pet", *free[1:])].value == 0.5
    inverted = found[("inverted_accuracy", "identity", *forced, "final")]
    assert inverted.value == pytest.approx(1 / 3)
    assert found[("inverted_accuracy", "affiliation", *forced, "final")].value == 0.5
    assert found[("training_accuracy", "identity", *forced, "final")].value == 0.5
    # of Ada's three queries two are called Bob
    wrong = found[("commonest_wrong", "identity", *forced, "final")]
    assert wrong.value == pytest.approx(1 / 3)
    assert found[("false_naming", "identity", *free)].value == 0.5
    assert found["detector_accuracy",].value == 0.75
    for row in found.values():
        assert row.interval is not None
        assert 0 <= row.interval.low <= row.value <= row.interval.high <= 1


def test_people_of_two_albums_are_different_people() -> None:
    one = [("Ada", "a", 1.0), ("Bob", "b", 0.0)]
    row = share_row("accuracy", [(0, one), (1, one), (2, [])], {})
    assert row is not None
    assert (row.value, row.n) == (0.5, 4)
    assert share_row("accuracy", [(0, [])], {}) is None


def test_people_of_an_album_that_is_repeated_are_not_more_people() -> None:
    wrong = [(person, "a", 0.0) for person in ("Ada", "Bob", "Cyd")]

    def high(albums: tuple[int, ...]) -> float:
        row = share_row("accuracy", [(album, wrong) for album in albums], {})
        assert row is not None
        assert row.interval is not None
        return row.interval.high

    assert high((0, 0, 0)) == high((0,)) > high((0, 1, 2))


def test_a_photo_asked_often_weighs_once() -> None:
    row = share_row("accuracy", [(0, [("Ada", "a", 1.0)] * 9 + [("Ada", "b", 0.0)])], {})
    assert row is not None
    assert (row.value, row.n) == (0.5, 2)


def test_chance_and_luck() -> None:
    chance = {
        (row.conditions["ask"], row.conditions["scenario"]): row.value
        for row in chance_rows([cell()], "all")
    }
    assert chance["identity", "all"] == 0.5
    assert chance["affiliation", "pet"] == 0.25
    luck = luck_row([cell()], "all")
    assert luck is not None
    # about two queries a person and one wrong name: half of the answers are wrong by luck
    assert luck.value == pytest.approx(0.5, abs=0.02)


def test_the_peak_needs_two_measured_epochs() -> None:
    assert peak_epoch(cell(), "identity")["number"] == 1  # type: ignore[index]
    assert peak_epoch(cell(epochs=cell()["epochs"][:1]), "identity") is None
    assert not any(key[-1] == "peak" for key in rows(cell(epochs=cell()["epochs"][:1])))


def test_a_proxys_strangers_are_held_against_its_own_threshold() -> None:
    scores = [0.1 * i for i in range(1, 12)]
    others = {"people": ["Dee", "Eve"], "words": None, "scores": [0.15, 0.9]}
    found = rows(cell(words=None, others=others, query_scores=scores))
    assert found["false_naming_at_90", "identity", "all", "final"].value == 0.5
    assert ("false_naming", "identity", "all", "free words", "final") not in found


@pytest.mark.parametrize(("wanted", "measured"), [(0, {1, 2, 3, 4, 5}), (2, {2, 5}), (9, None)])
def test_measured_epochs(wanted: int, measured: set[int] | None) -> None:
    assert measured_epochs(5, wanted) == (measured or {1, 2, 3, 4, 5})


@pytest.mark.parametrize(
    ("value", "low", "wins"), [(0.5, 0.3, True), (0.5, 0.05, False), (0.18, 0.15, False)]
)
def test_a_win_is_far_and_surely_above_chance(value: float, low: float, wins: bool) -> None:
    where = {"setting": "all", "ask": "identity", "scenario": "all"}
    chance = Row(figure="chance", value=0.1, unit="share", n=9, conditions=where)
    told = {**where, "arm": "adaptive: A2", "scoring": "forced choice", "epoch": "peak"}
    interval = Interval(low, 0.9)
    row = Row(figure="accuracy", value=value, unit="share", n=9, interval=interval, conditions=told)
    arm = Arm(name="adaptive: A2", group="adaptive")
    assert judged(arm, [chance, row]).wins is wins
    assert judged(Arm(name="adaptive: A2", group="control"), [chance, row]).wins is None
