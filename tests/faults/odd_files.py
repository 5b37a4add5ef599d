"""A corpus of odd files: what a folder of photos may hold besides plain photos."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image, features

__all__ = ["make_odd_files"]


def scene(width: int = 64, height: int = 48) -> Image.Image:
    y, x = np.mgrid[0:height, 0:width]
    rgb = np.stack([x * 3 % 256, y * 5 % 256, (x + y) * 2 % 256], axis=-1)
    return Image.fromarray(rgb.astype(np.uint8))


def make_odd_files(folder: Path) -> dict[str, str]:
    """Writes the corpus.

    Returns:
        name -> ``"protected"``, or the code of the refusal that is due
    """
    folder.mkdir(parents=True)
    return dict(_files(folder))


def _files(folder: Path) -> Iterator[tuple[str, str]]:
    picture = scene()

    def save(name: str, image: Image.Image, **settings: object) -> None:
        image.save(folder / name, **settings)

    for orientation in range(1, 9):
        exif = Image.Exif()
        exif[0x0112] = orientation
        save(f"orientation{orientation}.jpg", picture, exif=exif)
        yield f"orientation{orientation}.jpg", "protected"
    deep = (np.mgrid[0:48, 0:64][1] * 1000).astype(np.uint16)
    save("gray16.png", Image.fromarray(deep))
    yield "gray16.png", "protected"
    save("gray16.tif", Image.fromarray(deep))
    yield "gray16.tif", "protected"
    save("cmyk.jpg", picture.convert("CMYK"))
    yield "cmyk.jpg", "protected"
    save("onebit.png", picture.convert("1"))
    yield "onebit.png", "protected"
    palette = picture.quantize(32)
    save("palette.png", palette, transparency=3)
    yield "palette.png", "protected"
    clear = picture.convert("RGBA")
    clear.putalpha(picture.convert("L"))
    save("transparent.webp", clear, lossless=True, exact=True)
    yield "transparent.webp", "protected"
    save("lab.tif", picture.convert("LAB"))
    yield "lab.tif", "protected"
    save("truthful.gif", picture)
    yield "truthful.gif", "protected"
    save("wrong.png", picture, format="JPEG")
    yield "wrong.png", "protected"
    save("phone.jpg", picture, format="MPO", save_all=True, append_images=[scene(32, 24)])
    yield "phone.jpg", "protected"
    save("long.png", scene(20000, 16))
    yield "long.png", "protected"
    if features.check("avif"):
        save("modern.avif", picture)
        yield "modern.avif", "protected"

    save("thin.png", scene(20000, 3))
    yield "thin.png", "too-small"
    save("dot.png", scene(1, 1))
    yield "dot.png", "too-small"
    save("moving.gif", picture, save_all=True, append_images=[scene(64, 48).rotate(9)])
    yield "moving.gif", "animated"
    save("moving.webp", picture, save_all=True, append_images=[picture.rotate(9)], duration=9)
    yield "moving.webp", "animated"
    save("pages.tif", picture, save_all=True, append_images=[picture.rotate(9)])
    yield "pages.tif", "animated"
    save("float.tif", Image.fromarray(np.zeros((32, 32), np.float32)))
    yield "float.tif", "unsupported"
    (folder / "apple.heic").write_bytes(b"\0\0\0\x18ftypheic" + bytes(100))
    yield "apple.heic", "unsupported"
    (folder / "empty.jpg").write_bytes(b"")
    yield "empty.jpg", "empty"
    (folder / "text.jpg").write_bytes(b"I am no photo at all, whatever my name says")
    yield "text.jpg", "not-an-image"
    save("whole.jpg", picture)
    (folder / "cut.jpg").write_bytes((folder / "whole.jpg").read_bytes()[:-300])
    (folder / "whole.jpg").unlink()
    yield "cut.jpg", "truncated"
    (folder / "bomb.png").write_bytes(_png(30000, 30000, zlib.compress(bytes(30001 * 100), 9)))
    yield "bomb.png", "too-large"
    (folder / "huge.png").write_bytes(_png(13000, 12000, zlib.compress(bytes(13001 * 100), 9)))
    yield "huge.png", "too-large"
    (folder / "folder.png").mkdir()
    yield "folder.png", "not-a-file"


def _png(width: int, height: int, data: bytes) -> bytes:
    def chunk(name: bytes, held: bytes) -> bytes:
        return (
            struct.pack(">I", len(held)) + name + held + struct.pack(">I", zlib.crc32(name + held))
        )

    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", data) + chunk(b"IEND", b"")
