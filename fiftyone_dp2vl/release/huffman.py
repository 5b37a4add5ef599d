"""Huffman tables of a JPEG, as what each code takes up and says (ITU-T T.81, annex C)."""

from __future__ import annotations

from collections.abc import Callable

from .pieces import malformed

__all__ = ["Table", "high_bits", "huffman_tables", "lookup", "low_bits"]

_OUTSIDE = 1 << 48
"""Bits of a code that does not exist: whoever reads on stands behind the end."""

_TABLE_BYTES = 17

Table = tuple[bytes, bytes]
"""How many codes have 1, ..., 16 bits, and what they stand for."""


def huffman_tables(held: bytes) -> dict[int, Table]:
    """Returns the tables of a segment: class << 4 | number -> table.

    Raises:
        PhotoError: if it holds anything else, or a table twice
    """
    found: dict[int, Table] = {}
    at = 0
    while at < len(held):
        counts = held[at + 1 : at + _TABLE_BYTES]
        end = at + _TABLE_BYTES + sum(counts)
        known = held[at] >> 4 <= 1 and held[at] & 15 <= 3
        if end > len(held) or held[at] in found or not known:
            raise malformed("a table of codes is of no known form")
        found[held[at]] = (counts, held[at + _TABLE_BYTES : end])
        at = end
    return found


def low_bits(table: Table | None) -> list[int]:
    """Returns for 16 bits to come: bits of the lowest coefficient's code and value << 8."""
    return lookup(table, lambda bits, size: bits + size << 8 if size < 16 else _OUTSIDE)


def high_bits(table: Table | None) -> list[int]:
    """Returns for 16 bits to come: bits of a code and its value << 8 | coefficients passed."""

    def entry(bits: int, symbol: int) -> int:
        zeros, size = symbol >> 4, symbol & 15
        ends = not size and zeros < 15
        return bits + size << 8 | (64 if ends else zeros + 1)

    return lookup(table, entry)


def lookup(table: Table | None, entry: Callable[[int, int], int]) -> list[int]:
    """Returns for each 16 bits to come what the code at their beginning says."""
    assert table is not None  # scans are given the tables that they read
    counts, symbols = table
    found: list[int] = []
    at = 0
    for bits, count in enumerate(counts, start=1):
        for symbol in symbols[at : at + count]:
            found += [entry(bits, symbol)] * (1 << 16 - bits)
        at += count
        if len(found) > 1 << 16:
            raise malformed("a table of codes is of no known form")
    return found + [_OUTSIDE] * ((1 << 16) - len(found))
