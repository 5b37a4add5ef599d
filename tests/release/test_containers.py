"""Stripping leaves pixels to the bit and nothing else, in each of the three containers."""

from __future__ import annotations

import contextlib
import io
import itertools
import random
import struct
import zlib

import numpy as np
import pytest
from PIL import Image, ImageCms, PngImagePlugin

from fiftyone_dp2vl.errors import PhotoError
from fiftyone_dp2vl.release.containers import pieces, strip
from fiftyone_dp2vl.release.metadata import metadata_findings
from fiftyone_dp2vl.release.vp8 import partitions


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


def plain(kind: str, mode: str = "RGB", size: tuple[int, int] = (40, 60), **settings) -> bytes:
    rng = np.random.default_rng(4)
    image = Image.fromarray(rng.integers(0, 255, (*size, 4), dtype=np.uint8)).convert(mode)
    stream = io.BytesIO()
    image.save(stream, kind, **settings)
    return stream.getvalue()


SECRET = Image.fromarray(np.full((64, 64, 3), 77, dtype=np.uint8))


def secret(kind: str, **settings) -> bytes:
    stream = io.BytesIO()
    SECRET.save(stream, kind, **settings)
    return stream.getvalue()


def shown(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)))


def png_of(*chunks: tuple[bytes, bytes]) -> bytes:
    body = b"".join(
        struct.pack(">I", len(held)) + name + held + struct.pack(">I", zlib.crc32(name + held))
        for name, held in chunks
    )
    return b"\x89PNG\r\n\x1a\n" + body


def webp_of(*chunks: tuple[bytes, bytes]) -> bytes:
    body = b"WEBP" + b"".join(
        name + struct.pack("<I", len(held)) + held + bytes(len(held) % 2) for name, held in chunks
    )
    return b"RIFF" + struct.pack("<I", len(body)) + body


def chunks_of(data: bytes) -> list[tuple[bytes, bytes]]:
    return [(f"{p.name:<4}".encode(), p.data) for p in pieces(data)]


def checked(data: bytes, bare: bytes) -> None:
    """What was planted is found, and goes by stripping; pixels stay."""
    assert {f.code for f in metadata_findings("x", data)} >= {"hidden-data"}
    np.testing.assert_array_equal(shown(data), shown(bare))
    assert strip(data) == bare
    assert list(metadata_findings("x", bare)) == []


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
@pytest.mark.parametrize("quality", [5, 75, 100])
@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"optimize": True},
        {"progressive": True},
        {"subsampling": 0},
        {"subsampling": 1},
        {"restart_marker_blocks": 3},
        {"restart_marker_rows": 1, "progressive": True},
    ],
)
def test_every_jpeg_ends_where_its_scans_do(mode, quality, settings):
    for size in ((40, 60), (17, 33), (1, 1), (64, 16)):
        data = plain("JPEG", mode, size, quality=quality, **settings)
        assert list(metadata_findings("x", data)) == []
        assert strip(data) == data


def test_flat_and_smooth_jpegs_end_where_their_scans_do():
    ramp = np.linspace(0, 255, 300).astype(np.uint8)
    for pixels in (np.zeros((300, 300), np.uint8), np.broadcast_to(ramp, (300, 300)).copy()):
        for settings in ({}, {"progressive": True}, {"progressive": True, "quality": 100}):
            stream = io.BytesIO()
            Image.fromarray(pixels).convert("RGB").save(stream, "JPEG", **settings)
            assert strip(stream.getvalue()) == stream.getvalue()


def jpeg_with_a_scan_a_channel() -> bytes:
    """A sequential JPEG of three scans, which Pillow reads and does not write."""
    rng = np.random.default_rng(8)
    parts = []
    for _ in range(3):
        stream = io.BytesIO()
        Image.fromarray(rng.integers(0, 255, (24, 40), dtype=np.uint8)).save(stream, "JPEG")
        parts.append(list(pieces(stream.getvalue())))
    file = b""
    for piece in parts[0]:
        if piece.name == "marker C0":
            rows = b"".join(bytes([number, 0x11, 0]) for number in (1, 2, 3))
            held = piece.data[:5] + b"\3" + rows
            file += b"\xff\xc0" + struct.pack(">H", 2 + len(held)) + held
        elif piece.name == "marker DA":
            for number, others in enumerate(parts, start=1):
                (scan,) = (p for p in others if p.name == "marker DA")
                file += scan.raw[:5] + bytes([number]) + scan.raw[6:]
        else:
            file += piece.raw
    return file


