"""Where the parts of a lossy WebP's frame lie, by the head of a VP8 key frame (RFC 6386, 9)."""

from __future__ import annotations

from .pieces import malformed

__all__ = ["partitions", "with_shorter_partition"]

_HEAD = 10
_START = b"\x9d\x01\x2a"


class _Bits:
    """Reads bits of even odds from VP8's arithmetic coder; zeros follow the end."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._value = int.from_bytes((data[:2] + b"\0\0")[:2], "big")
        self._at, self._range, self._shifts = 2, 255, 0

    def number(self, bits: int) -> int:
        value = 0
        for _ in range(bits):
            value = value << 1 | self._bit()
        return value

    def _bit(self) -> int:
        split = 1 + ((self._range - 1) * 128 >> 8)
        bit = int(self._value >= split << 8)
        if bit:
            self._range -= split
            self._value -= split << 8
        else:
            self._range = split
        while self._range < 128:
            self._value <<= 1
            self._range <<= 1
            self._shifts += 1
            if self._shifts == 8:
                self._shifts = 0
                if self._at < len(self._data):
                    self._value |= self._data[self._at]
                self._at += 1
        return bit


def partitions(frame: bytes) -> list[tuple[int, int]]:
    """Returns where each partition of a key frame begins and ends; the last ends with the frame.

    Raises:
        PhotoError: if it is no key frame, or its sizes do not add up
    """
    if len(frame) < _HEAD or frame[0] & 1 or frame[3:6] != _START:
        raise malformed("its frame is of no known form")
    end = _HEAD + (int.from_bytes(frame[:3], "little") >> 5)
    found = [(_HEAD, end)]
    others = (1 << _log2_of_partitions(_Bits(frame[_HEAD:end]))) - 1
    sizes_at, end = end, end + 3 * others
    for at in range(sizes_at, end, 3):
        begin, end = end, end + int.from_bytes(frame[at : at + 3], "little")
        found.append((begin, end))
    if end > len(frame):
        raise malformed("the parts of its frame do not add up")
    return [*found, (end, len(frame))]


def with_shorter_partition(frame: bytes, number: int, fewer: int) -> bytes:
    """Returns a frame whose partition lacks its last bytes.

    Args:
        frame: a key frame
        number: of the partition, as in :func:`partitions`
        fewer: bytes to leave out, of which the partition has as many
    """
    parts = partitions(frame)
    end = parts[number][1]
    made = bytearray(frame)
    if number == 0:
        tag = int.from_bytes(made[:3], "little") - (fewer << 5)
        made[:3] = tag.to_bytes(3, "little")
    elif number < len(parts) - 1:
        at = parts[0][1] + 3 * (number - 1)
        size = int.from_bytes(made[at : at + 3], "little") - fewer
        made[at : at + 3] = size.to_bytes(3, "little")
    del made[end - fewer : end]
    return bytes(made)


def _log2_of_partitions(bits: _Bits) -> int:
    bits.number(2)  # colour space, clamping
    if bits.number(1):
        _skip_segments(bits)
    bits.number(1 + 6 + 3)  # the loop filter's kind, level and sharpness
    if bits.number(1) and bits.number(1):
        for _ in range(8):
            if bits.number(1):
                bits.number(6 + 1)
    return bits.number(2)


def _skip_segments(bits: _Bits) -> None:
    new_map, new_data = bits.number(1), bits.number(1)
    if new_data:
        bits.number(1)
        for size in (7, 6):  # quantisers, then filter levels, each with a sign
            for _ in range(4):
                if bits.number(1):
                    bits.number(size + 1)
    if new_map:
        for _ in range(3):
            if bits.number(1):
                bits.number(8)
