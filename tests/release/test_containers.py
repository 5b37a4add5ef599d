"""Stripping leaves pixels to the bit and nothing else, in each of the three containers."""

from __future__ import annotations

import contextlib
import io
import random

import numpy as np
import pytest
from PIL import Image, ImageCms, PngImagePlugin

from fiftyone_dp2vl.errors import PhotoError
from fiftyone_dp2vl.release.containers import pieces, strip
from fiftyone_dp2vl.release.metadata import metadata_findings


def loaded(kind: str, mode: str = "RGB", **settings) -> bytes:
    """An image file with everything in it that Pillow can write."""
    rng = np.random.default_rng(1)
    image = Image.fromarray(rng.integers(0, 255, (40, 60, 4), dtype=np.uint8)).convert(mode)
    exif = Image.Exif()
    exif[0x010F] = "Camera"
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    extra = {"exif": exif, "icc_profile": profile, **settings}
    if kind == "PNG":
        info = PngImagePlugin.PngInfo()
        info.add_text("Comment", "hello")
        extra["pnginfo"] = info
    else:
        extra["xmp"] = b"<x:xmpmeta/>"
    if kind == "JPEG":
        extra["comment"] = b"hello"
    stream = io.BytesIO()
    image.save(stream, kind, **extra)
    return stream.getvalue()


CASES = [
    ("PNG", "RGB", {}),
    ("PNG", "RGBA", {}),
    ("PNG", "P", {}),
    ("JPEG", "RGB", {}),
    ("JPEG", "L", {}),
    ("JPEG", "CMYK", {}),
    ("JPEG", "RGB", {"progressive": True}),
    ("WEBP", "RGB", {"lossless": True}),
    ("WEBP", "RGBA", {"lossless": True}),
    ("WEBP", "RGBA", {"quality": 60}),
]


@pytest.mark.parametrize(("kind", "mode", "settings"), CASES)
def test_pixels_stay_and_the_rest_goes(kind, mode, settings):
    data = loaded(kind, mode, **settings) + b"trailing"
    assert len(list(metadata_findings("x", data))) >= 3
    bare = strip(data)
    assert list(metadata_findings("x", bare)) == []
    before, after = Image.open(io.BytesIO(data)), Image.open(io.BytesIO(bare))
    assert after.mode == before.mode
    np.testing.assert_array_equal(np.asarray(before), np.asarray(after))
    assert not after.getexif()
    assert b"Camera" not in bare
    assert b"hello" not in bare
    assert strip(bare) == bare


@pytest.mark.parametrize(("kind", "mode", "settings"), CASES)
def test_damaged_files_are_refused_or_walked(kind, mode, settings):
    data = loaded(kind, mode, **settings)
    rng = random.Random(3)
    for _ in range(300):
        bad = bytearray(data)
        for _ in range(rng.randint(1, 8)):
            bad[rng.randrange(len(bad))] = rng.randrange(256)
        cut = bytes(bad[: rng.randint(0, len(bad))])
        with contextlib.suppress(PhotoError):
            assert sum(len(piece.raw) for piece in pieces(cut)) <= len(cut)


def test_other_formats_are_refused():
    with pytest.raises(PhotoError, match="not a PNG, JPEG or WebP"):
        strip(b"GIF89a")