def test_a_jpeg_of_several_sequential_scans_passes():
    data = jpeg_with_a_scan_a_channel()
    assert shown(data).shape == (24, 40, 3)
    assert list(metadata_findings("x", data)) == []
    assert strip(data) == data


@pytest.mark.parametrize(
    "settings", [{}, {"progressive": True}, {"restart_marker_blocks": 2, "subsampling": 0}]
)
@pytest.mark.parametrize("place", [0, -1])
def test_data_behind_a_scans_last_block_is_found(settings, place):
    bare = plain("JPEG", **settings)
    found = list(pieces(bare))
    scans = [number for number, piece in enumerate(found) if piece.name == "marker DA"]
    chosen = scans[place]
    planted = secret("JPEG")[2:].replace(b"\xff", b"\xff\0")
    data = b"".join(p.raw + planted * (number == chosen) for number, p in enumerate(found))
    checked(data, bare)


def test_data_before_a_restart_mark_is_found():
    bare = plain("JPEG", restart_marker_blocks=2)
    at = bare.index(b"\xff\xd3")
    checked(bare[:at] + b"hidden " * 9 + bare[at:], bare)


@pytest.mark.parametrize("settings", [{}, {"progressive": True}])
def test_a_second_jpeg_before_the_end_of_the_first_is_refused(settings):
    bare, other = plain("JPEG", **settings), secret("JPEG")
    twice = bare[:-2] + other
    scan = bare[:-2] + other[other.index(b"\xff\xda") :]
    tables = bare[:-2] + 40 * b"\xff\xdb\0\x43\0".ljust(69, b"x") + bare[-2:]
    for data in (twice, bare[:-2] + other[2:], scan, tables):
        (finding,) = metadata_findings("x", data)
        assert finding.code == "opaque"
        with pytest.raises(PhotoError, match="write it again"):
            strip(data)


def test_a_second_picture_of_a_phone_is_trailing_data():
    bare = plain("JPEG")
    codes = {f.code for f in metadata_findings("x", bare + secret("JPEG"))}
    assert codes == {"trailing-data", "thumbnail"}
    assert strip(bare + secret("JPEG")) == bare


