"""WebP chunk by chunk; of a chunk of pixels, what a decoder reads of it.

The formats do not say where a chunk's pixels end, the decoder does: a stream that is cut before
its end cannot be decoded, one that is cut behind it gives the same pixels.
"""

from __future__ import annotations

import hashlib
import io
import struct
from collections.abc import Iterator

from PIL import Image

from ..media.reading import MAX_PIXELS
from .pieces import Piece, malformed, trailing
from .vp8 import partitions, with_shorter_partition

__all__ = ["webp_file", "webp_pieces"]

_LOSSY, _LOSSLESS, _ALPHA, _EXTENDED = b"VP8 ", b"VP8L", b"ALPH", b"VP8X"
_EXTENDED_BYTES = 10
_ALPHA_FLAG = 0x10
_TOLERATED = 16
"""Bytes behind the pixels that are not looked for: coders end a stream in as many."""

Chunk = tuple[bytes, bytes]
"""Label and what it holds."""


def webp_pieces(data: bytes) -> Iterator[Piece]:
    """Yields the pieces of a WebP file.

    Raises:
        PhotoError: if they do not make one picture
        struct.error, IndexError: if the file is cut short
    """
    (size,) = struct.unpack_from("<I", data, 4)
    end, at = 8 + size, 12
    if end > len(data):
        raise IndexError
    chunks: list[Chunk] = []
    while at < end:
        name, held = struct.unpack_from("<4sI", data, at)
        if at + 8 + held > end:
            raise IndexError
        chunks.append((name, data[at + 8 : at + 8 + held]))
        at += 8 + held + held % 2
    shown = _shown(chunks)
    needed = _needed([chunks[number] for number in shown])
    for number, (name, held) in enumerate(chunks):
        label = name.decode("latin-1").strip()
        if number not in shown:
            hidden = name in (_LOSSY, _LOSSLESS, _ALPHA)
            yield Piece(label, held, _raw(name, held), pixels=False, hidden=hidden)
            continue
        kept, rest = needed[shown.index(number)]
        yield Piece(label, kept, _raw(name, kept), pixels=True)
        if rest:
            yield Piece("data behind its compressed pixels", rest, rest, pixels=False, hidden=True)
    yield from trailing(data, end)


def webp_file(chunks: Iterator[Chunk] | list[Chunk]) -> bytes:
    """Returns a file of some chunks; its header promises no more than they hold."""
    body = b"WEBP"
    for name, held in chunks:
        # no EXIF, no XMP, no profile
        extended = name == _EXTENDED
        body += _raw(name, bytes([held[0] & _ALPHA_FLAG]) + held[1:] if extended else held)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def _raw(name: bytes, held: bytes) -> bytes:
    return name + struct.pack("<I", len(held)) + held + bytes(len(held) % 2)


def _shown(chunks: list[Chunk]) -> list[int]:
    """Returns which chunks make the picture that viewers show: the first that does."""
    names = [name for name, _ in chunks]
    frame = next((n for n, name in enumerate(names) if name in (_LOSSY, _LOSSLESS)), None)
    if frame is None or not names:
        raise IndexError
    if names[0] != _EXTENDED:
        if frame != 0:
            raise malformed("its picture is not where it has to be")
        return [frame]
    head = chunks[0][1]
    if len(head) != _EXTENDED_BYTES:
        raise malformed("its header is of no known form")
    shown = [0]
    if names[frame] == _LOSSY and _ALPHA in names[:frame]:
        if not head[0] & _ALPHA_FLAG:
            raise malformed("it has transparency that its header denies")
        shown.append(names.index(_ALPHA))
    return [*shown, frame]


def _needed(shown: list[Chunk]) -> list[Chunk]:
    """Returns of each chunk what a decoder reads, and what lies behind that."""
    wanted = _digest(shown)
    if wanted is None:
        raise malformed("its picture cannot be decoded")
    kept, rests = list(shown), [b""] * len(shown)
    for number, (name, held) in enumerate(shown):
        if name == _EXTENDED:
            continue
        for part in range(len(_parts(name, held))):
            now = kept[number][1]
            begin, end = _parts(name, now)[part]
            fewer = _spare(kept, number, part, end - begin, wanted)
            if fewer:
                rests[number] += now[end - fewer : end]
                kept[number] = (name, _cut(name, now, part, fewer))
    return [(held, rest) for (_, held), rest in zip(kept, rests, strict=True)]


def _parts(name: bytes, held: bytes) -> list[tuple[int, int]]:
    return partitions(held) if name == _LOSSY else [(0, len(held))]


def _cut(name: bytes, held: bytes, part: int, fewer: int) -> bytes:
    return with_shorter_partition(held, part, fewer) if name == _LOSSY else held[:-fewer]


def _spare(chunks: list[Chunk], number: int, part: int, size: int, wanted: str) -> int:
    """Returns how many bytes of a part can be left out, 0 where it is no more than coders leave."""
    name, held = chunks[number]

    def same(fewer: int) -> bool:
        tried = (name, _cut(name, held, part, fewer))
        return _digest([*chunks[:number], tried, *chunks[number + 1 :]]) == wanted

    fewest, most = _TOLERATED, size
    if fewest >= most or not same(fewest):
        return 0
    while most - fewest > 1:
        middle = (fewest + most) // 2
        fewest, most = (middle, most) if same(middle) else (fewest, middle)
    return fewest


def _digest(chunks: list[Chunk]) -> str | None:
    """Returns a hash of the pixels that viewers show, or None where they show none."""
    try:
        with Image.open(io.BytesIO(webp_file(chunks)), formats=("WEBP",)) as image:
            if image.width * image.height > MAX_PIXELS:
                return None
            digest = hashlib.sha256(f"{image.mode} {image.size}".encode())
            digest.update(image.tobytes())
            return digest.hexdigest()
    except Exception:  # the decoder raises half a dozen types for damaged data
        return None
