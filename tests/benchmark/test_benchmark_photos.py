from __future__ import annotations

import time

import numpy as np
import pytest
from PIL import Image

from fiftyone_dp2vl.benchmark.camera import from_jpeg
from fiftyone_dp2vl.benchmark.people import sample_identities
from fiftyone_dp2vl.benchmark.photos import (
    FORMATS,
    PhotoSpec,
    photo_bytes,
    plan_photos,
    render_photo,
    render_with_layout,
)
from fiftyone_dp2vl.benchmark.places import PLACES
from fiftyone_dp2vl.benchmark.scenarios import SCENARIOS, sample_facts

pytest.importorskip("dicebear")
pytest.importorskip("resvg_py")


@pytest.fixture(scope="module")
def plan() -> list[PhotoSpec]:
    person = sample_identities(1, 5, "dev")[0]
    return plan_photos(person, sample_facts(5, 0), 5)


def test_plan_covers_every_scenario_and_queries(plan: list[PhotoSpec]) -> None:
    shares = [spec for spec in plan if spec.role == "share"]
    queries = [spec for spec in plan if spec.role == "query"]
    assert len(shares) == 14
    assert {spec.scenario for spec in shares} == set(SCENARIOS)
    assert len(queries) == 6
    assert not {spec.place for spec in queries} & {spec.place for spec in shares}


def test_descriptions_tell_the_visible_fact_and_all_facts(plan: list[PhotoSpec]) -> None:
    for spec in plan:
        if spec.role == "query":
            assert spec.descriptions == spec.all_facts == ()
            continue
        phrase = SCENARIOS[spec.scenario].affiliation(spec.affiliation).phrase.lower()
        assert len(set(spec.descriptions)) == len(spec.descriptions) >= 3
        assert all(spec.identity.name in text for text in spec.descriptions + spec.all_facts)
        assert all(phrase in text.lower() for text in spec.descriptions)
        assert len(spec.all_facts) == 7


def test_a_spec_determines_its_photo(plan: list[PhotoSpec]) -> None:
    assert photo_bytes(plan[0]) == photo_bytes(plan[0])
    assert np.array_equal(render_photo(plan[0]), from_jpeg(photo_bytes(plan[0])))


def test_full_size_is_the_planned_size(plan: list[PhotoSpec]) -> None:
    pixels = render_photo(plan[1])
    assert pixels.dtype == np.uint8
    assert pixels.shape == (plan[1].height, plan[1].width, 3)
    assert all(min(size) >= 512 for size in FORMATS)


def test_a_small_rendering_looks_like_the_large_one(plan: list[PhotoSpec]) -> None:
    for spec in plan[:2]:
        small = render_photo(spec, 96).astype(float)
        shrunk = Image.fromarray(render_photo(spec)).resize(
            (small.shape[1], small.shape[0]), Image.Resampling.BICUBIC
        )
        assert np.abs(np.asarray(shrunk) - small).mean() < 9


def test_layout_shows_a_thing_large_enough_and_off_the_face() -> None:
    person = sample_identities(1, 6, "dev")[0]
    heights, overlaps = [], []
    for seed in range(3):
        for spec in plan_photos(person, sample_facts(seed, 0), seed, queries=2):
            _, layout = render_with_layout(spec, 64)
            assert (layout.thing is None) == (spec.role == "query")
            if layout.thing is None:
                continue
            left, top, right, bottom = layout.thing
            heights.append(bottom - top)
            across = min(right, layout.face[2]) - max(left, layout.face[0])
            down = min(bottom, layout.face[3]) - max(top, layout.face[1])
            area = (layout.face[2] - layout.face[0]) * (layout.face[3] - layout.face[1])
            overlaps.append(max(0.0, across) * max(0.0, down) / area)
    assert np.quantile(heights, 0.1) >= 0.22
    assert np.mean(heights) >= 0.3
    assert np.mean(overlaps) < 0.15


def local_deviation(pixels: np.ndarray) -> float:
    grey = pixels.astype(float).mean(axis=-1)
    rows, columns = grey.shape[0] // 8 * 8, grey.shape[1] // 8 * 8
    blocks = grey[:rows, :columns].reshape(rows // 8, 8, columns // 8, 8)
    return float(np.median(blocks.std(axis=(1, 3))))


def test_photos_have_texture_where_drawings_would_be_flat() -> None:
    person = sample_identities(1, 5, "dev")[0]
    for place in PLACES:
        spec = PhotoSpec(person, "query", "", "", place, 640, 640, seed=11)
        assert local_deviation(render_photo(spec, 512)) > 2.0, place


def test_rendering_for_training_is_fast(plan: list[PhotoSpec]) -> None:
    for spec in plan:
        render_photo(spec, 144)
    began = time.process_time()
    for spec in plan:
        render_photo(spec, 144)
    # About 20 ms on an idle core of 2024; the bound leaves room for a busy machine.
    assert (time.process_time() - began) / len(plan) < 0.08