@pytest.mark.parametrize("split", [1, 3])
def test_data_behind_the_compressed_pixels_of_a_png_is_found(split):
    bare = plain("PNG")
    hidden = secret("JPEG")
    chunks = []
    for name, held in chunks_of(bare):
        if name == b"IDAT":
            grown = held + hidden
            cuts = [0, *(len(grown) * n // split for n in range(1, split)), len(grown)]
            chunks += [(name, grown[a:b]) for a, b in itertools.pairwise(cuts)]
        else:
            chunks.append((name, held))
    data = png_of(*chunks)
    assert {f.code for f in metadata_findings("x", data)} >= {"hidden-data"}
    np.testing.assert_array_equal(shown(strip(data)), shown(data))
    assert list(metadata_findings("x", strip(data))) == []
    assert hidden[-20:] not in strip(data)


def test_a_png_with_more_rows_than_it_shows_is_refused():
    chunks = dict(chunks_of(plain("PNG", "RGB")))
    rows = zlib.decompress(chunks[b"IDAT"])
    longer = {**chunks, b"IDAT": zlib.compress(rows + np.asarray(SECRET).tobytes())}
    data = png_of(*longer.items())
    assert shown(data).shape == (40, 60, 3)
    with pytest.raises(PhotoError, match="more than the picture has"):
        strip(data)


def test_a_png_with_sixteen_bits_is_refused():
    stream = io.BytesIO()
    Image.fromarray(np.full((40, 40), 770, dtype=np.uint16)).save(stream, "PNG")
    (finding,) = metadata_findings("x", stream.getvalue())
    assert finding.code == "opaque"
    assert "more than 8 bits a channel" in finding.message


def test_pieces_that_no_reader_needs_are_found_in_a_png():
    (head, pixels, end) = chunks_of(plain("PNG", "RGB"))
    for extra in ((b"PLTE", bytes(768)), (b"tRNS", bytes(7)), (b"pHYs", bytes(64))):
        data = png_of(head, extra, pixels, end)
        assert [f.code for f in metadata_findings("x", data)] == ["metadata"]
        assert strip(data) == png_of(head, pixels, end)
    for bad in ((head, pixels, (b"IEND", b"x")), (head, pixels, head, end), (pixels, end)):
        found = next(metadata_findings("x", png_of(*bad)))
        assert found.code in ("opaque", "metadata")


@pytest.mark.parametrize("mode", ["1", "L", "P", "LA", "RGB", "RGBA"])
@pytest.mark.parametrize("size", [(16, 16), (17, 33), (1, 1), (3, 70)])
def test_every_png_has_the_bytes_that_its_header_says(mode, size):
    data = plain("PNG", mode, size)
    assert list(metadata_findings("x", data)) == []
    assert strip(data) == data


def test_an_interlaced_png_passes():
    rows = b""
    for across, down in ((1, 1), (1, 1), (2, 1), (2, 2), (4, 2), (4, 4), (8, 4)):
        rows += (b"\0" + bytes(range(across))) * down
    head = struct.pack(">IIBBBBB", 8, 8, 8, 0, 0, 0, 1)
    data = png_of((b"IHDR", head), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    assert shown(data).shape == (8, 8)
    assert strip(data) == data


WEBPS = [
    ("RGB", {"lossless": True}),
    ("RGBA", {"lossless": True, "exact": True}),
    ("RGB", {"quality": 40}),
    ("RGBA", {"quality": 90}),
    ("RGBA", {"quality": 90, "alpha_quality": 40}),
]


@pytest.mark.parametrize(("mode", "settings"), WEBPS)
def test_every_webp_ends_where_its_pixels_do(mode, settings):
    for size in ((40, 60), (17, 33), (1, 1), (256, 128)):
        data = plain("WEBP", mode, size, **settings)
        assert list(metadata_findings("x", data)) == []
        assert strip(data) == data
    stream = io.BytesIO()
    Image.new(mode, (500, 400), "gray").save(stream, "WEBP", **settings)
    assert strip(stream.getvalue()) == stream.getvalue()


@pytest.mark.parametrize(("mode", "settings"), WEBPS)
def test_data_behind_the_compressed_pixels_of_a_webp_is_found(mode, settings):
    bare = plain("WEBP", mode, **settings)
    hidden = secret("WEBP", lossless=True)
    for number in range(len(chunks_of(bare))):
        chunks = chunks_of(bare)
        name, held = chunks[number]
        if name == b"VP8X":
            continue
        chunks[number] = (name, held + hidden)
        data = webp_of(*chunks)
        assert [f.code for f in metadata_findings("x", data)] == ["hidden-data"]
        np.testing.assert_array_equal(shown(strip(data)), shown(bare))
        assert len(strip(data)) <= len(bare) + 1
        assert hidden[20:] not in strip(data)


def test_data_behind_the_first_part_of_a_lossy_webp_is_found():
    bare = plain("WEBP", quality=60)
    ((name, frame),) = chunks_of(bare)
    (_, end), *_ = partitions(frame)
    hidden = b"hidden " * 30
    tag = int.from_bytes(frame[:3], "little") + (len(hidden) << 5)
    grown = tag.to_bytes(3, "little") + frame[3:end] + hidden + frame[end:]
    data = webp_of((name, grown))
    np.testing.assert_array_equal(shown(data), shown(bare))
    assert [f.code for f in metadata_findings("x", data)] == ["hidden-data"]
    assert hidden[16:] not in strip(data)


@pytest.mark.parametrize("first", ["VP8 ", "VP8L"])
@pytest.mark.parametrize("second", ["VP8 ", "VP8L", "ALPH"])
def test_a_second_picture_in_a_webp_is_found(first, second):
    (kept,) = chunks_of(plain("WEBP", lossless=first == "VP8L"))
    (planted,) = chunks_of(secret("WEBP", lossless=second == "VP8L"))
    head = (b"VP8X", struct.pack("<I", 0) + (59).to_bytes(3, "little") + (39).to_bytes(3, "little"))
    planted = (second.encode(), planted[1])
    orders = [(kept, planted)]
    if second == "ALPH":  # of the others, decoders refuse what has an extended header
        orders.append((head, kept, planted))
    for chunks in orders:
        checked(webp_of(*chunks), webp_of(*(c for c in chunks if c != planted)))
    if first == "VP8 " and second == "ALPH":
        (finding,) = metadata_findings("x", webp_of(head, planted, kept))
        assert "transparency that its header denies" in finding.message
