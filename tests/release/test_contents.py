"""What is inside files that are no pictures, without running anything, in bounded time."""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import json
import time
import uuid
import zlib

import numpy as np
import pytest
from PIL import Image

from fiftyone_dp2vl.release import TextScanner
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
    vector, everything, fractions = found.arrays
    np.testing.assert_array_equal(vector, [1.5] * 9)
    np.testing.assert_array_equal(everything, [1.5] * 9 + [4] + [1] * 8)
    np.testing.assert_array_equal(fractions, [1.5] * 9)
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
    rows = np.round(np.random.default_rng(0).normal(size=(9, 10)), 6)
    text = "\n".join(" ".join(str(x) for x in row) for row in rows)
    found = contents_of("x.txt", text.encode())
    assert any(np.array_equal(array, rows) for array in found.arrays)
    assert any(np.array_equal(array, rows.ravel()) for array in found.arrays)


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


@pytest.mark.parametrize(
    "unit",
    [
        *("1", "1 ", "1,", "-", "1e", "1.", ".1", "+", "A", "a/", "[", "{", '"', "\\u0041"),
        *("AAAAAAAA ", "AAAAAAAA\n", "AAAAAAAA" + 60 * " ", "a" * 76 + "\n", "0f" * 38 + "\n"),
        *("[1,", '{"a":[1],', "1,2 ", "nan ", "\\n"),
    ],
)
def test_hostile_text_takes_time_in_proportion(unit):
    def seconds(size: int) -> float:
        begun = time.process_time()
        for name in ("x.txt", "x.json"):
            contents_of(name, (unit * size).encode())
        return time.process_time() - begun

    seconds(1000)
    # eight times the text may take a little more than eight times as long, not sixty-four times
    assert seconds(160_000) < 30 * max(seconds(20_000), 0.005)


def wrapped(text: str, width: int, between: str) -> str:
    return between.join(text[at : at + width] for at in range(0, len(text), width))


WRAPPINGS = {
    "mail": lambda text: wrapped(text, 76, "\n"),
    "windows": lambda text: wrapped(text, 64, "\r\n"),
    "narrow": lambda text: wrapped(text, 20, "\n"),
    "indented": lambda text: "<image>\n    " + wrapped(text, 60, "\n    ") + "\n</image>",
    "quoted": lambda text: '"' + wrapped(text, 72, '"\n  "') + '"',
    "words": lambda text: "attached image " + wrapped(text, 76, " "),
    "escaped": lambda text: "'" + wrapped(text, 76, "\\n") + "'",
}


@pytest.mark.parametrize("wrapping", WRAPPINGS)
@pytest.mark.parametrize("encoding", ["base64", "url", "hex"])
def test_packed_bytes_in_many_lines_are_opened(wrapping, encoding):
    encode = {
        "base64": base64_of,
        "url": lambda data: base64.urlsafe_b64encode(data).decode(),
        "hex": bytes.hex,
    }[encoding]
    array = np.random.default_rng(3).normal(size=(5, 33))
    stream = io.BytesIO()
    Image.fromarray(np.random.default_rng(3).integers(0, 255, (20, 20), dtype=np.uint8)).save(
        stream, "JPEG"
    )
    pack = WRAPPINGS[wrapping]
    for data in (packed(array), zlib.compress(packed(array)), gzip.compress(packed(array))):
        found = contents_of("x.txt", pack(encode(data)).encode())
        assert any(np.array_equal(array, other) for other in found.arrays)
    found = contents_of("x.txt", pack(encode(stream.getvalue())).encode())
    assert len(found.pictures) == 1
    assert found.pictures[0].startswith(stream.getvalue()[:-9])
    noise = np.random.default_rng(1).bytes(3000)
    if wrapping in ("mail", "windows", "indented", "quoted"):
        assert contents_of("x.txt", pack(encode(noise)).encode()).opaque or encoding == "hex"
    assert contents_of("x.txt", encode(noise).encode()).opaque


def test_lines_of_base64_in_a_list_are_one():
    data = packed(np.arange(99.0))
    lines = wrapped(base64_of(data), 76, "\n").split()
    found = contents_of("x.json", json.dumps({"data": lines}).encode())
    assert any(np.array_equal(array, np.arange(99.0)) for array in found.arrays)


