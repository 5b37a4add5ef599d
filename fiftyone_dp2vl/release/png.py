"""PNG chunk by chunk; the compressed pixels are unpacked to see that they are all there is."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

from .pieces import Piece, malformed, trailing

__all__ = ["PNG_SIGNATURE", "png_pieces"]

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"

_RENDERING = frozenset({b"sRGB", b"gAMA", b"cHRM", b"sBIT", b"pHYs", b"bKGD"})
_RENDERING_BYTES = 32
_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
_PALETTE = 3
_LARGEST_TRANSPARENCY = {0: 2, 2: 6, _PALETTE: 256}
_LARGEST_PALETTE = 768
_STEP = 2**20
# first column, first row, columns apart, rows apart: the seven passes of Adam7
_ADAM7 = (
    *((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4)),
    *((0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)),
)


def png_pieces(data: bytes) -> Iterator[Piece]:
    """Yields the pieces of a PNG file.

    Raises:
        PhotoError: if they do not make one picture
        struct.error, IndexError: if the file is cut short
    """
    chunks, at = _chunks(data)
    if not chunks or chunks[0][0] != b"IHDR" or chunks[-1][0] != b"IEND":
        raise IndexError
    head, colour = _header(chunks[0][1])
    shown = [number for number, (name, _, _) in enumerate(chunks) if name == b"IDAT"]
    if not shown or shown[-1] - shown[0] != len(shown) - 1:
        raise malformed("its compressed pixels are not in one row")
    left = _compressed_bytes(head, [chunks[number][1] for number in shown])
    seen: set[bytes] = set()
    for number, (name, held, raw) in enumerate(chunks):
        if name == b"IDAT":
            yield from _pixels(held, raw, left)
            left -= min(left, len(held))
            continue
        first = name not in seen and (name != b"PLTE" or number < shown[0])
        yield Piece(name.decode("latin-1"), held, raw, first and _is_needed(name, held, colour))
        seen.add(name)
    yield from trailing(data, at)


def _chunks(data: bytes) -> tuple[list[tuple[bytes, bytes, bytes]], int]:
    """Returns (name, what it holds, bytes) of each chunk, and where the last one ends."""
    found, at = [], len(PNG_SIGNATURE)
    while at < len(data):
        size, name = struct.unpack_from(">I4s", data, at)
        end = at + 12 + size
        if end > len(data):
            raise IndexError
        held, raw = data[at + 8 : end - 4], data[at:end]
        if zlib.crc32(raw[4:-4]) != struct.unpack(">I", raw[-4:])[0]:
            raise malformed("a checksum in it is wrong")
        found.append((name, held, raw))
        at = end
        if name == b"IEND":
            break
    return found, at


def _header(held: bytes) -> tuple[tuple[int, ...], int]:
    if len(held) != 13:
        raise malformed("its header is of no known form")
    head = struct.unpack(">IIBBBBB", held)
    _, _, depth, colour, *_, interlace = head
    if colour not in _CHANNELS or interlace > 1:
        raise malformed("its header is of no known form")
    if depth not in (1, 2, 4, 8):
        # readers show the upper eight bits: a whole picture fits into the lower ones
        raise malformed("it has more than 8 bits a channel, of which only 8 are shown")
    return head, colour


def _is_needed(name: bytes, held: bytes, colour: int) -> bool:
    if name == b"IHDR":
        return True
    if name == b"IEND":
        if held:
            raise malformed("its last piece holds something")
        return True
    if name == b"PLTE":
        return colour == _PALETTE and len(held) <= _LARGEST_PALETTE
    if name == b"tRNS":
        return len(held) <= _LARGEST_TRANSPARENCY.get(colour, 0)
    return name in _RENDERING and len(held) <= _RENDERING_BYTES


def _pixels(held: bytes, raw: bytes, left: int) -> Iterator[Piece]:
    """Yields a chunk of compressed pixels, cut where they end; ``left`` of their bytes to come."""
    if left >= len(held):
        yield Piece("IDAT", held, raw, pixels=True)
        return
    if left:
        body = b"IDAT" + held[:left]
        packed = struct.pack(">I", left) + body + struct.pack(">I", zlib.crc32(body))
        yield Piece("IDAT", held[:left], packed, pixels=True)
    rest = held[left:]
    yield Piece("data behind its compressed pixels", rest, rest, pixels=False, hidden=True)


def _compressed_bytes(head: tuple[int, ...], parts: list[bytes]) -> int:
    """Returns how many bytes the stream of pixels has, which unpacks to exactly the picture."""
    wanted, unpacked, read = _raster_bytes(head), 0, 0
    unpacker = zlib.decompressobj()
    for part in parts:
        waiting = part
        while waiting and not unpacker.eof:
            try:
                unpacked += len(unpacker.decompress(waiting, _STEP))
            except zlib.error as error:
                raise malformed("its compressed pixels are damaged") from error
            if unpacked > wanted:
                raise malformed("its compressed pixels are more than the picture has")
            waiting = unpacker.unconsumed_tail
        read += len(part)
        if unpacker.eof:
            break
    if not unpacker.eof or unpacked != wanted:
        raise IndexError
    return read - len(unpacker.unused_data)


def _raster_bytes(head: tuple[int, ...]) -> int:
    """Returns how many bytes the pixels have, one more in each row for its filter."""
    width, height, depth, colour, _, _, interlace = head
    bits = depth * _CHANNELS[colour]
    passes = _ADAM7 if interlace else ((0, 0, 1, 1),)
    total = 0
    for column, row, across, down in passes:
        columns, rows = -((column - width) // across), -((row - height) // down)
        if columns > 0 and rows > 0:
            total += rows * (1 + (columns * bits + 7) // 8)
    return total
