"""Controls: hidden faces, and files that are written once and whole."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fiftyone_dp2vl.attack import AlbumPhoto, AttackAlbum
from fiftyone_dp2vl.attack.changes import Pixels
from fiftyone_dp2vl.attack.controls import changed_photos, rmse_between
from fiftyone_dp2vl.attack.face import (
    Box,
    blurred_faces,
    face_boxes,
    pixelated_faces,
    register_face_detector,
)
from fiftyone_dp2vl.errors import Cancelled
from fiftyone_dp2vl.measure.features import Change

BOX: Box = (0.25, 0.2, 0.75, 0.8)


@pytest.fixture
def noise() -> Pixels:
    return np.random.default_rng(0).integers(0, 256, (60, 80, 3)).astype(np.uint8)


@pytest.fixture
def no_detector() -> Iterator[None]:
    yield
    register_face_detector(None)


@pytest.mark.parametrize("hide", [blurred_faces, pixelated_faces])
def test_only_the_face_is_hidden(hide: type, noise: Pixels) -> None:
    change: Change = hide({"a": BOX})
    out = change(noise, "a")
    changed = (out != noise).any(axis=2)
    inside = np.zeros((60, 80), dtype=bool)
    inside[12:48, 20:60] = True
    assert not changed[~inside].any()
    assert changed[inside].mean() > 0.9
    # far less is left of the face than there was
    assert out[12:48, 20:60].std() < 0.5 * noise[12:48, 20:60].std()
    np.testing.assert_array_equal(change(noise, "b"), noise)


def test_a_pixelated_face_has_eight_blocks(noise: Pixels) -> None:
    out = pixelated_faces({"a": BOX})(noise, "a")[12:48, 20:60]
    colours = len(np.unique(out[0], axis=0))
    assert colours == 8


def test_a_box_outside_the_photo_hides_nothing(noise: Pixels) -> None:
    np.testing.assert_array_equal(blurred_faces({"a": (1.2, 0, 1.4, 1)})(noise, "a"), noise)


@pytest.mark.usefixtures("no_detector")
def test_known_boxes_first_then_the_detector(album: AttackAlbum) -> None:
    first, *rest = album.of("share")
    photos = [replace(first, face=BOX), *rest]
    assert face_boxes(photos) == {first.key: BOX}
    asked: list[tuple[int, ...]] = []

    def detect(pixels: Pixels) -> Box | None:
        asked.append(pixels.shape)
        return None if len(asked) == 1 else (0.0, 0.0, 1.0, 1.0)

    register_face_detector(detect)
    found = face_boxes(photos)
    assert len(asked) == len(rest)
    assert set(found) == {photo.key for photo in photos} - {rest[0].key}
    assert found[first.key] == BOX


def test_changed_photos_are_written_once(album: AttackAlbum, tmp_path: Path) -> None:
    calls: list[str] = []

    def invert(pixels: Pixels, key: str) -> Pixels:
        calls.append(key)
        return 255 - pixels

    photos = album.of("share")
    made = changed_photos(photos, invert, {"name": "invert"}, tmp_path / "made")
    assert calls == [photo.key for photo in photos]
    for photo, new in zip(photos, made, strict=True):
        assert new == replace(photo, path=new.path)
        clean = np.asarray(Image.open(photo.path).convert("RGB"))
        np.testing.assert_array_equal(np.asarray(Image.open(new.path)), 255 - clean)
    again = changed_photos(photos, invert, {"name": "invert"}, tmp_path / "made")
    assert again == made
    assert len(calls) == len(photos)
    changed_photos(photos, invert, {"name": "other"}, tmp_path / "made")
    assert len(calls) == 2 * len(photos)


def test_a_stopped_control_goes_on(album: AttackAlbum, tmp_path: Path) -> None:
    calls: list[str] = []

    def same(pixels: Pixels, key: str) -> Pixels:
        calls.append(key)
        return pixels

    def stop() -> None:
        if len(calls) == 3:
            raise Cancelled("stopped")

    photos = album.of("share")
    with pytest.raises(Cancelled):
        changed_photos(photos, same, {}, tmp_path / "made", cancel=stop)
    changed_photos(photos, same, {}, tmp_path / "made")
    assert calls == [photo.key for photo in photos]


def test_rmse_between_photos(album: AttackAlbum, tmp_path: Path) -> None:
    photos: list[AlbumPhoto] = album.of("share")[:2]
    pixels = np.asarray(Image.open(photos[0].path).convert("RGB")).astype(int)
    up = np.where(pixels < 128, pixels + 6, pixels - 6).astype(np.uint8)
    path = tmp_path / "up.png"
    Image.fromarray(up).save(path)
    assert rmse_between(photos, {photos[0].key: path}) == {photos[0].key: 6.0, photos[1].key: 0.0}
