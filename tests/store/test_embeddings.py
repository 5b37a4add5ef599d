from __future__ import annotations

import numpy as np
import pytest
import torch

from fiftyone_dp2vl.encoders import load_encoder
from fiftyone_dp2vl.errors import Cancelled, ConfigError
from fiftyone_dp2vl.media import read_photo
from fiftyone_dp2vl.store import compute_embeddings


def test_embeddings_are_the_encoders_own(dataset, tiny_encoder):
    done = compute_embeddings(dataset, tiny_encoder, batch_size=5)
    assert (done.field, done.computed, done.kept) == ("dp2vl_tiny_clip_clean", 12, 0)
    encoder = load_encoder(tiny_encoder)
    for sample in dataset:
        image = torch.from_numpy(read_photo(sample.filepath).pixels).permute(2, 0, 1) / 255
        with torch.no_grad():
            expected = encoder([image]).pooled[0].numpy()
        np.testing.assert_allclose(sample[done.field], expected, atol=1e-5)


def test_what_is_there_is_kept_and_a_cancelled_call_is_resumed(dataset, tiny_encoder):
    asked = iter([False, False, True])
    with pytest.raises(Cancelled):
        compute_embeddings(dataset, tiny_encoder, batch_size=3, cancel=lambda: next(asked))
    assert len(dataset.exists("dp2vl_tiny_clip_clean")) == 6
    seen = []
    done = compute_embeddings(dataset, tiny_encoder, batch_size=4, progress=seen.append)
    assert (done.computed, done.kept) == (6, 6)
    assert [(p.done, p.total) for p in seen] == [(4, 6), (6, 6)]
    assert compute_embeddings(dataset, tiny_encoder, overwrite=True).computed == 12


def test_embeddings_of_other_weights_are_not_mixed(dataset, tiny_encoder, tmp_path):
    compute_embeddings(dataset, tiny_encoder, field="mine")
    field = dataset.get_field("mine")
    field.info = {**field.info, "weights_sha256": "0" * 64}
    field.save()
    with pytest.raises(ConfigError, match="embeddings of other weights"):
        compute_embeddings(dataset, tiny_encoder, field="mine")
    assert compute_embeddings(dataset, tiny_encoder, field="mine", overwrite=True).computed == 12
    with pytest.raises(ConfigError, match="holds StringField values"):
        compute_embeddings(dataset, tiny_encoder, field="identity")


def test_unreadable_photos_are_named(dataset, tiny_encoder, tmp_path):
    import fiftyone as fo

    path = tmp_path / "gone.png"
    dataset.add_samples([fo.Sample(filepath=str(path))])
    done = compute_embeddings(dataset, tiny_encoder)
    assert done.computed == 12
    ((key, reason),) = done.failed.items()
    assert key == dataset.last().id
    assert "gone.png" in reason


@pytest.mark.parametrize("size", [0, -1, "4"])
def test_a_batch_without_photos_is_refused(dataset, tiny_encoder, size):
    with pytest.raises(ConfigError, match=r"batch_size is .*: give a whole number of at least 1"):
        compute_embeddings(dataset, tiny_encoder, batch_size=size)
