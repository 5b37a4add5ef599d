"""JPEG marker by marker: one picture, and of its scans the bytes that its blocks need."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

from .huffman import Table, huffman_tables
from .pieces import Piece, malformed, trailing
from .scans import Frame, joined_segments, scan_segments

__all__ = ["jpeg_pieces"]

_RESTARTS = range(0xD0, 0xD8)
_TEM, _SOI, _EOI, _SOS, _APP0, _APP14 = 0x01, 0xD8, 0xD9, 0xDA, 0xE0, 0xEE
_DQT, _DHT, _DRI, _COM = 0xDB, 0xC4, 0xDD, 0xFE
_SEQUENTIAL, _PROGRESSIVE = (0xC0, 0xC1), 0xC2
_OTHER_FRAMES = frozenset({0xC3, *range(0xC5, 0xC8), *range(0xC9, 0xCC), *range(0xCD, 0xD0)})
_OTHER_CODING = 0xCC


@dataclass
class _State:
    """What the markers so far have said."""

    frame: Frame | None = None
    tables: dict[int, Table] = field(default_factory=dict)
    restart: int = 0
    headers: set[int] = field(default_factory=set)
    fresh: set[tuple[int, int]] = field(default_factory=set)
    """Tables that no scan has used yet."""


def jpeg_pieces(data: bytes) -> Iterator[Piece]:
    """Yields the pieces of a JPEG file; of an MPO the second picture is trailing data.

    Raises:
        PhotoError: if they do not make one picture
        struct.error, IndexError: if the file is cut short
    """
    state, at = _State(), 2
    yield Piece(_name(_SOI), b"", data[:2], pixels=True)
    while True:
        start = at
        if data[at] != 0xFF:
            raise IndexError
        while data[at] == 0xFF:
            at += 1
        marker = data[at]
        at += 1
        if marker == _EOI:
            yield Piece(_name(marker), b"", b"\xff\xd9", pixels=True)
            break
        if marker in (_SOI, _OTHER_CODING) or marker in _OTHER_FRAMES:
            raise malformed("it holds a second picture, or one that cannot be checked")
        if marker == _TEM or marker in _RESTARTS:
            yield Piece(_name(marker), b"", data[start:at], pixels=False)
            continue
        (size,) = struct.unpack_from(">H", data, at)
        end = at + size
        if size < 2 or end > len(data):
            raise IndexError
        held, raw = data[at + 2 : end], bytes([0xFF, marker]) + data[at:end]
        if marker == _SOS:
            last = _end_of_scan(data, end)
            yield from _scan(state, held, raw, data[end:last])
            end = last
        else:
            yield Piece(_name(marker), held, raw, _is_needed(state, marker, held))
        at = end
    if state.frame is None or state.frame.scans == 0:
        raise IndexError
    if state.fresh:
        raise malformed("it has tables that nothing uses")
    yield from trailing(data, at)


def _is_needed(state: _State, marker: int, held: bytes) -> bool:
    """Notes what a segment says; says whether a decoder needs it."""
    if marker in _SEQUENTIAL or marker == _PROGRESSIVE:
        if state.frame is not None:
            raise malformed("it holds a second picture")
        state.frame = Frame.of(held, progressive=marker == _PROGRESSIVE)
        return True
    if marker == _DHT:
        tables = huffman_tables(held)
        _note_fresh(state, {(_DHT, number) for number in tables})
        state.tables |= tables
        return True
    if marker == _DQT:
        _note_fresh(state, {(_DQT, number) for number in _quantisers(held)})
        return True
    if marker == _DRI:
        if len(held) != 2:
            raise malformed("a header in it is of no known form")
        _note_fresh(state, {(_DRI, 0)})
        state.restart = int.from_bytes(held, "big")
        return True
    first = marker not in state.headers
    state.headers.add(marker)
    return first and _is_plain_header(marker, held)


def _note_fresh(state: _State, tables: set[tuple[int, int]]) -> None:
    """Refuses tables that are replaced before a scan has read them: they would hold anything."""
    if tables & state.fresh:
        raise malformed("it has tables that nothing uses")
    state.fresh |= tables


def _quantisers(held: bytes) -> Iterator[int]:
    at = 0
    while at < len(held):
        wide, number = held[at] >> 4, held[at] & 15
        at += 129 if wide else 65
        if at > len(held) or wide > 1 or number > 3:
            raise malformed("a table in it is of no known form")
        yield number


def _is_plain_header(marker: int, held: bytes) -> bool:
    """Says whether a JFIF header has no thumbnail, or an Adobe one nothing but the transform."""
    if marker == _APP0:
        return held[:5] == b"JFIF\0" and len(held) == 14 and held[12:14] == b"\0\0"
    return marker == _APP14 and held[:5] == b"Adobe" and len(held) == 12


def _scan(state: _State, held: bytes, head: bytes, data: bytes) -> Iterator[Piece]:
    """Yields a scan as its blocks need it, and then what else lies in it."""
    if state.frame is None:
        raise malformed("it has a scan without a picture")
    segments = scan_segments(data)
    sizes = state.frame.bytes_of_scan(held, segments, state.tables, state.restart)
    state.fresh.clear()
    needed = [segment[:size] for segment, size in zip(segments, sizes, strict=True)]
    yield Piece(_name(_SOS), held, head + joined_segments(needed), pixels=True)
    rest = b"".join(segment[size:] for segment, size in zip(segments, sizes, strict=True))
    if rest:
        yield Piece("data behind its compressed pixels", rest, rest, pixels=False, hidden=True)


def _end_of_scan(data: bytes, at: int) -> int:
    while True:
        at = data.find(b"\xff", at)
        if at < 0 or at + 1 >= len(data):
            raise IndexError
        if data[at + 1] not in (0, 0xFF) and data[at + 1] not in _RESTARTS:
            return at
        at += 1 if data[at + 1] == 0xFF else 2


def _name(marker: int) -> str:
    if 0xE0 <= marker <= 0xEF:
        return f"APP{marker - 0xE0}"
    return "comment" if marker == _COM else f"marker {marker:02X}"