def test_base64_of_base64_is_opened():
    data = packed(np.arange(99.0))
    for _ in range(3):
        data = base64_of(data).encode()
    found = contents_of("x.txt", data)
    assert any(np.array_equal(array, np.arange(99.0)) for array in found.arrays)
    for _ in range(3):
        data = base64_of(data).encode()
    assert contents_of("x.txt", data).opaque


@pytest.mark.parametrize(
    "line",
    [
        lambda n: hashlib.sha256(bytes([n])).hexdigest(),
        lambda n: hashlib.sha256(bytes([n])).hexdigest() + f"  data/photo-{n:06d}.png",
        lambda n: hashlib.sha512(bytes([n])).hexdigest(),
        lambda n: str(uuid.UUID(bytes=hashlib.md5(bytes([n])).digest())),
        lambda n: hashlib.md5(bytes([n])).hexdigest()[:24],
        lambda n: "incomprehensible responsibilities notwithstanding",
        lambda n: f"photo-{n:06d}",
        lambda n: f"MixedCaseIdentifier{n:04d}OfAClassOfThings",
        lambda n: f"{n / 7:.6f} {n}.5 {n * n} 1e-{n}",
    ],
)
def test_ids_hashes_and_long_words_are_not_opaque(line):
    lines = [line(number) for number in range(40)]
    for name, text in (("x.txt", "\n".join(lines)), ("x.json", json.dumps(lines))):
        found = contents_of(name, text.encode())
        assert found.opaque == []
        assert found.pictures == []
        assert lines[3] in "".join(found.texts)


@pytest.mark.parametrize("digits", [60, 400, 5000])
def test_numbers_of_many_digits_are_opaque(digits):
    number = "7" * digits
    for text in (f"[1, 2, 3, 4, 5, 6, 7, {number}]", f'{{"a": {number}}}', f"[[1, {number}]]"):
        assert contents_of("x.json", text.encode()).opaque


def test_a_key_that_stands_twice_hides_nothing():
    assert "Ada Lind" in contents_of("x.json", b'{"a": "Ada Lind", "a": "x"}').texts


def test_a_document_a_line():
    text = '{"id": 1, "v": [0.5, 1.5]}\n' * 9
    arrays = contents_of("x.jsonl", text.encode()).arrays
    assert any(np.array_equal(array, [0.5, 1.5] * 9) for array in arrays)


def test_arrays_of_other_kinds_are_looked_into():
    assert contents_of("x.npy", packed(np.array(["Ada Lind", "Bo"]))).texts == ["Ada Lind", "Bo"]
    rows = np.array([("Ada", [1.0] * 9)], dtype=[("who", "U9"), ("v", "f4", 9)])
    found = contents_of("x.npy", packed(rows))
    assert {"who", "v", "Ada"} <= set(found.texts)
    np.testing.assert_array_equal(found.arrays[0], [[1.0] * 9])
    stream = io.BytesIO()
    Image.new("RGB", (40, 40)).save(stream, "PNG")
    assert contents_of("x.npy", packed(np.frombuffer(stream.getvalue(), np.uint8))).pictures
    assert contents_of("x.npy", packed(np.array([b"ada"]))).opaque
    assert contents_of("x.npy", packed(np.arange(4)) + b"more").opaque


@pytest.mark.parametrize(
    ("name", "text", "wanted"),
    [
        ("x.json", '{"phone": 4915112345678}', "phone: 4915112345678"),
        ("x.json", '{"a": {"tel": ["4915112345678", 1]}}', "tel: 4915112345678"),
        ("x.json", '{"phone": 4915112345678.0}', "phone: 4915112345678"),
        ("x.csv", "name,phone\nx,4915112345678\n", "phone: 4915112345678"),
        ("x.csv", "name;Telefon\nx;4915112345678.0\n", "Telefon: 4915112345678.0"),
    ],
)
def test_whole_numbers_come_with_their_names(name, text, wanted):
    texts = contents_of(name, text.encode()).texts
    assert wanted in texts
    assert any(hit.kind == "phone" for t in texts for hit in TextScanner().hits(t))


@pytest.mark.parametrize(
    "text",
    [
        '{"id": 4915112345678, "created": 1732224962000, "size": 12345678.0}',
        '[1732224962, 4915112345678, "4915112345678"]',
    ],
)
def test_whole_numbers_of_other_names_are_no_telephones(text):
    texts = contents_of("x.json", text.encode()).texts
    assert [hit for t in texts for hit in TextScanner().hits(t)] == []
