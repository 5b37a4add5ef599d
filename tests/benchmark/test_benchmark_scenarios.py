from __future__ import annotations

from collections import Counter

import pytest

from fiftyone_dp2vl.benchmark.scenarios import RELATIVES, SCENARIOS, captions, sample_facts


def test_seven_scenarios_of_at_least_twelve_affiliations() -> None:
    assert len(SCENARIOS) == 7
    for scenario in SCENARIOS.values():
        assert len(scenario.affiliations) >= 12
        assert len(scenario.templates) >= 4
        assert "{name}" in scenario.question


def test_every_affiliation_looks_different_from_every_other() -> None:
    arts = [a.art for s in SCENARIOS.values() for a in s.affiliations]
    assert [art for art, count in Counter(arts).items() if count > 1] == []
    names = [a.name for s in SCENARIOS.values() for a in s.affiliations]
    assert len(names) == len(set(names))
    assert {a.art for a in SCENARIOS["family"].affiliations} == set(RELATIVES)


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_captions_name_the_subject_and_tell_affiliations_apart(scenario: str) -> None:
    written = captions(scenario, "Mira")
    lines = [line for group in written.values() for line in group]
    assert len(lines) == len(set(lines))
    assert all("Mira" in line and line[0].isupper() for line in lines)


def test_facts_spread_evenly_over_people() -> None:
    dealt = [sample_facts(7, i) for i in range(12)]
    for scenario in SCENARIOS:
        assert len({facts[scenario] for facts in dealt}) == 12
    assert sample_facts(7, 3) == dealt[3] != sample_facts(8, 3)
