"""Every kind of file, made with Pillow: read as a viewer shows it, or refused in its own words."""

from __future__ import annotations

import io
import os
import struct
import subprocess
import sys
import warnings
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import PIL
import pytest
from PIL import Image, ImageCms, ImageFile, ImageOps

from fiftyone_dp2vl.errors import PhotoError
from fiftyone_dp2vl.media import REFUSALS, probe_photo, read_photo


def test_rgb_png_is_read_exactly(tmp_path: Path, scene: Image.Image) -> None:
    scene.save(tmp_path / "a.png")
    photo = read_photo(tmp_path / "a.png")
    assert photo.mode == "RGB"
    assert (photo.width, photo.height) == scene.size
    np.testing.assert_array_equal(photo.pixels, np.asarray(scene))
    assert photo.source is not None
    assert photo.source.size == (tmp_path / "a.png").stat().st_size


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", ["png", "jpg", "webp", "tif"])
def test_orientation_is_applied(
    tmp_path: Path, scene: Image.Image, orientation: int, suffix: str
) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / f"a.{suffix}"
    extra = {"lossless": True} if suffix == "webp" else {}
    scene.save(path, exif=exif, **extra)
    with Image.open(path) as image:
        upright = np.asarray(ImageOps.exif_transpose(image).convert("RGB"))
    photo = read_photo(path)
    np.testing.assert_array_equal(photo.pixels, upright)
    assert photo.pixels.shape[:2] == ((48, 32) if orientation >= 5 else (32, 48))
    assert probe_photo(path) == (photo.width, photo.height)


def test_gray_stays_gray(tmp_path: Path, scene: Image.Image) -> None:
    scene.convert("L").save(tmp_path / "a.jpg")
    photo = read_photo(tmp_path / "a.jpg")
    assert photo.mode == "L"
    assert photo.pixels.shape == (32, 48)


def test_one_bit_becomes_gray(tmp_path: Path, scene: Image.Image) -> None:
    scene.convert("1").save(tmp_path / "a.png")
    assert set(np.unique(read_photo(tmp_path / "a.png").pixels)) == {0, 255}


def test_sixteen_bits_are_rounded_not_clipped(tmp_path: Path) -> None:
    values = np.linspace(0, 65535, 32 * 48).round().astype(np.uint16).reshape(32, 48)
    for suffix in ("png", "tif"):
        Image.fromarray(values).save(tmp_path / f"a.{suffix}")
        photo = read_photo(tmp_path / f"a.{suffix}")
        assert photo.mode == "L"
        np.testing.assert_array_equal(photo.pixels, np.round(values / 257).astype(np.uint8))


