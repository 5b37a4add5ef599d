"""The compare panel over FiftyOne's own HTTP routes."""

from __future__ import annotations

import base64
import io
import os
from pathlib import Path

import numpy as np
import pytest
from panel_world import HELD_OUT, RUN
from PIL import Image

from fiftyone_dp2vl.media import read_photo
from fiftyone_dp2vl.store import load_run
from fiftyone_dp2vl.store.panels.photo import load_pair, visible_quality


@pytest.fixture
def photo(world):
    """A protected photo."""
    return world.exists(load_run(world, RUN).names.path).first()


@pytest.fixture
def panel(open_panel, photo):
    return open_panel("compare", current_sample=photo.id)


def pictures(panel):
    """Returns the pictures' pixels as the browser decodes them."""
    shown = []
    for trace in panel.data["pictures"]:
        content = base64.b64decode(trace["source"].partition(",")[2])
        shown.append(np.asarray(Image.open(io.BytesIO(content)).convert("RGB")))
    return shown


def test_original_protected_and_difference_are_shown_pixel_for_pixel(panel, photo, world):
    before = read_photo(photo.filepath).pixels
    after = read_photo(photo[load_run(world, RUN).names.path]).pixels
    first, second, difference = pictures(panel)
    assert np.array_equal(first, before)
    assert np.array_equal(second, after)
    for times in (1, 8, 32):
        panel.do("on_change_times", value=str(times))
        difference = pictures(panel)[2]
        expected = np.clip(128 + times * (after.astype(int) - before), 0, 255)
        assert np.array_equal(difference, expected)


def test_the_three_pictures_zoom_together_and_a_factor_keeps_the_zoom(panel):
    layout = panel.find("pictures")["view"]["layout"]
    assert [layout[f"xaxis{n}"]["matches"] for n in (2, 3)] == ["x", "x"]
    assert [layout[f"yaxis{n}"]["matches"] for n in (2, 3)] == ["y", "y"]
    panel.do("on_change_times", value="32")
    assert panel.find("pictures")["view"]["layout"]["uirevision"] == layout["uirevision"]


def test_the_figures_are_those_of_the_fields(panel, photo, world):
    record = load_run(world, RUN)
    names = record.names
    shown = panel.find("figures")["default"]
    assert f"{photo[names.linf]:g}/255" in shown
    assert f"{photo[names.psnr]:.1f} dB" in shown
    assert f"| SSIM | {photo[names.ssim]:.3f} |" in shown
    assert f"| Cosine, embedded | {photo[names.pooled_cosine('embedded')]:.3f} |" in shown
    assert f"**{visible_quality(photo[names.psnr], photo[names.ssim])}**" in shown
    assert "rule of thumb" in shown
    run = panel.find("run_facts")["default"]
    assert record.fingerprints["protection"] in run
    assert "| Strategy | auto, here erase |" in run
    assert "the whole photo" in run
    before, after = (
        np.asarray(photo[f"dp2vl_{RUN}_emb_{kind}_heldout"], dtype=float)
        for kind in ("clean", "protected")
    )
    cosine = before @ after / np.linalg.norm(before) / np.linalg.norm(after)
    assert f"| Cosine, heldout, held out | {cosine:.3f} |" in shown
    assert HELD_OUT not in shown


def test_another_photo_is_shown_when_it_is_opened(panel, world):
    other = world.exists(load_run(world, RUN).names.path).skip(1).first()
    panel.app = {"current_sample": other.id}
    panel.do("on_change_current_sample")
    assert np.array_equal(pictures(panel)[0], read_photo(other.filepath).pixels)


def test_photos_that_were_not_protected_say_so(open_panel, world):
    names = load_run(world, RUN).names
    clean = world.match({names.status: "clean"}).first()
    panel = open_panel("compare", current_sample=clean.id)
    assert "would be released clean" in panel.text()
    assert len(pictures(panel)) == 1
    outside = world.match_tags("query").first()
    panel = open_panel("compare", current_sample=outside.id)
    assert "not in the view that was protected" in panel.text()


def test_without_a_run_or_a_photo_it_helps(open_panel, dataset):
    panel = open_panel("compare", dataset, current_sample=dataset.first().id)
    assert "No run yet" in panel.text()
    ((_, given),) = panel.do("protect")
    assert given["operator_uri"].endswith("/protect")
    assert "No photo is open" in open_panel("compare").text()


