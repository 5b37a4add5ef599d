"""Written files: exact, atomic, never over another's, and as silent as the policy says."""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import PIL
import pytest
from PIL import Image, PngImagePlugin
from PIL.ExifTags import GPS, IFD, Base

from fiftyone_dp2vl.config import OutputConfig
from fiftyone_dp2vl.errors import PhotoError, RunError
from fiftyone_dp2vl.media import (
    SUFFIXES,
    Photo,
    check_output_folder,
    read_back,
    read_photo,
    remove_leftovers,
    write_photo,
)

RNG = np.random.default_rng(7)


def _photo(mode: str, height: int = 33, width: int = 47) -> Photo:
    shape = (height, width, 3) if mode.startswith("RGB") else (height, width)
    alpha = RNG.integers(0, 256, (height, width), dtype=np.uint8) if mode.endswith("A") else None
    return Photo(pixels=RNG.integers(0, 256, shape, dtype=np.uint8), alpha=alpha)


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA"])
@pytest.mark.parametrize("kind", ["png", "webp"])
def test_lossless_formats_are_exact(tmp_path: Path, mode: str, kind: str) -> None:
    photo = _photo(mode)
    path = tmp_path / f"new/folder/a{SUFFIXES[kind]}"
    written = write_photo(photo, path, OutputConfig(format=kind))
    back = read_back(path, photo)
    assert back.mode == mode
    np.testing.assert_array_equal(back.pixels, photo.pixels)
    if photo.alpha is not None:
        np.testing.assert_array_equal(back.alpha, photo.alpha)
    assert written.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert written.bytes == path.stat().st_size
    assert os.listdir(path.parent) == [path.name]


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_jpeg_is_full_colour_and_close(tmp_path: Path, mode: str) -> None:
    y, x = np.mgrid[0:64, 0:64]
    pixels = np.stack([x * 3, y * 3, x + y], axis=-1).astype(np.uint8)
    photo = Photo(pixels=pixels if mode == "RGB" else pixels[..., 0])
    write_photo(photo, tmp_path / "a.jpg", OutputConfig(format="jpeg"))
    back = read_back(tmp_path / "a.jpg", photo)
    assert np.abs(back.pixels.astype(int) - photo.pixels).max() <= 12
    with Image.open(tmp_path / "a.jpg") as image:
        assert all(sampling[1:3] == (1, 1) for sampling in image.layer)


def test_jpeg_refuses_transparency_and_a_wrong_suffix(tmp_path: Path) -> None:
    with pytest.raises(PhotoError, match="transparency"):
        write_photo(_photo("RGBA"), tmp_path / "a.jpg", OutputConfig(format="jpeg"))
    with pytest.raises(ValueError, match="png"):
        write_photo(_photo("RGB"), tmp_path / "a.jpg", OutputConfig())
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize("links", [True, False], ids=["links", "no-links"])
def test_an_existing_file_is_never_written_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, links: bool
) -> None:
    if not links:

        def refuse(*args: object) -> None:
            raise OSError(95, "not supported")

        monkeypatch.setattr(os, "link", refuse)
    path = tmp_path / "a.png"
    path.write_bytes(b"another run's")
    with pytest.raises(PhotoError) as caught:
        write_photo(_photo("RGB"), path, OutputConfig())
    assert caught.value.code == "exists"
    assert path.read_bytes() == b"another run's"
    assert os.listdir(tmp_path) == ["a.png"]
    write_photo(_photo("RGB"), path, OutputConfig(), replace=True)
    write_photo(_photo("RGB"), tmp_path / "b.png", OutputConfig())
    assert sorted(os.listdir(tmp_path)) == ["a.png", "b.png"]


def test_a_failed_write_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_photo(_photo("RGB"), tmp_path / "a.png", OutputConfig())
    assert not any(tmp_path.iterdir())