def _sixteen_bit_rgb_png(values: np.ndarray) -> bytes:
    height, width, _ = values.shape
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)

    def chunk(name: bytes, data: bytes) -> bytes:
        checksum = struct.pack(">I", zlib.crc32(name + data))
        return struct.pack(">I", len(data)) + name + data + checksum

    header = struct.pack(">IIBBBBB", width, height, 16, 2, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def test_sixteen_bit_colour(tmp_path: Path) -> None:
    values = (np.arange(32 * 48 * 3).reshape(32, 48, 3) * 13 % 65536).astype(np.uint16)
    (tmp_path / "a.png").write_bytes(_sixteen_bit_rgb_png(values))
    pixels = read_photo(tmp_path / "a.png").pixels
    assert np.abs(pixels - values / 257).max() <= 1


def test_palette_with_and_without_transparency(tmp_path: Path, scene: Image.Image) -> None:
    palette = scene.quantize(16)
    palette.save(tmp_path / "plain.png")
    palette.save(tmp_path / "see-through.png", transparency=3)
    palette.save(tmp_path / "a.gif")
    plain, clear = read_photo(tmp_path / "plain.png"), read_photo(tmp_path / "see-through.png")
    assert (plain.mode, clear.mode) == ("RGB", "RGBA")
    assert read_photo(tmp_path / "a.gif").mode == "RGB"
    np.testing.assert_array_equal(plain.pixels, np.asarray(palette.convert("RGB")))
    assert clear.alpha is not None
    np.testing.assert_array_equal(clear.alpha == 0, np.asarray(palette) == 3)


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_alpha_and_the_colours_under_it_are_kept(
    tmp_path: Path, scene: Image.Image, mode: str
) -> None:
    image = scene.convert(mode)
    image.putalpha(Image.fromarray(np.tile(np.arange(48, dtype=np.uint8) * 5, (32, 1))))
    image.save(tmp_path / "a.png")
    photo = read_photo(tmp_path / "a.png")
    assert photo.mode == mode
    assert photo.alpha is not None
    assert photo.alpha[0, 0] == 0
    stored = np.asarray(image)
    np.testing.assert_array_equal(photo.alpha, stored[..., -1])
    colours = stored[..., 0] if mode == "LA" else stored[..., :3]
    np.testing.assert_array_equal(photo.pixels, colours)


def test_one_see_through_colour_becomes_alpha(tmp_path: Path, scene: Image.Image) -> None:
    scene.save(tmp_path / "a.png", transparency=(0, 0, 0))
    photo = read_photo(tmp_path / "a.png")
    assert photo.mode == "RGBA"
    assert photo.alpha is not None
    assert photo.alpha[0, 0] == 0
    assert photo.alpha[0, 1] == 255


def test_cmyk_without_a_profile(tmp_path: Path, scene: Image.Image) -> None:
    for suffix in ("jpg", "tif"):
        scene.convert("CMYK").save(tmp_path / f"a.{suffix}")
        photo = read_photo(tmp_path / f"a.{suffix}")
        assert photo.mode == "RGB"
        assert np.abs(photo.pixels.astype(int) - np.asarray(scene)).mean() < 6
        assert "CMYK" in photo.notes[0]


def test_ycbcr_and_lab_tiff(tmp_path: Path, scene: Image.Image) -> None:
    scene.convert("YCbCr").save(tmp_path / "y.tif")
    lab = ImageCms.profileToProfile(
        scene, ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), outputMode="LAB"
    )
    lab.info.pop("icc_profile", None)
    lab.save(tmp_path / "lab.tif")
    # Pillow 12 cannot read the YCbCr that it writes
    readable = (
        ("y.tif", "lab.tif") if int(PIL.__version__.partition(".")[0]) >= 13 else ("lab.tif",)
    )
    for name in readable:
        photo = read_photo(tmp_path / name)
        assert photo.mode == "RGB"
        assert np.abs(photo.pixels.astype(int) - np.asarray(scene)).mean() < 4


def _swapped_primaries() -> bytes:
    """An sRGB profile with red and blue changed round: a conversion that cannot be missed."""
    data = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    count = struct.unpack_from(">I", data, 128)[0]
    at = {bytes(data[132 + 12 * i : 136 + 12 * i]): 132 + 12 * i for i in range(count)}
    red, blue = at[b"rXYZ"], at[b"bXYZ"]
    data[red : red + 4], data[blue : blue + 4] = b"bXYZ", b"rXYZ"
    return bytes(data)


def test_profile_is_converted_to_srgb(tmp_path: Path, scene: Image.Image) -> None:
    scene.save(tmp_path / "a.png", icc_profile=_swapped_primaries())
    pixels = read_photo(tmp_path / "a.png").pixels.astype(int)
    assert np.abs(pixels - np.asarray(scene)[..., ::-1]).max() <= 2
    rgba = scene.convert("RGBA")
    rgba.putalpha(77)
    rgba.save(tmp_path / "b.png", icc_profile=_swapped_primaries())
    photo = read_photo(tmp_path / "b.png")
    assert photo.alpha is not None
    assert (photo.alpha == 77).all()
    np.testing.assert_array_equal(photo.pixels, pixels)


