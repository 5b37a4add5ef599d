"""Everybody protects their own album, with nobody else's photos: what is left to learn?"""

from __future__ import annotations

import numpy as np
import pytest

from fiftyone_dp2vl.config import OutputConfig, ProtectionConfig, SelectionConfig
from fiftyone_dp2vl.encoders import load_encoder
from fiftyone_dp2vl.measure.features import embed_files
from fiftyone_dp2vl.runs import PhotoItem, protect_photos

pytest.importorskip("dicebear")

PEOPLE = 3


@pytest.fixture(scope="module")
def people(tmp_path_factory):
    from fiftyone_dp2vl.benchmark import generate_benchmark

    folder = tmp_path_factory.mktemp("albums")
    return generate_benchmark(
        folder, people=PEOPLE, seed=31, split="dev", photos_per_scenario=1, queries=0, workers=1
    )


def test_erase_leaves_nothing_of_anybody(people, tmp_path):
    """Pulled to zero, not beyond: what is left would be read, and its reversal by inversion."""
    encoder = load_encoder("embedded")
    names = sorted({photo.identity for photo in people.photos})
    items = {
        name: [
            PhotoItem(photo.filename, people.path(photo), name)
            for photo in people.photos
            if photo.identity == name
        ]
        for name in names
    }
    runs = {
        name: protect_photos(
            items[name],
            tmp_path / name,
            ProtectionConfig(strategy="erase"),
            SelectionConfig(),
            OutputConfig(),
            encoders=[encoder],
        )
        for name in names
    }
    clean = [embed_files([item.path for item in items[name]], encoder) for name in names]
    moved = [embed_files([r.path for r in runs[name].records], encoder) for name in names]
    for space in ("pooled", "mean token"):
        before, after = (
            np.stack([features.space(space).mean(axis=0) for features in album])
            for album in (clean, moved)
        )
        before, after = before - before.mean(axis=0), after - after.mean(axis=0)
        # the share of what tells each person from the others that is still there
        left = (before * after).sum(axis=1) / (before * before).sum(axis=1)
        assert np.abs(left).max() < 0.3
        assert np.abs(left).mean() < 0.15
