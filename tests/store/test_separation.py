"""What a run did to its photos in an encoder's eyes: kept with the run, equal to the library's."""

from __future__ import annotations

import numpy as np
import pytest

from fiftyone_dp2vl import measure
from fiftyone_dp2vl.errors import DP2VLError, RunError
from fiftyone_dp2vl.store import delete_run, projection, protect_dataset
from fiftyone_dp2vl.store.analysis import analyse_run
from fiftyone_dp2vl.store.held_out import probe_people
from fiftyone_dp2vl.store.panels.points import colour_fields, load_points, plot_methods
from fiftyone_dp2vl.store.separation import FIGURES, load_separation, measure_separation


@pytest.fixture
def record(dataset, quick, tmp_path):
    return protect_dataset(
        dataset, "first", output_dir=str(tmp_path / "out"), group_field="identity", **quick
    )


def vectors(dataset, field):
    return np.stack(dataset.values(field))


def test_a_run_keeps_the_figures_that_the_library_computes(dataset, record):
    (encoder,) = record.protection.encoders
    found = load_separation(dataset, record)[encoder]
    before = vectors(dataset, record.names.clean_embedding(encoder))
    after = vectors(dataset, record.names.protected_embedding(encoder))
    people = dataset.values("identity")
    natural = measure.natural_cosine(before, people)
    apart = measure.linear_separability(before, after, people)
    mmd = measure.mmd_test(before, after, paired=True)
    labels = ["clean"] * 12 + ["protected"] * 12
    expected = {
        "paired_cosine": measure.paired_cosine(before, after).mean(),
        "natural_low": natural.low,
        "natural_median": natural.median,
        "natural_high": natural.high,
        "centroid_shift": measure.centroid_shift(before, after).relative,
        "directional_consistency": measure.directional_consistency(before, after),
        "probe_accuracy": apart.accuracy,
        "probe_p": apart.p_value,
        "mmd2": mmd.squared,
        "mmd2_p": mmd.p_value,
        "silhouette": measure.silhouette(np.concatenate([before, after]), labels),
    }
    assert {name: found.values[name] for name in expected} == pytest.approx(expected)
    assert set(FIGURES) <= set(found.values)
    assert found.surrogate
    assert (found.photos, found.tested) == (12, 12)
    assert found.values["identity_chance"] == pytest.approx(1 / 3)


def test_the_identity_probe_asks_about_clean_photos_that_were_not_protected(
    dataset, quick, tmp_path
):
    record = protect_dataset(
        dataset,
        "half",
        ratio=0.5,
        stratify=True,
        output_dir=str(tmp_path / "out"),
        group_field="identity",
        **quick,
    )
    (encoder,) = record.protection.encoders
    found = load_separation(dataset, record)[encoder]
    moved = [status == "protected" for status in dataset.values(record.names.status)]
    clean = vectors(dataset, record.names.clean_embedding(encoder))
    people = np.asarray(dataset.values("identity"))
    shared = np.stack(
        [v for v in dataset.values(record.names.protected_embedding(encoder)) if v is not None]
    )
    rows = np.asarray(moved)
    probe = measure.knn_probe(shared, people[rows], clean[~rows], people[~rows])
    assert found.values["identity_protected"] == pytest.approx(probe.accuracy)
    assert found.values["identity_queries"] == (~rows).sum()
    assert "not protected" in found.queries


def test_without_other_photos_no_photo_is_asked_about_that_was_trained_on():
    # photos that differ by noise only: whoever may look up the photo itself is always right,
    # whoever may not can only guess
    rng = np.random.default_rng(0)
    vectors, who = rng.normal(size=(200, 64)), [str(row % 2) for row in range(200)]
    found = probe_people(vectors, vectors, who, [], [])
    assert 0.3 < found.clean.accuracy < 0.7
    assert len(found.clean.truth) == 200


def test_figures_without_persons_say_why_they_are_missing(dataset, quick, tmp_path):
    record = protect_dataset(dataset, "nobody", output_dir=str(tmp_path / "out"), **quick)
    (encoder,) = record.protection.encoders
    found = load_separation(dataset, record)[encoder]
    assert "paired_cosine" in found.values
    for figure in ("natural_median", "identity_protected"):
        assert figure not in found.values
        assert "no field that says who" in found.missing[figure]


def test_figures_of_a_run_that_protected_nothing_say_so(dataset, quick, tmp_path):
    record = protect_dataset(dataset, "none", ratio=0, output_dir=str(tmp_path / "out"), **quick)
    (encoder,) = record.protection.encoders
    found = load_separation(dataset, record)[encoder]
    assert not found.values
    assert set(found.missing) == set(FIGURES)


def test_a_held_out_encoder_joins_a_run_and_goes_with_it(dataset, record):
    (own,) = record.protection.encoders
    before = set(dataset.get_field_schema())
    (found,) = analyse_run(dataset, "first", ["embedded"])
    assert not found.surrogate
    assert list(load_separation(dataset, record)) == [own, "embedded"]
    assert plot_methods(dataset, record, "embedded") == ["pca"]
    points = load_points(dataset, record, "embedded")
    assert points.protected.all()
    assert not np.allclose(points.clean, points.released)
    assert analyse_run(dataset, "first", ["embedded"]) == [found]
    assert load_separation(dataset, record)[own].values
    delete_run(dataset, "first")
    dataset.reload()
    assert not dataset.list_brain_runs()
    assert not dataset.list_runs()
    assert {name for name in dataset.get_field_schema() if "dp2vl" in name} == set()
    assert set(dataset.get_field_schema()) < before