def test_srgb_profile_changes_nothing(tmp_path: Path, scene: Image.Image) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    scene.save(tmp_path / "a.png", icc_profile=profile)
    np.testing.assert_array_equal(read_photo(tmp_path / "a.png").pixels, np.asarray(scene))


def test_gray_photo_with_a_colour_profile_stays_gray(tmp_path: Path, scene: Image.Image) -> None:
    scene.convert("L").save(tmp_path / "a.jpg", icc_profile=_swapped_primaries())
    photo = read_photo(tmp_path / "a.jpg")
    assert photo.mode == "L"
    assert photo.notes == ()


def test_damaged_or_unfitting_profile_is_noted(tmp_path: Path, scene: Image.Image) -> None:
    scene.save(tmp_path / "a.png", icc_profile=b"no profile at all")
    assert "damaged" in read_photo(tmp_path / "a.png").notes[0]
    scene.convert("CMYK").save(tmp_path / "b.jpg", icc_profile=_swapped_primaries())
    assert "RGB pixels" in read_photo(tmp_path / "b.jpg").notes[0]


def test_damaged_exif_does_not_cost_the_photo(tmp_path: Path, scene: Image.Image) -> None:
    scene.save(tmp_path / "a.jpg", exif=b"Exif\0\0II*\0\xff\xff\xff\xff broken")
    assert read_photo(tmp_path / "a.jpg").mode == "RGB"


def test_main_picture_of_a_phones_multi_picture_file(tmp_path: Path, scene: Image.Image) -> None:
    second = scene.transpose(Image.Transpose.ROTATE_180)
    scene.save(tmp_path / "a.jpg", "MPO", save_all=True, append_images=[second], quality=95)
    pixels = read_photo(tmp_path / "a.jpg").pixels.astype(int)
    assert np.abs(pixels - np.asarray(scene)).mean() < 6


def _refused(path: Path, code: str, **arguments: int) -> str:
    with pytest.raises(PhotoError) as caught:
        read_photo(path, **arguments)
    assert caught.value.code == code
    assert code in REFUSALS
    message = str(caught.value)
    assert message.startswith(path.name)
    assert "\n" not in message
    return message


def test_missing_empty_folder_and_text(tmp_path: Path) -> None:
    (tmp_path / "empty.jpg").touch()
    (tmp_path / "text.jpg").write_text("these are only words, though the name says otherwise")
    _refused(tmp_path / "none.jpg", "missing")
    _refused(tmp_path / "empty.jpg", "empty")
    _refused(tmp_path / "text.jpg", "not-an-image")
    (tmp_path / "folder.jpg").mkdir()
    _refused(tmp_path / "folder.jpg", "not-a-file")
    for name, code in (
        ("none.jpg", "missing"),
        ("empty.jpg", "empty"),
        ("folder.jpg", "not-a-file"),
    ):
        with pytest.raises(PhotoError) as caught:
            probe_photo(tmp_path / name)
        assert caught.value.code == code


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_permission(tmp_path: Path, scene: Image.Image) -> None:
    scene.save(tmp_path / "a.png")
    (tmp_path / "a.png").chmod(0)
    _refused(tmp_path / "a.png", "permission")


