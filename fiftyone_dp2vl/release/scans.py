"""Where the compressed pixels of a JPEG end: each scan is read code by code, nothing is decoded.

A decoder ignores what follows the last block of a scan, so a marker does not say where the pixels
end. Huffman coding, sequential and progressive (ITU-T T.81, annexes F and G).
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from .huffman import Table, high_bits, lookup, low_bits
from .pieces import malformed

__all__ = ["Frame", "joined_segments", "scan_segments"]

_MOST_SCANS = 100
_RESTART = re.compile(rb"\xff+[\xd0-\xd7]")
_STUFFED = re.compile(rb"\xff+\x00")


@dataclass
class Component:
    """A colour channel of a frame.

    Args:
        across: sampling factor
        down: sampling factor
    """

    across: int
    down: int
    level: dict[int, int] = field(default_factory=dict)
    """Coefficient -> the lowest bit of it that was seen."""
    known: list[int] = field(default_factory=list)
    """Of each block which coefficients are not zero, one bit each."""


@dataclass
class Frame:
    """A picture, of which scans tell more and more.

    Args:
        width: in pixels
        height: in pixels
        progressive: whether scans tell parts of coefficients
        components: by their number in the file
    """

    width: int
    height: int
    progressive: bool
    components: dict[int, Component]
    scans: int = 0

    @classmethod
    def of(cls, held: bytes, *, progressive: bool) -> Frame:
        """Returns the frame that a header describes."""
        if len(held) < 6 or len(held) != 6 + 3 * held[5] or held[0] != 8:
            raise malformed("its header is of no known form")
        height, width = int.from_bytes(held[1:3], "big"), int.from_bytes(held[3:5], "big")
        rows = [held[at : at + 3] for at in range(6, len(held), 3)]
        components = {row[0]: Component(row[1] >> 4, row[1] & 15) for row in rows}
        sane = all(0 < c.across < 5 and 0 < c.down < 5 for c in components.values())
        if not sane or not components or len(components) != held[5] or not width or not height:
            raise malformed("its header is of no known form")
        return cls(width, height, progressive, components)

    def bytes_of_scan(
        self, head: bytes, segments: Sequence[bytes], tables: dict[int, Table], restart: int
    ) -> list[int]:
        """Returns how many bytes of each segment the scan's blocks need.

        Args:
            head: what the scan's header holds
            segments: what lies between restart marks, see :func:`scan_segments`
            tables: class << 4 | number -> Huffman table
            restart: units between restart marks, 0 for no marks

        Raises:
            PhotoError: if the scan is not one that has to come next
            IndexError: if a segment ends before its blocks do
        """
        if not head or len(head) != 4 + 2 * head[0]:
            raise malformed("a scan's header is of no known form")
        self.scans += 1
        if self.scans > _MOST_SCANS:
            raise malformed(f"it has more than {_MOST_SCANS} scans")
        chosen = [(head[at], head[at + 1]) for at in range(1, 1 + 2 * head[0], 2)]
        if len({number for number, _ in chosen}) != len(chosen):
            raise malformed("a scan has a channel twice")
        try:
            parts = [(self.components[number], which) for number, which in chosen]
            first, last, steps = head[-3], head[-2], head[-1]
            if not self.progressive:
                first, last, steps = 0, 63, 0
            self._advance([part for part, _ in parts], first, last, steps >> 4, steps & 15)
            reader = _Scan(self, parts, tables, first, last, refining=steps >> 4 > 0)
        except KeyError as error:
            raise malformed("a scan has no such channel or table") from error
        return reader.sizes(segments, restart)

    def _advance(
        self, parts: Sequence[Component], first: int, last: int, before: int, now: int
    ) -> None:
        """Notes which bits a scan tells; each is told once, the highest first."""
        one_kind = last == 0 if first == 0 else first <= last < 64 and len(parts) == 1
        told_first = first == 0 or all(0 in part.level for part in parts)
        fine = now <= 13 and (before in (0, now + 1)) and told_first
        if self.progressive and not (one_kind and fine):
            raise malformed("its scans do not follow one another")
        wanted = before if before else None
        for part in parts:
            for coefficient in range(first, last + 1):
                if part.level.get(coefficient) != wanted:
                    raise malformed("its scans tell the same pixels twice")
                part.level[coefficient] = now

    def units(self, parts: Sequence[Component]) -> int:
        """Returns how many units a scan of some channels has."""
        across = max(part.across for part in self.components.values())
        down = max(part.down for part in self.components.values())
        if len(parts) > 1:
            return -(-self.width // (8 * across)) * -(-self.height // (8 * down))
        (part,) = parts
        columns, rows = -(-self.width * part.across // across), -(-self.height * part.down // down)
        return -(-columns // 8) * -(-rows // 8)


class _Scan:
    """Reads the codes of one scan."""

    def __init__(
        self,
        frame: Frame,
        parts: Sequence[tuple[Component, int]],
        tables: dict[int, Table],
        first: int,
        last: int,
        *,
        refining: bool,
    ) -> None:
        self.first, self.last, self.refining = first, last, refining
        self.units = frame.units([part for part, _ in parts])
        self.part = parts[0][0]
        interleaved = len(parts) > 1
        pairs = []
        for part, which in parts:
            low = None if first > 0 or refining else tables[which >> 4]
            high = None if last == 0 else tables[16 | which & 15]
            pairs += [(low, high)] * (part.across * part.down if interleaved else 1)
        self.pairs = pairs
        self.read: Callable[[array[int], int, int], int]
        if not frame.progressive:
            self.read = self._sequential
            self.codes = [(low_bits(low), high_bits(high)) for low, high in pairs]
        elif first == 0:
            self.read = self._low
            self.lows = [] if refining else [low_bits(low) for low, _ in pairs]
        else:
            self.read = self._refine if refining else self._high
            self.table = lookup(pairs[0][1], lambda bits, symbol: bits << 8 | symbol)

    def sizes(self, segments: Sequence[bytes], restart: int) -> list[int]:
        each = restart or self.units
        if len(segments) != -(-self.units // each):
            raise malformed("its restart marks are not where they have to be")
        if self.first > 0 and not self.part.known:
            self.part.known = [0] * self.units
        sizes, at = [], 0
        for segment in segments:
            count = min(each, self.units - at)
            bits = self.read(_words(segment), at, count)
            if bits > 8 * len(segment):
                raise IndexError
            sizes.append((bits + 7) // 8)
            at += count
        return sizes

    def _sequential(self, words: array[int], _: int, count: int) -> int:
        at = 0
        for _ in range(count):
            for low, high in self.codes:
                at += low[(words[at >> 3] >> (8 - (at & 7))) & 0xFFFF] >> 8
                place = 1
                while place < 64:
                    code = high[(words[at >> 3] >> (8 - (at & 7))) & 0xFFFF]
                    at += code >> 8
                    place += code & 255
        return at

    def _low(self, words: array[int], _: int, count: int) -> int:
        if self.refining:
            return count * len(self.pairs)
        at = 0
        for _ in range(count):
            for low in self.lows:
                at += low[(words[at >> 3] >> (8 - (at & 7))) & 0xFFFF] >> 8
        return at

    def _high(self, words: array[int], begin: int, count: int) -> int:
        table, known, last = self.table, self.part.known, self.last
        at, block, end = 0, begin, begin + count
        while block < end:
            place, mask, run = self.first, 0, 1
            while place <= last:
                code = table[(words[at >> 3] >> (8 - (at & 7))) & 0xFFFF]
                at += code >> 8
                zeros, size = (code & 255) >> 4, code & 15
                if size:
                    place += zeros
                    mask |= 1 << place
                    place += 1
                    at += size
                elif zeros == 15:
                    place += 16
                else:
                    run, at = _run(words, at, zeros)
                    break
            known[block] |= mask
            block += run
        if block > end:
            raise malformed("a run leads out of its scan")
        return at

    def _refine(self, words: array[int], begin: int, count: int) -> int:
        table, known, first, last = self.table, self.part.known, self.first, self.last
        at = run = 0
        for block in range(begin, begin + count):
            place, mask = first, known[block]
            while place <= last and not run:
                code = table[(words[at >> 3] >> (8 - (at & 7))) & 0xFFFF]
                at += code >> 8
                zeros, size = (code & 255) >> 4, code & 15
                if size > 1:
                    raise malformed("a scan corrects by more than one bit")
                if not size and zeros < 15:
                    run, at = _run(words, at, zeros)
                    break
                at += size
                while place <= last:
                    if mask >> place & 1:
                        at += 1
                    elif zeros:
                        zeros -= 1
                    else:
                        break
                    place += 1
                if size:
                    mask |= 1 << place
                place += 1
            if run:
                at += ((mask & ((2 << last) - 1)) >> place).bit_count()
                run -= 1
            known[block] = mask
        return at


def scan_segments(data: bytes) -> list[bytes]:
    """Returns what lies between the restart marks of a scan's data, without its stuffing.

    Raises:
        PhotoError: if the marks are not in their order
    """
    for number, mark in enumerate(_RESTART.findall(data)):
        if mark[-1] != 0xD0 + number % 8:
            raise malformed("its restart marks are not where they have to be")
    return [_STUFFED.sub(b"\xff", part) for part in _RESTART.split(data)]


def joined_segments(segments: Sequence[bytes]) -> bytes:
    """Returns a scan's data as a file holds it, from segments without stuffing."""
    parts = []
    for number, segment in enumerate(segments):
        if number:
            parts.append(bytes([0xFF, 0xD0 + (number - 1) % 8]))
        parts.append(segment.replace(b"\xff", b"\xff\x00"))
    return b"".join(parts)


def _words(segment: bytes) -> array[int]:
    """Returns the 24 bits that begin at each byte."""
    data = np.frombuffer(segment + bytes(3), dtype=np.uint8).astype(np.uint32)
    made = array("I")
    made.frombytes((data[:-2] << 16 | data[1:-1] << 8 | data[2:]).tobytes())
    return made


def _run(words: array[int], at: int, size: int) -> tuple[int, int]:
    """Returns how many blocks end here, and where the number of them ends."""
    more = ((words[at >> 3] >> (8 - (at & 7))) & 0xFFFF) >> (16 - size)
    return (1 << size) + more, at + size