def test_a_missing_file_is_named_in_a_sentence(open_panel, world, photo):
    names = load_run(world, RUN).names
    path = photo[names.path]
    photo[names.path] = path + ".gone"
    photo.save()
    try:
        panel = open_panel("compare", current_sample=photo.id)
        assert "is missing" in panel.find("problem")["view"]["label"]
    finally:
        photo[names.path] = path
        photo.save()


@pytest.mark.parametrize("how", ["absolute", "climbing", "link"])
def test_no_file_outside_the_run_is_shown(open_panel, world, photo, tmp_path, how):
    record = load_run(world, RUN)
    names, path = record.names, photo[record.names.path]
    secret = tmp_path / "secret.png"
    Image.fromarray(read_photo(photo.filepath).pixels).save(secret)
    link = Path(path).with_name("link.png")
    there = {
        "absolute": str(secret),
        "climbing": os.path.join(record.directory, os.path.relpath(secret, record.directory)),
        "link": str(link),
    }
    link.symlink_to(secret)
    photo[names.path] = there[how]
    photo.save()
    try:
        panel = open_panel("compare", current_sample=photo.id)
        assert "is not in the folder of run" in panel.find("problem")["view"]["label"]
        assert not panel.data.get("pictures")
    finally:
        link.unlink()
        photo[names.path] = path
        photo.save()


@pytest.mark.parametrize(
    ("psnr", "ssim", "grade"),
    [
        (41, 0.96, "high"),
        (None, 1.0, "high"),
        (41, 0.9, "medium"),
        (36, 0.92, "medium"),
        (34, 0.99, "low"),
        (36, 0.8, "low"),
        (40, None, None),
    ],
)
def test_the_grade_is_the_stated_rule(psnr, ssim, grade):
    assert visible_quality(psnr, ssim) == grade


def test_large_photos_are_shown_smaller(tmp_path):
    path = tmp_path / "large.png"
    Image.fromarray(np.zeros((1500, 3000, 3), dtype=np.uint8)).save(path)
    before, after = load_pair(str(path), None)
    assert before.pixels.shape == (512, 1024, 3)
    assert before.scale == pytest.approx(1024 / 3000)
    assert after is None


@pytest.fixture
def protected(dataset, quick, tmp_path):
    from fiftyone_dp2vl.store import protect_dataset

    dataset.set_values("mine", dataset.values("filepath"))
    out = str(tmp_path / "one")
    protect_dataset(dataset, "one", output_dir=out, filepath_field="mine", **quick)
    return dataset


def test_an_original_that_was_changed_since_is_named_in_a_sentence(open_panel, protected, tmp_path):
    sample = protected.first()
    turned = tmp_path / "turned.png"
    Image.open(sample.mine).transpose(Image.Transpose.ROTATE_90).save(turned)
    sample["mine"] = str(turned)
    sample.save()
    panel = open_panel("compare", protected, current_sample=sample.id)
    told = panel.find("problem")["view"]["label"]
    assert "is 64 x 80 pixels and its protected copy 80 x 64: the original was changed" in told


@pytest.mark.parametrize("how", ["removed", "emptied"])
def test_an_original_that_no_field_names_is_told_in_a_sentence(open_panel, protected, how):
    if how == "removed":
        protected.delete_sample_field("mine")
    else:
        protected.clear_sample_field("mine")
    panel = open_panel("compare", protected, current_sample=protected.first().id)
    assert "field 'mine'" in panel.find("problem")["view"]["label"]


def test_a_complete_run_is_shown_before_one_that_stopped(open_panel, protected, quick, tmp_path):
    from stopping import stop_after

    from fiftyone_dp2vl.errors import Cancelled
    from fiftyone_dp2vl.store import protect_dataset

    with pytest.raises(Cancelled):
        protect_dataset(
            protected, "two", output_dir=str(tmp_path / "two"), cancel=stop_after(31), **quick
        )
    panel = open_panel("compare", protected, current_sample=protected.first().id)
    assert panel.state["controls"]["run"] == "one"
    panel.do("on_change_run", value="two")
    assert "Run two is not finished" in panel.text()
    assert "not in the view" not in panel.text()