def test_permission_by_the_error(
    tmp_path: Path, scene: Image.Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    def denied(*args: object) -> None:
        raise PermissionError(13, "Permission denied")

    scene.save(tmp_path / "a.png")
    monkeypatch.setattr(os, "open", denied)
    _refused(tmp_path / "a.png", "permission")


@pytest.mark.parametrize(
    "suffix", ["jpg", "png", "webp", "tif", "gif", "bmp", "jp2", "avif", "ppm"]
)
@pytest.mark.parametrize("share", [0.02, 0.3, 0.7, 0.95])
def test_truncated_is_never_protected_as_gray(tmp_path: Path, suffix: str, share: float) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    path = tmp_path / f"a.{suffix}"
    Image.fromarray(noise).save(path)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(PhotoError) as caught:
        read_photo(path)
    assert caught.value.code in ("truncated", "not-an-image")
    if share >= 0.3 or suffix in ("jpg", "png"):
        assert caught.value.code == "truncated"


def test_leniency_of_other_libraries_is_held_off(
    tmp_path: Path, scene: Image.Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    scene.save(tmp_path / "a.png")
    data = (tmp_path / "a.png").read_bytes()
    (tmp_path / "cut.png").write_bytes(data[: len(data) * 2 // 3])
    with ThreadPoolExecutor(4) as pool:
        codes = list(pool.map(_code, [tmp_path / n for n in ("a.png", "cut.png") * 20]))
    assert codes == ["read", "truncated"] * 20
    assert ImageFile.LOAD_TRUNCATED_IMAGES is True


def _code(path: Path) -> str:
    try:
        read_photo(path)
    except PhotoError as error:
        return error.code
    return "read"


@pytest.mark.parametrize("suffix", ["gif", "png", "webp", "tif"])
def test_animations_and_pages(tmp_path: Path, scene: Image.Image, suffix: str) -> None:
    path = tmp_path / f"a.{suffix}"
    scene.save(path, save_all=True, append_images=[scene.transpose(Image.Transpose.ROTATE_180)])
    assert "2 frames" in _refused(path, "animated")


def _only_a_header(width: int, height: int) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunk = struct.pack(">I", 13) + b"IHDR" + header
    chunk += struct.pack(">I", zlib.crc32(b"IHDR" + header))
    return b"\x89PNG\r\n\x1a\n" + chunk + b"\0\0\0\0IDAT5\xaf\x06\x1e"


@pytest.mark.parametrize("size", [(13000, 10000), (16320, 12240), (60000, 60000)])
def test_too_large_by_its_header(tmp_path: Path, size: tuple[int, int]) -> None:
    (tmp_path / "a.png").write_bytes(_only_a_header(*size))
    assert "more than the 120 megapixels" in _refused(tmp_path / "a.png", "too-large")


def test_a_callers_own_limit(tmp_path: Path, scene: Image.Image) -> None:
    scene.save(tmp_path / "b.png")
    assert "the 0 megapixels" in _refused(tmp_path / "b.png", "too-large", max_pixels=1000)


def test_photos_that_are_read_are_not_called_an_attack(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    (tmp_path / "a.png").write_bytes(_only_a_header(12000, 9990))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert probe_photo(tmp_path / "a.png") == (12000, 9990)
    assert Image.MAX_IMAGE_PIXELS == 1000


def test_text_chunk_bomb(tmp_path: Path, scene: Image.Image) -> None:
    scene.save(tmp_path / "a.png")
    data = (tmp_path / "a.png").read_bytes()
    body = b"Comment\0\0" + zlib.compress(b"\0" * (80 << 20))
    chunk = struct.pack(">I", len(body)) + b"zTXt" + body
    chunk += struct.pack(">I", zlib.crc32(b"zTXt" + body))
    (tmp_path / "b.png").write_bytes(data[:33] + chunk + data[33:])
    _refused(tmp_path / "b.png", "decompression-bomb")


@pytest.mark.parametrize("size", [(1, 1), (15, 400), (400, 15)])
def test_too_small(tmp_path: Path, size: tuple[int, int]) -> None:
    Image.new("RGB", size).save(tmp_path / "a.png")
    assert f"{size[0]} x {size[1]}" in _refused(tmp_path / "a.png", "too-small")


def test_smallest_and_unsupported(tmp_path: Path, scene: Image.Image) -> None:
    scene.resize((16, 16)).save(tmp_path / "a.png")
    assert read_photo(tmp_path / "a.png").width == 16
    scene.save(tmp_path / "a.eps")
    assert "EPS" in _refused(tmp_path / "a.eps", "unsupported")
    Image.fromarray(np.ones((32, 48), np.float32)).save(tmp_path / "a.tif")
    assert "F pixels" in _refused(tmp_path / "a.tif", "unsupported")
    (tmp_path / "a.heic").write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(64))
    assert "HEIC" in _refused(tmp_path / "a.heic", "unsupported")
    scene.save(tmp_path / "a.tif")
    (tmp_path / "a.tif").rename(tmp_path / "a.dng")
    assert "raw" in _refused(tmp_path / "a.dng", "unsupported")


def test_name_and_suffix_do_not_matter(tmp_path: Path, scene: Image.Image) -> None:
    stream = io.BytesIO()
    scene.save(stream, "PNG")
    (tmp_path / "wrong.jpg").write_bytes(stream.getvalue())
    photo = read_photo(tmp_path / "wrong.jpg")
    assert photo.source is not None
    assert photo.source.format == "PNG"


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "tif", "gif", "jp2", "bmp"])
def test_damaged_bytes_are_read_or_refused(tmp_path: Path, scene: Image.Image, suffix: str) -> None:
    path = tmp_path / f"a.{suffix}"
    extra = {"exif": Image.Exif()} if suffix in ("jpg", "png", "webp") else {}
    if extra:
        extra["exif"][0x0112] = 6
    scene.save(path, **extra)
    data = path.read_bytes()
    rng = np.random.default_rng(11)
    for _ in range(60):
        damaged = bytearray(data)
        for place in rng.integers(0, len(data), 4):
            damaged[place] = rng.integers(256)
        path.write_bytes(damaged)
        assert _code(path) in {"read", *REFUSALS}


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA"])
def test_tall_photos_are_turned_band_by_band(tmp_path: Path, mode: str, orientation: int) -> None:
    bands = len(Image.new(mode, (1, 1)).getbands())
    noise = np.random.default_rng(0).integers(0, 256, (700, 30, bands), dtype=np.uint8)
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(noise.squeeze(), mode).save(tmp_path / "a.png", exif=exif)
    with Image.open(tmp_path / "a.png") as image:
        shown = np.asarray(ImageOps.exif_transpose(image))
    photo = read_photo(tmp_path / "a.png")
    alpha = () if photo.alpha is None else (photo.alpha[..., None],)
    pixels = photo.pixels if photo.pixels.ndim == 3 else photo.pixels[..., None]
    np.testing.assert_array_equal(np.concatenate((pixels, *alpha), axis=2).squeeze(), shown)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="makes a pipe")
@pytest.mark.parametrize("read", [read_photo, probe_photo])
def test_pipes_and_devices_are_refused_at_once(
    tmp_path: Path, read: Callable[[Path], object]
) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    for path in (tmp_path / "pipe.png", Path("/dev/zero"), tmp_path):
        with pytest.raises(PhotoError) as caught:
            read(path)
        assert caught.value.code == "not-a-file"


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize(("mode", "suffix"), [("RGBA", "png"), ("RGB", "jpg")])
def test_the_largest_photos_are_read_in_one_gibibyte(
    tmp_path: Path, mode: str, suffix: str
) -> None:
    make = (
        "import sys; from PIL import Image; exif = Image.Exif(); exif[0x0112] = 6;"
        "Image.new(sys.argv[2], (12000, 9990)).save(sys.argv[1], exif=exif)"
    )
    read = (
        "import sys; from fiftyone_dp2vl.media import read_photo;"
        "print(read_photo(sys.argv[1]).width);"
        "print(open('/proc/self/status').read().split('VmHWM:')[1].split()[0])"
    )
    path = str(tmp_path / f"a.{suffix}")
    subprocess.run([sys.executable, "-c", make, path, mode], check=True)
    done = subprocess.run(
        [sys.executable, "-c", read, path], check=True, capture_output=True, text=True
    )
    width, kibibytes = map(int, done.stdout.split())
    assert width == 9990
    assert kibibytes < 1 << 20
