"""A run whose fields somebody removed: what can be said without them is said, the rest refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from fiftyone_dp2vl.errors import RunError
from fiftyone_dp2vl.store import attack_album, plan_release, protect_dataset
from fiftyone_dp2vl.store.analysis import analyse_run
from fiftyone_dp2vl.store.attack import _facts
from fiftyone_dp2vl.store.records import ProtectionRun
from fiftyone_dp2vl.store.release.audit import private_set


@pytest.fixture
def record(dataset: Any, quick: dict[str, Any], tmp_path: Path) -> ProtectionRun:
    return protect_dataset(
        dataset, "first", output_dir=str(tmp_path / "out"), group_field="identity", **quick
    )


def test_missing_figures_are_no_figures(dataset, record):
    (encoder,) = record.protection.encoders
    names = record.names
    dataset.delete_sample_fields([names.linf, names.psnr, names.token_cosine(encoder)])
    quality = _facts(dataset, record, [dataset.first().id])["quality"]
    assert set(quality) == {"median_ssim", "worst_ssim"}
    photos = private_set(dataset, record).photos
    assert [(photo.linf, dict(photo.cosines)) for photo in photos] == [(None, {})] * 12


@pytest.mark.parametrize("which", ["path", "status"])
def test_what_says_which_photos_are_protected_is_needed(dataset, record, which):
    field = getattr(record.names, which)
    dataset.delete_sample_field(field)
    words = f"field '{field}' of run 'first' was removed: dp2vl doctor --repair"
    for ask in (
        lambda: analyse_run(dataset, "first"),
        lambda: plan_release(dataset, "first"),
        lambda: private_set(dataset, record),
    ):
        with pytest.raises(RunError, match=words):
            ask()
    if which == "path":
        with pytest.raises(RunError, match=words):
            attack_album(dataset, identity="identity", run="first")


def test_a_surrogates_embeddings_are_needed_to_measure_it(dataset, record):
    (encoder,) = record.protection.encoders
    field = record.names.protected_embedding(encoder)
    dataset.delete_sample_field(field)
    with pytest.raises(RunError, match=f"field '{field}' of run 'first' was removed"):
        analyse_run(dataset, "first")
    assert analyse_run(dataset, "first", ["embedded"])