def test_leftovers_of_killed_writers_are_removed(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub/.dp2vl-0123.part").touch()
    (tmp_path / "sub/a.part").touch()
    remove_leftovers(tmp_path)
    assert os.listdir(tmp_path / "sub") == ["a.part"]


@pytest.mark.parametrize("mode", ["LA", "RGBA"])
def test_an_opaque_alpha_channel_that_webp_leaves_out_is_given_back(
    tmp_path: Path, mode: str
) -> None:
    photo = _photo(mode)
    opaque = replace(photo, alpha=np.full_like(photo.alpha, 255))
    write_photo(opaque, tmp_path / "a.webp", OutputConfig(format="webp"))
    back = read_back(tmp_path / "a.webp", opaque)
    assert back.mode == mode
    np.testing.assert_array_equal(back.pixels, opaque.pixels)
    np.testing.assert_array_equal(back.alpha, opaque.alpha)
    with pytest.raises(PhotoError, match="another size or mode"):
        read_back(tmp_path / "a.webp", photo)


@pytest.mark.parametrize("shape", [(65501, 16, 3), (16, 65501, 3)])
def test_jpeg_refuses_a_side_that_it_cannot_hold(
    tmp_path: Path, shape: tuple[int, int, int]
) -> None:
    photo = Photo(pixels=np.zeros(shape, np.uint8))
    with pytest.raises(PhotoError, match="JPEG ends at 65500") as caught:
        write_photo(photo, tmp_path / "a.jpg", OutputConfig(format="jpeg"))
    assert caught.value.code == "too-large-for-jpeg"
    fits = Photo(pixels=photo.pixels[:65500, :65500])
    write_photo(fits, tmp_path / "a.jpg", OutputConfig(format="jpeg"))


def test_read_back_notices_another_photo(tmp_path: Path) -> None:
    photo = _photo("RGBA")
    write_photo(photo, tmp_path / "a.png", OutputConfig())
    for other, code in ((_photo("RGBA"), "changed-alpha"), (_photo("RGB"), "changed-shape")):
        with pytest.raises(PhotoError) as caught:
            read_back(tmp_path / "a.png", other)
        assert caught.value.code == code


SECRET = b"\xff\xd8\xff clean preview"


@pytest.fixture
def talkative(tmp_path: Path) -> Photo:
    """A photo whose file says who, where and when, and carries previews of itself."""
    exif = Image.Exif()
    exif[Base.Make], exif[Base.Orientation], exif[Base.Artist] = "Camera", 6, "A. Person"
    exif[0xC4A5] = b"unknown"
    exif.get_ifd(IFD.Exif).update({Base.DateTimeOriginal: "2026:01:02 03:04:05"})
    exif.get_ifd(IFD.Exif)[Base.MakerNote] = SECRET
    exif.get_ifd(IFD.Exif)[Base.UserComment] = b"\0" * 5000
    exif.get_ifd(IFD.GPSInfo).update({1: "N", 2: (59.0, 20.0, 0.0)})
    if int(PIL.__version__.partition(".")[0]) >= 13:  # older ones cannot write a second directory
        thumbnail = io.BytesIO()
        Image.new("RGB", (16, 16)).save(thumbnail, "JPEG")
        exif.get_ifd(IFD.IFD1).update({0x0201: 0, 0x0202: len(thumbnail.getvalue())})
    xmp = (
        b'<x:xmpmeta><rdf:Description tiff:Orientation="6" exif:GPSLatitude="59,20N"/></x:xmpmeta>'
    )
    image = Image.fromarray(RNG.integers(0, 256, (32, 48, 3), dtype=np.uint8))
    path = tmp_path / "talkative.jpg"
    image.save(path, exif=exif, xmp=xmp, comment=b"a comment", dpi=(300, 300))
    return read_photo(path)


@pytest.mark.parametrize("kind", ["png", "webp", "jpeg"])
@pytest.mark.parametrize("policy", ["strip", "keep", "keep-no-gps"])
def test_metadata_policy(tmp_path: Path, talkative: Photo, kind: str, policy: str) -> None:
    path = tmp_path / f"a{SUFFIXES[kind]}"
    write_photo(talkative, path, OutputConfig(format=kind, metadata=policy))
    data = path.read_bytes()
    assert SECRET not in data
    assert b"a comment" not in data
    with Image.open(path) as image:
        image.load()
        exif, xmp = image.getexif(), image.info.get("xmp")
        assert "icc_profile" not in image.info
        assert image.size == (32, 48)
    camera, places = exif.get_ifd(IFD.Exif), exif.get_ifd(IFD.GPSInfo)
    if policy == "strip":
        assert (dict(exif), xmp) == ({}, None)
        return
    assert exif[Base.Make] == "Camera"
    assert exif[Base.Orientation] == 1
    assert 0xC4A5 not in exif
    assert camera[Base.DateTimeOriginal] == "2026:01:02 03:04:05"
    assert (camera[Base.ExifImageWidth], camera[Base.ExifImageHeight]) == (32, 48)
    assert Base.MakerNote not in camera
    assert Base.UserComment not in camera
    assert not exif.get_ifd(IFD.IFD1)
    assert bool(places) == (policy == "keep")
    assert (xmp is not None) == (policy == "keep")
    if xmp is not None:
        assert b'tiff:Orientation="1"' in xmp
    np.testing.assert_array_equal(read_photo(path).pixels.shape, talkative.pixels.shape)


def test_xmp_with_a_preview_stays_behind(tmp_path: Path, talkative: Photo) -> None:
    xmp = b"<x:xmpmeta><xmp:Thumbnails>/9j/4AAQ</xmp:Thumbnails></x:xmpmeta>"
    path = tmp_path / "b.jpg"
    Image.fromarray(talkative.pixels).save(path, xmp=xmp)
    write_photo(read_photo(path), tmp_path / "a.png", OutputConfig(metadata="keep"))
    assert b"Thumbnails" not in (tmp_path / "a.png").read_bytes()


@pytest.fixture
def camera_says(tmp_path: Path) -> Callable[..., dict[int, object]]:
    """What a protected file says of the camera, by what its original says."""

    def said(policy: str = "keep", ifd: IFD = IFD.Exif, **tags: object) -> dict[int, object]:
        exif = Image.Exif()
        names = GPS if ifd == IFD.GPSInfo else Base
        exif.get_ifd(ifd).update({names[name]: value for name, value in tags.items()})
        exif.get_ifd(ifd)[0xFE00] = "unknown"
        Image.new("RGB", (20, 20)).save(tmp_path / "said.jpg", exif=exif)
        photo = read_photo(tmp_path / "said.jpg")
        write_photo(photo, tmp_path / "a.png", OutputConfig(metadata=policy), replace=True)
        with Image.open(tmp_path / "a.png") as image:
            return dict(image.getexif().get_ifd(ifd))

    return said


def test_camera_tags_travel_by_name(camera_says: Callable[..., dict[int, object]]) -> None:
    said = camera_says(
        "keep-no-gps",
        FNumber=2.8,
        LensModel="a lens",
        OffsetTime="+01:00",
        BodySerialNumber="1234",
        LensSerialNumber="5678",
        CameraOwnerName="A. Person",
        ImageUniqueID="abcd",
        UserComment=b"ASCII\0\0\0at 59.3 N, 18.0 E",
    )
    size = {Base.ColorSpace: 1, Base.ExifImageWidth: 20, Base.ExifImageHeight: 20}
    assert said == {**size, Base.FNumber: 2.8, Base.LensModel: "a lens", Base.OffsetTime: "+01:00"}


@pytest.mark.parametrize("value", ["x" * 5000, (1.0,) * 1000], ids=["text", "numbers"])
def test_long_values_stay_behind_whatever_their_type(
    camera_says: Callable[..., dict[int, object]], value: object
) -> None:
    tag = "LensModel" if isinstance(value, str) else "LensSpecification"
    assert Base[tag] not in camera_says(**{tag: value})
    place = "GPSAreaInformation" if isinstance(value, str) else "GPSLatitude"
    assert camera_says(ifd=IFD.GPSInfo, **{place: value, "GPSLatitudeRef": "N"}) == {1: "N"}


def test_what_jpeg_cannot_hold_is_left_behind_and_said(tmp_path: Path) -> None:
    exif = Image.Exif()
    texts = (Base.ImageDescription, Base.Make, Base.Model, Base.Software, Base.Artist)
    exif.update(dict.fromkeys((*texts, Base.HostComputer, Base.Copyright), "x" * 4000))
    wide = (Base.XPTitle, Base.XPComment, Base.XPAuthor, Base.XPKeywords, Base.XPSubject)
    exif.update(dict.fromkeys(wide, b"x\0" * 2000))
    texts = (Base.SpectralSensitivity, Base.OffsetTime, Base.LensMake, Base.LensModel)
    exif.get_ifd(IFD.Exif).update(dict.fromkeys((*texts, Base.SubsecTime), "x" * 4000))
    xmp = PngImagePlugin.PngInfo()
    xmp.add_itxt("XML:com.adobe.xmp", "<x:xmpmeta>" + "<a>hello</a>" * 6000 + "</x:xmpmeta>")
    Image.new("RGB", (20, 20)).save(tmp_path / "a.png", exif=exif, pnginfo=xmp)
    photo = read_photo(tmp_path / "a.png")
    output = OutputConfig(format="jpeg", metadata="keep")
    notes = write_photo(photo, tmp_path / "a.jpg", output).notes
    assert [note.split(" is ")[0] for note in notes] == ["the EXIF block", "the XMP packet"]
    with Image.open(tmp_path / "a.jpg") as image:
        assert not image.getexif()
        assert "xmp" not in image.info
    written = write_photo(photo, tmp_path / "b.png", OutputConfig(metadata="keep"))
    assert written.notes == ()
    assert read_photo(tmp_path / "b.png").metadata.xmp == photo.metadata.xmp


def test_places(tmp_path: Path) -> None:
    source = tmp_path / "photos/holiday/a.jpg"
    source.parent.mkdir(parents=True)
    source.touch()
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "photos/holiday")
    (elsewhere / "linked.jpg").symlink_to(source)
    check_output_folder(tmp_path / "photos-protected", [source])
    check_output_folder(tmp_path / "photos/other", [source])
    for folder in ("photos/holiday", "photos/holiday/out", "photos", "link/out", "."):
        with pytest.raises(RunError, match="beside the originals"):
            check_output_folder(tmp_path / folder, [source])
    with pytest.raises(RunError, match="beside the originals"):
        check_output_folder(tmp_path / "photos/holiday/out", [elsewhere / "linked.jpg"])
    (elsewhere / "broken.jpg").symlink_to("/no-such-photo.jpg")
    check_output_folder(tmp_path / "out", [elsewhere / "broken.jpg"])
    with pytest.raises(RunError, match="one inside the other"):
        check_output_folder(elsewhere / "out", [elsewhere / "broken.jpg"])
