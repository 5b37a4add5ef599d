"""Telephone numbers in text, told from dates, figures, coordinates and ids by what marks them.

A number is marked by its form: ``+`` or ``00`` and a country, the ``0`` of a long-distance call,
an area in parentheses, the three groups of North America; or by a word before it, such as
``phone:``. Without any mark, digits are an id or a figure before they are a telephone number.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence

from .writing import UNSPACED

__all__ = ["phone_spans"]

_GAP = r"[ \u00a0\u2000-\u200a\u202f./\u2010-\u2015-]"
_GROUP = re.compile(r"\+?\(\+?\d+\)|\+?\d+")
_JOINED = re.compile(rf"{_GAP}{{0,3}}")
_MOST_GROUPS = 8
_NOT_BEFORE = re.compile(rf"(?![{UNSPACED}])[\w.+\u2010-\u2015-]")
_WORDS = (
    *("phone", "phones", "telephone", "tel", "mobile", "mobil", "handy", "cellphone", "fax"),
    *("whatsapp", "sms", "call", "dial", "telefon", "telefono", "teléfono", "téléphone"),
    *("telefone", "celular", "móvil", "cellulare", "portable", "gsm", "msisdn", "тел", "телефон"),
)
_UNSPACED = ("电话", "電話", "手机", "手機", "携帯", "전화", "휴대폰")
_ANNOUNCED = re.compile(
    rf"(?:(?<![^\W_])(?:{'|'.join(_WORDS)})(?![^\W\d_])|{'|'.join(_UNSPACED)})[^\d\n+(]{{0,20}}\Z",
    re.IGNORECASE,
)
_LOOKBACK = 40
_FEWEST_ANNOUNCED = 7
_LETTER = re.compile(rf"(?![{UNSPACED}])[^\W\d]")

_DATE = re.compile(
    r"\d{4}-\d{1,2}-\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.](?:19|20)\d\d|(?:19|20)\d\d[./]\d\d?[./]\d\d?"
)
_DECIMALS = re.compile(r"[+-]?\d+\.\d+(?:\s+\d+\.\d+)*")
_AMERICAN = re.compile(r"(?:1[ .-])?[2-9]\d\d([.-])\d{3}\1\d{4}")
_IN_PARENTHESES = re.compile(
    rf"\((?:0\d{{1,5}}\){_GAP}{{0,2}}\d{{3,}}|[1-9]\d{{1,2}}\){_GAP}{{0,2}}\d{{3,5}}{_GAP}\d{{4}})"
)


def phone_spans(text: str) -> Iterator[tuple[int, int]]:
    """Yields where telephone numbers begin and end.

    Args:
        text: any; compatibility forms of digits resolved
    """
    groups = [match.span() for match in _GROUP.finditer(text)]
    joined = [
        _JOINED.fullmatch(text, one[1], other[0]) is not None
        for one, other in itertools.pairwise(groups)
    ]
    joined.append(False)
    behind = 0
    for number, (start, _) in enumerate(groups):
        if start < behind:
            continue
        follows = number > 0 and joined[number - 1]
        if follows and not (text[start - 1].isspace() and text[start] in "+(0"):
            continue
        span = _number_at(text, groups, joined, number)
        if span is not None:
            behind = span[1]
            yield span


def _number_at(
    text: str, groups: Sequence[tuple[int, int]], joined: Sequence[bool], first: int
) -> tuple[int, int] | None:
    """Returns the longest telephone number that begins with a group of digits, if any does."""
    start, last = groups[first][0], first
    if start and _NOT_BEFORE.match(text[start - 1]):
        return None
    while joined[last] and last - first < _MOST_GROUPS - 1:
        last += 1
    announced = groups[last][1] - start >= _FEWEST_ANNOUNCED and _is_announced(text, start)
    certain = announced or text[start] in "+(" or text.startswith("00", start)
    for at in range(last, first - 1, -1):
        end = groups[at][1]
        ends = not joined[at] or (certain and text[end].isspace())
        found = text[start:end]
        if not ends or _LETTER.match(text, end) or _DATE.search(found):
            continue
        if _DECIMALS.fullmatch(found):
            if not announced or not found.endswith(".0"):  # a table's whole number with a gap
                continue
            found = found[:-2]
        digits = sum(map(str.isdigit, found))
        if (announced and _FEWEST_ANNOUNCED <= digits <= 17) or _is_marked(found):
            return start, start + len(found)
    return None


def _is_announced(text: str, start: int) -> bool:
    return _ANNOUNCED.search(text[max(0, start - _LOOKBACK) : start]) is not None


def _is_marked(found: str) -> bool:
    groups = re.findall(r"\d+", found)
    digits = "".join(groups)
    count, split = len(digits), len(groups) > 1
    if found.startswith("+"):
        return digits[0] != "0" and (8 if len(groups) > 2 else 9) <= count <= 15
    if _IN_PARENTHESES.match(found):
        return 8 <= count <= 15
    if _AMERICAN.fullmatch(found):
        return True
    counters = split and all(group[0] == "0" for group in groups)  # 01 02 03 04 05
    if groups[0].startswith("00"):
        return not counters and digits[2:3] not in ("", "0") and 10 <= count <= 17
    if groups[0][0] != "0" or len(groups[0]) < 2:
        return False
    thousands = all(len(group) == 3 for group in groups)  # the end of 1 034 567 890
    return not counters and not thousands and (9 if split else 10) <= count <= 12
