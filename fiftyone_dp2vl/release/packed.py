"""Bytes that were packed into text as base64 or as hexadecimal digits, in one line or in many."""

from __future__ import annotations

import base64
import binascii
import itertools
import re
from collections.abc import Callable

__all__ = ["SHORTEST_PACKED", "without_packed"]

SHORTEST_PACKED = 128
"""Characters: less is an id or a hash, and too little for a picture or an embedding."""

_LINE = r"[A-Za-z0-9+/_-]{8,}"
_BREAK = r"(?:\\[nr]|[\s\"',>#*|]){1,64}"
_RUN = re.compile(rf"{_LINE}(?:{_BREAK}{_LINE})*")
_TAIL = re.compile(rf"{_BREAK}([A-Za-z0-9+/_-]{{1,7}}={{0,2}})(?![\w+/-])")
_BREAKS = re.compile(_BREAK)
_HEX = re.compile(r"[0-9a-f]+|[0-9A-F]+")
_HASHES = frozenset({32, 40, 48, 56, 64, 96, 128})
_SHORTEST_LINE = 32
_BEGINNINGS = 4


def without_packed(text: str, look: Callable[[bytes, bool], bool]) -> str:
    """Returns a text in which a blank stands for each run of packed bytes.

    Args:
        text: any
        look: is given the bytes, and whether they are packed bytes for certain; says whether it
            could tell what they are, or has noted that it could not
    """

    def replaced(match: re.Match[str]) -> str:
        run = match.group()
        if len(run) < SHORTEST_PACKED:
            return run
        lines = _BREAKS.split(run)
        if sum(map(len, lines)) < SHORTEST_PACKED:
            return run
        tail = _TAIL.match(text, match.end())
        return " " if _open(lines, tail.group(1) if tail else "", look) else run

    return _RUN.sub(replaced, text)


def _open(lines: list[str], tail: str, look: Callable[[bytes, bool], bool]) -> bool:
    # a word before the first line would shift all that follows
    for first in range(min(_BEGINNINGS, len(lines))):
        rest = lines[first:]
        if sum(map(len, rest)) < SHORTEST_PACKED:
            break
        for unpack in (_from_hex, _from_base64):
            data = unpack("".join(rest) + tail.rstrip("="))
            if data is not None and look(data, False):
                return True
    if not _is_packed(lines):
        return False
    joined = "".join(lines)
    return look((_from_hex(joined) or _from_base64(joined) or b""), True)


def _is_packed(lines: list[str]) -> bool:
    """Says whether lines are packed bytes by their form, not words, ids or hashes."""
    longest = max(lines, key=len)
    digits = all(_HEX.fullmatch(line) for line in lines)
    if len(longest) > SHORTEST_PACKED or (len(longest) == SHORTEST_PACKED and not digits):
        return True
    alike = all(len(one) == len(other) for one, other in itertools.pairwise(lines[:-1]))
    if len(lines) < 2 or not alike or not len(lines[-1]) <= len(lines[0]) >= _SHORTEST_LINE:
        return False
    if digits:
        return len(lines[0]) not in _HASHES
    joined = "".join(lines)
    kinds = (str.isupper, str.islower, str.isdigit)
    return len(lines[0]) % 4 == 0 and all(any(map(kind, joined)) for kind in kinds)


def _from_hex(text: str) -> bytes | None:
    if not _HEX.fullmatch(text):
        return None
    return bytes.fromhex(text[: len(text) // 2 * 2])


def _from_base64(text: str) -> bytes | None:
    plain = text.replace("-", "+").replace("_", "/")
    if len(plain) % 4 == 1:
        plain = plain[:-1]
    try:
        return base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)
    except (ValueError, binascii.Error):
        return None