def test_plots_that_were_deleted_are_made_again_by_measuring(dataset, record):
    (encoder,) = record.protection.encoders
    before = load_points(dataset, record, encoder)
    for key in dataset.list_brain_runs():
        dataset.delete_brain_run(key)
    assert load_points(dataset, record, encoder) is None
    analyse_run(dataset, "first")
    after = load_points(dataset, record, encoder)
    assert np.array_equal(after.clean, before.clean)
    assert np.array_equal(after.released, before.released)


def test_photos_that_were_deleted_have_no_points(dataset, record):
    (encoder,) = record.protection.encoders
    before = load_points(dataset, record, encoder)
    dataset.delete_samples(before.ids[:3])
    after = load_points(dataset, record, encoder)
    assert (after.ids, after.photos) == (before.ids[3:], 9)
    assert np.array_equal(after.released, before.released[3:])
    assert None not in after.fields["status"]


def test_photos_of_nobody_are_not_a_person(dataset, record):
    (encoder,) = record.protection.encoders
    field = {
        "clean_field": record.names.clean_embedding(encoder),
        "protected_field": record.names.protected_embedding(encoder),
    }
    people = dataset.values("identity")
    measured = []
    for blank in (None, ""):
        dataset.set_values("identity", [blank if who == "cy" else who for who in people])
        measured.append(measure_separation(dataset, record, encoder, **field))
    assert measured[0] == measured[1]
    assert measured[0].values["identity_chance"] == pytest.approx(1 / 2)
    rng = np.random.default_rng(0)
    points = rng.normal(size=(12, 8))
    found = probe_people(points, points, ["a", "a", "b", "b", *[""] * 8], [], [])
    assert set(found.protected.truth) == {"a", "b"}


def test_a_run_that_is_not_complete_is_not_measured(dataset, record):
    from fiftyone_dp2vl.store.records import save_run

    save_run(dataset, record, state="stopped")
    with pytest.raises(RunError, match="stopped"):
        analyse_run(dataset, "first")


def test_umap_that_is_not_installed_is_named(dataset, record, monkeypatch):
    monkeypatch.setattr(projection, "find_spec", lambda name: None)
    with pytest.raises(DP2VLError, match=r"UMAP is not installed: pip install"):
        analyse_run(dataset, "first", umap=True)


def test_umap_is_fitted_on_clean_photos_and_applied_to_protected_ones(dataset, record):
    pytest.importorskip("umap", reason="the extra umap is not installed")
    analyse_run(dataset, "first", umap=True)
    (encoder,) = record.protection.encoders
    assert plot_methods(dataset, record, encoder) == ["pca", "umap"]
    points = load_points(dataset, record, encoder, "umap")
    assert points.clean.shape == points.released.shape == (12, 2)
    assert (points.clean != points.released).any(axis=1).all()
    analyse_run(dataset, "first", umap=True)
    again = load_points(dataset, record, encoder, "umap")
    assert np.array_equal(again.clean, points.clean)
    assert np.array_equal(again.released, points.released)


def test_points_are_those_of_the_stored_plots(dataset, record):
    (encoder,) = record.protection.encoders
    points = load_points(dataset, record, encoder)
    stored = dataset.load_brain_results(record.brain_keys[1])
    assert np.allclose(points.released, stored.points)
    assert points.ids == [str(key) for key in stored.sample_ids]
    assert points.fields["identity"] == dataset.values("identity")
    assert points.fields["linf"] == dataset.values(record.names.linf)
    assert load_points(dataset, record, encoder) is points


def test_many_points_are_sampled_for_display_always_the_same(dataset, record, monkeypatch):
    from fiftyone_dp2vl.store.panels import points as panel_points

    monkeypatch.setattr(panel_points, "SHOWN", 5)
    monkeypatch.setattr(panel_points, "_plots", type(panel_points._plots)())
    (encoder,) = record.protection.encoders
    points = load_points(dataset, record, encoder)
    assert (len(points.ids), points.photos) == (5, 12)
    panel_points._plots.clear()
    assert load_points(dataset, record, encoder).ids == points.ids


def test_fields_to_colour_by_are_categories_and_numbers(dataset, record):
    import fiftyone as fo

    dataset.set_values("guess", [fo.Classification(label="a")] * 12)
    dataset.set_values("seen", [True] * 12)
    dataset.set_values("age", list(range(12)))
    fields = colour_fields(dataset)
    assert fields["identity"] == fields["guess.label"] == fields["seen"] == "category"
    assert fields["age"] == fields[record.names.psnr] == "number"
    assert record.names.path not in fields
    assert "filepath" not in fields


def test_measuring_twice_gives_the_same_figures(dataset, record):
    (encoder,) = record.protection.encoders
    names = record.names
    again = measure_separation(
        dataset,
        record,
        encoder,
        clean_field=names.clean_embedding(encoder),
        protected_field=names.protected_embedding(encoder),
    )
    assert again == load_separation(dataset, record)[encoder]


def test_many_photos_are_measured_in_seconds_not_by_every_pair():
    rng = np.random.default_rng(0)
    count = 6000
    who = [f"p{row // 3}" for row in range(count)]
    vectors = rng.normal(size=(count, 8))
    found = probe_people(vectors, vectors, who, [], [])
    assert len(found.clean.truth) <= 2000
    assert set(found.clean.truth) <= set(who)
