"""What is inside a file that is not a picture: words, numbers, and things packed into text.

Nothing is run and nothing is unpickled. What cannot be looked into is said to be opaque.
"""

from __future__ import annotations

import base64
import binascii
import html
import io
import json
import re
import zlib
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["LARGEST_FILE", "Contents", "contents_of"]

LARGEST_FILE = 512 * 2**20
"""Bytes: a larger file is not looked into."""

_LARGEST_BLOB = 64 * 2**20
_SHORTEST_VECTOR = 8
_SHORTEST_BLOB = 128
_NUMBER = r"[-+]?\d+(?:\.\d*)?(?:[eE][-+]?\d+)?"
# it begins where a number begins: from within one, a long run of digits would be read once a digit
_VECTOR = re.compile(rf"(?<![\d.]){_NUMBER}(?:[,;\s]+{_NUMBER}){{{_SHORTEST_VECTOR - 1},}}")
_BASE64 = re.compile(rf"[A-Za-z0-9+/_-]{{{_SHORTEST_BLOB},}}={{0,2}}")
_NPY = b"\x93NUMPY"
_PICTURES = (b"\xff\xd8\xff", b"\x89PNG", b"GIF8", b"RIFF", b"II*\0", b"MM\0*", b"BM")


@dataclass
class Contents:
    """What was found in a file.

    Attributes:
        texts: words, entity references and escapes resolved
        arrays: vectors and matrices of numbers, of any shape
        pictures: encoded pictures
        opaque: why something cannot be looked into, one phrase each
    """

    texts: list[str] = field(default_factory=list)
    arrays: list[NDArray[Any]] = field(default_factory=list)
    pictures: list[bytes] = field(default_factory=list)
    opaque: list[str] = field(default_factory=list)


def contents_of(name: str, data: bytes) -> Contents:
    """Returns what is inside a file.

    Args:
        name: the file's name; only its ending counts
        data: its bytes
    """
    found = Contents()
    if data.startswith(_NPY):
        _array(found, data)
        return found
    text = _decoded(data)
    if text is None:
        found.opaque.append("it is neither a picture nor text")
        return found
    if name.lower().endswith((".json", ".geojson")):
        try:
            _walk(found, json.loads(text))
            return found
        except (ValueError, RecursionError):
            pass  # then it is text like any other
    _text(found, html.unescape(text))
    return found


def _decoded(data: bytes) -> str | None:
    encodings = ("utf-16",) if data[:2] in (b"\xff\xfe", b"\xfe\xff") else ("utf-8-sig",)
    for encoding in encodings:
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        return None if "\0" in text else text
    return None


def _walk(found: Contents, value: Any) -> None:
    """Goes through parsed JSON without recursion; lists of numbers are vectors."""
    left = [value]
    while left:
        value = left.pop()
        if isinstance(value, str):
            _text(found, value)
        elif isinstance(value, dict):
            found.texts.extend(value)
            left.extend(value.values())
        elif isinstance(value, list):
            if len(value) >= _SHORTEST_VECTOR and all(type(x) in (int, float) for x in value):
                found.arrays.append(np.asarray(value, dtype=np.float64))
            else:
                left.extend(value)


def _text(found: Contents, text: str) -> None:
    for match in _VECTOR.finditer(text):
        numbers = re.split(r"[,;\s]+", match.group())
        found.arrays.append(np.asarray([float(x) for x in numbers], dtype=np.float64))
        # a table without separators of its own between rows: each line may be a vector too
        for line in match.group().splitlines():
            row = [float(x) for x in re.split(r"[,;\s]+", line.strip(",; \t")) if x]
            if _SHORTEST_VECTOR <= len(row) < len(numbers):
                found.arrays.append(np.asarray(row, dtype=np.float64))
    found.texts.append(_BASE64.sub(lambda match: _packed(found, match.group()), text))


def _packed(found: Contents, run: str) -> str:
    """Looks into a long run of base64; returns what stands for it in the text."""
    plain = run.rstrip("=").replace("-", "+").replace("_", "/")
    try:
        data = base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)
    except (ValueError, binascii.Error):
        return run
    if data.startswith(_PICTURES):
        found.pictures.append(data)
        return " "
    if data[:1] == b"\x78":
        unpacker = zlib.decompressobj()
        try:
            data = unpacker.decompress(data, _LARGEST_BLOB)
        except zlib.error:
            found.opaque.append("a long run of base64 cannot be unpacked")
            return " "
        if unpacker.unconsumed_tail:
            found.opaque.append("a run of base64 unpacks to more than 64 MiB")
            return " "
    if data.startswith(_NPY):
        _array(found, data)
    elif data.startswith(_PICTURES):
        found.pictures.append(data)
    elif (inner := _decoded(data)) is not None:
        found.texts.append(inner)
    else:
        found.opaque.append("a long run of base64 is neither an array, a picture nor text")
    return " "


def _array(found: Contents, data: bytes) -> None:
    try:
        found.arrays.append(np.load(io.BytesIO(data), allow_pickle=False))
    except Exception:  # numpy's header parser raises a dozen types for damaged data
        found.opaque.append("an array cannot be read without running code")
