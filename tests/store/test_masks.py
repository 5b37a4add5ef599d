from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from fiftyone_dp2vl.errors import ConfigError, PhotoError
from fiftyone_dp2vl.store import protect_dataset
from fiftyone_dp2vl.store.masks import LabelMask, label_masks


def test_boxes_are_united_and_cover_what_they_touch():
    import fiftyone as fo

    label = fo.Detections(
        detections=[
            fo.Detection(bounding_box=[0.0, 0.0, 0.25, 0.5]),
            fo.Detection(bounding_box=[0.5, 0.5, 0.30, 0.5]),
        ]
    )
    mask = LabelMask(label, "faces")(4, 8)
    assert mask[:2, :2].all()
    assert mask[2:, 4:7].all()
    assert mask.sum() == 4 + 6


def test_instance_masks_are_drawn_in_their_box():
    import fiftyone as fo

    inner = np.array([[True, False], [False, True]])
    label = fo.Detection(bounding_box=[0.5, 0, 0.5, 1], mask=inner)
    mask = LabelMask(label, "faces")(4, 8)
    assert not mask[:, :4].any()
    assert mask[:2, 4:6].all()
    assert mask[2:, 6:].all()
    assert mask.sum() == 8


def test_segmentations_are_scaled_to_the_photo(tmp_path):
    import fiftyone as fo

    classes = np.array([[0, 3], [0, 0]], dtype=np.uint8)
    path = tmp_path / "mask.png"
    Image.fromarray(classes).save(path)
    for label in (fo.Segmentation(mask=classes), fo.Segmentation(mask_path=str(path))):
        mask = LabelMask(label, "parts")(4, 4)
        assert mask[:2, 2:].all()
        assert mask.sum() == 4


def test_a_photo_without_a_mark_is_never_released_silently():
    import fiftyone as fo

    for label in (None, fo.Detections(), fo.Segmentation()):
        with pytest.raises(PhotoError, match="marks nothing") as error:
            LabelMask(label, "faces")(4, 4)
        assert error.value.code == "empty-mask"


def test_a_field_of_another_kind_is_refused(dataset):
    with pytest.raises(ConfigError, match="'identity' is of type StringField"):
        label_masks(dataset, "identity")


def test_only_what_is_marked_changes(dataset, quick, tmp_path):
    import fiftyone as fo

    box = fo.Detection(label="face", bounding_box=[0.25, 0.25, 0.5, 0.5])
    marks = [fo.Detections(detections=[box])] * 11 + [None]
    dataset.set_values("faces", marks)
    record = protect_dataset(
        dataset, "one", mask_field="faces", output_dir=str(tmp_path / "out"), **quick
    )
    assert record.counts == {"protected": 11, "clean": 0, "failed": 1}
    for sample in dataset.match({record.names.status: "protected"}):
        before = np.asarray(Image.open(sample.filepath).convert("RGB")).astype(int)
        after = np.asarray(Image.open(sample[record.names.path])).astype(int)
        changed = (before != after).any(axis=2)
        inside = np.zeros_like(changed)
        inside[16:48, 20:60] = True
        assert changed.any()
        assert not (changed & ~inside).any()
