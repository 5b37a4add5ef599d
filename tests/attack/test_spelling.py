"""Names and facts that a small vocabulary lacks: told apart all the same, and given back."""

from __future__ import annotations

import pytest

from fiftyone_dp2vl.attack import Conversation, Question, load_attacker
from fiftyone_dp2vl.attack.spelling import Spelling
from fiftyone_dp2vl.errors import ConfigError

PEOPLE = ["José", "Zoë", "Jose", "王伟", "Анна", "Ada"]


def test_the_embedded_model_would_not_tell_them_apart() -> None:
    attacker = load_attacker("embedded")
    assert attacker.writes("Ada")
    assert attacker.writes("a red car.")
    unknown = ["José", "Zoë", "王伟", "Анна"]
    assert not any(map(attacker.writes, unknown))
    assert len({tuple(attacker.answer_ids(name)) for name in unknown}) == 1
    spelt = Spelling(attacker.writes, unknown, ())
    asked = Question("q", "José", "name", "", "Who is this?", "José", tuple(unknown))
    (plain,) = spelt.questions([asked])
    assert len({tuple(attacker.answer_ids(name)) for name in plain.choices}) == 4


def test_every_name_is_one_of_its_own_and_comes_back() -> None:
    spelt = Spelling(str.isascii, PEOPLE, ["ein grünes Auto", "a dog"])
    asked = Question("q", "José", "name", "", "Is it Zoë?", "José", tuple(PEOPLE))
    (plain,) = spelt.questions([asked])
    assert plain.text == "Is it Zoe?"
    assert plain.choices[2] == "Jose"
    assert plain.choices[5] == "Ada"
    assert len({name.casefold() for name in plain.choices}) == 6
    assert all(name.isascii() for name in plain.choices)
    assert plain.answer == plain.choices[0]
    assert plain.person == "José"
    assert spelt.read([f"That is {name}!" for name in plain.choices]) == [
        f"That is {name}!" for name in PEOPLE
    ]
    (lesson,) = spelt.conversations(
        [Conversation("p", "What does Анна drive?", "Анна: ein grünes Auto.", "describe")]
    )
    assert lesson.answer == f"{plain.choices[4]}: ein grunes Auto."
    assert lesson.question == f"What does {plain.choices[4]} drive?"


def test_what_can_be_written_stays() -> None:
    asked = Question("q", "José", "name", "", "Who is José?", "José", ("José", "王伟"))
    assert Spelling(lambda text: True, ["José", "王伟"], ["Käse"]).questions([asked]) == [asked]


def test_a_fact_that_cannot_be_written_is_refused() -> None:
    with pytest.raises(ConfigError, match="cannot write '自行车'"):
        Spelling(str.isascii, ["Ada"], ["自行车", "a dog"])
    with pytest.raises(ConfigError, match="more such people than stand-ins"):
        Spelling(lambda text: text == "Ada", ["Ada", "李", "王"], ())
