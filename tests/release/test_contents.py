"""What is inside files that are no pictures, without running anything, in bounded time."""

from __future__ import annotations

import base64
import io
import json
import time
import zlib

import numpy as np
import pytest
from PIL import Image

from fiftyone_dp2vl.release.contents import contents_of


def packed(array: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


def base64_of(data: bytes) -> str:
    return base64.b64encode(data).decode()


def test_json_is_walked_to_its_end():
    data = {"a": [{"key b": ["deep", [1.5] * 9, {"c": 4}]}], "mixed": [1, "x"] * 8}
    found = contents_of("x.json", json.dumps(data).encode())
    assert {"a", "key b", "deep", "c", "x"} <= set(found.texts)
    (vector,) = found.arrays
    np.testing.assert_array_equal(vector, [1.5] * 9)
    assert found.opaque == []


def test_deep_json_does_not_overflow():
    text = "[" * 100_000 + '"ada"' + "]" * 100_000
    assert "ada" in "".join(contents_of("x.json", text.encode()).texts)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int8])
def test_packed_arrays_are_opened(dtype):
    array = np.arange(64, dtype=dtype).reshape(8, 8)
    for data in (packed(array), zlib.compress(packed(array))):
        found = contents_of("x.txt", f"v: {base64_of(data)}.".encode())
        np.testing.assert_array_equal(found.arrays[0], array)
        assert found.opaque == []


def test_vectors_in_text():
    rows = np.round(np.random.default_rng(0).normal(size=(3, 10)), 6)
    text = "\n".join(" ".join(str(x) for x in row) for row in rows)
    found = contents_of("x.txt", text.encode())
    assert any(np.array_equal(array, rows[1]) for array in found.arrays)


def test_pictures_and_text_in_base64():
    stream = io.BytesIO()
    Image.new("RGB", (40, 40), (1, 2, 3)).save(stream, "PNG")
    found = contents_of(
        "x.html", f'<img src="data:x;base64,{base64_of(stream.getvalue())}">'.encode()
    )
    assert found.pictures == [stream.getvalue()]
    words = "ada@example.org lives here " * 9
    assert words in contents_of("x.txt", base64_of(words.encode()).encode()).texts


def test_what_cannot_be_opened_is_opaque():
    noise = np.random.default_rng(1).bytes(300)
    bomb = zlib.compress(bytes(100 * 2**20))
    pickled = packed(np.arange(4)).replace(b"'<i8'", b"'|O' ")
    for data in (noise, b"\x80\x04\x95\0\xff", pickled):
        assert contents_of("x.bin", data).opaque
    for data in (noise, bomb, b"\x78\x9c" + noise):
        assert contents_of("x.txt", base64_of(data).encode()).opaque


def test_text_in_other_encodings_and_with_entities():
    for encoding in ("utf-8-sig", "utf-16"):
        assert contents_of("x.txt", "Zoë".encode(encoding)).texts == ["Zoë"]
    assert contents_of("x.xml", b"<name>Ada&#32;Lind</name>").texts == ["<name>Ada Lind</name>"]


@pytest.mark.parametrize("unit", ["1", "1 ", "1,", "-", "1e", "A", "a/", "[", "{", '"', "\\u0041"])
def test_hostile_text_takes_time_in_proportion(unit):
    def seconds(size: int) -> float:
        begun = time.process_time()
        for name in ("x.txt", "x.json"):
            contents_of(name, (unit * size).encode())
        return time.process_time() - begun

    seconds(1000)
    # eight times the text may take a little more than eight times as long, not sixty-four times
    assert seconds(160_000) < 30 * max(seconds(20_000), 0.005)
