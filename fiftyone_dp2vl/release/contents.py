"""What is inside a file that is not a picture: words, numbers, and things packed into text.

Nothing is run and nothing is unpickled. What cannot be looked into is said to be opaque.
"""

from __future__ import annotations

import html
import io
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .metadata import PICTURE_SIGNATURE
from .packed import without_packed
from .text_numbers import number_arrays

__all__ = ["LARGEST_FILE", "Contents", "contents_of"]

LARGEST_FILE = 512 * 2**20
"""Bytes: a larger file is not looked into."""

_LARGEST_BLOB = 64 * 2**20
_DEEPEST = 4
_LONGEST_WORD = 6
_NPY = b"\x93NUMPY"
_ZLIB, _GZIP = b"\x78", b"\x1f\x8b"
_PICTURES = (
    *(b"\xff\xd8\xff", b"\x89PNG", b"GIF8", b"RIFF", b"II*\0", b"MM\0*"),
    *(b"\0\0\0\x0cjP", b"\xff\x4f\xff\x51", b"\0\0\0\x0cJXL"),
)
_TABLES = (".csv", ".tsv", ".txt")
_WHOLE_NUMBER = re.compile(r"\d{7,17}(?:\.0)?")


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
    from .json_values import read_json

    found = Contents()
    if data.startswith(_NPY):
        _array(found, data)
        return found
    text = _decoded(data)
    if text is None:
        found.opaque.append("it is neither a picture nor text")
    elif (values := read_json(text)) is not None:
        found.arrays += values.arrays
        found.opaque += values.opaque
        for words in values.texts:
            _text(found, words)
    else:
        text = html.unescape(text)
        if name.lower().endswith(_TABLES):
            found.texts += _named_cells(text)
        found.arrays += number_arrays(text)
        _text(found, text)
    return found


def _decoded(data: bytes) -> str | None:
    encoding = "utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError:
        return None
    return None if "\0" in text else text


def _named_cells(text: str) -> Iterator[str]:
    """Yields a table's long whole numbers with the names of their columns: 4915... says little."""
    lines = text.splitlines()
    if not lines:
        return
    mark = max(",;\t|", key=lines[0].count)
    names = lines[0].split(mark)
    for line in lines[1:]:
        for name, cell in zip(names, line.split(mark), strict=False):
            if _WHOLE_NUMBER.fullmatch(cell.strip(' "')):
                yield f"{name}: {cell}"


def _text(found: Contents, text: str, depth: int = 0) -> None:
    def look(data: bytes, certain: bool) -> bool:
        return _bytes(found, data, depth + 1, certain)

    found.texts.append(without_packed(text, look))


def _bytes(found: Contents, data: bytes, depth: int, certain: bool) -> bool:
    """Notes what bytes from a text hold; says whether that could be told.

    What cannot be told is opaque if it is ``certain`` that the bytes were packed on purpose.
    """
    if depth > _DEEPEST:
        found.opaque.append("it is packed more than four times over")
        return True
    if data.startswith((_ZLIB, _GZIP)):
        unpacked = _unpacked(data)
        if unpacked is not None:
            if len(unpacked) >= _LARGEST_BLOB:
                found.opaque.append("a run of base64 unpacks to more than 64 MiB")
                return True
            return _bytes(found, unpacked, depth + 1, True)
    if _is_picture(data):
        found.pictures.append(data)
    elif data.startswith(_NPY):
        _array(found, data)
    elif (inner := _decoded(data)) is not None and (certain or _is_written(inner)):
        found.arrays += number_arrays(inner)
        _text(found, inner, depth)
    elif certain:
        found.opaque.append("a long run of base64 is neither an array, a picture nor text")
    else:
        return False
    return True


def _is_written(text: str) -> bool:
    """Says whether a text is one that somebody wrote, not bytes that happen to be letters."""
    return all(character.isprintable() or character.isspace() for character in text)


def _unpacked(data: bytes) -> bytes | None:
    unpacker = zlib.decompressobj(zlib.MAX_WBITS | 32)  # zlib or gzip, by its header
    try:
        unpacked = unpacker.decompress(data, _LARGEST_BLOB)
    except zlib.error:
        return None
    # a few bytes may be of a word that stands behind the run
    return None if len(unpacker.unused_data) > _LONGEST_WORD else unpacked


def _is_picture(data: bytes) -> bool:
    bitmap = data.startswith(b"BM") and data[6:10] == bytes(4)
    return bitmap or data.startswith(_PICTURES) or data[4:8] == b"ftyp"


def _array(found: Contents, data: bytes) -> None:
    stream = io.BytesIO(data)
    try:
        array = np.load(stream, allow_pickle=False)
    except Exception:  # numpy's header parser raises a dozen types for damaged data
        found.opaque.append("an array cannot be read without running code")
        return
    if stream.read(1):
        found.opaque.append("something follows the end of an array")
    _values(found, array)


def _values(found: Contents, array: NDArray[Any]) -> None:
    if array.dtype.names is not None:
        found.texts += array.dtype.names
        for name in array.dtype.names:
            _values(found, array[name])
    elif array.dtype.kind == "U":
        for text in array.reshape(-1).tolist():
            _text(found, text)
    elif array.dtype.kind in "SV":
        found.opaque.append("an array holds bytes that are no numbers")
    elif array.dtype.itemsize == 1 and PICTURE_SIGNATURE.search(data := array.tobytes()):
        found.pictures.append(data)
    else:
        found.arrays.append(array)
