"""Cards as Markdown: one figure in a sentence, or a table."""

from __future__ import annotations

from collections.abc import Sequence

from .cards import CardError, ResultCard, Row

__all__ = ["card_markdown", "figure_text", "label", "table_markdown"]

_TIMES = "\N{MULTIPLICATION SIGN}"
_ABSENT = "\N{EN DASH}"

_DIGITS = {
    "share": 1,
    "dB": 1,
    "levels": 0,
    "photos/s": 2,
    "ms": 0,
    "s": 1,
    "MiB": 0,
    "ratio": 2,
    "TFLOP/s": 0,
    "": 2,
}

_WORDS = {
    "identity_probe": "identity probe",
    "knn_probe": "kNN probe",
    "class_mean_probe": "class-mean probe",
    "inverted_class_mean_probe": "inverted class-mean probe",
    "ssim": "SSIM",
    "psnr": "PSNR",
    "linf": "L∞",
    "mmd2": "MMD²",
    "rss": "resident memory",
    "mfu": "MFU",
}


def label(name: str) -> str:
    """Returns a figure's or condition's name as it stands in a table."""
    return _WORDS.get(name, name.replace("_", " "))


def _number(value: float, unit: str) -> str:
    shown = value * 100 if unit == "share" else value
    text = f"{shown:.{_DIGITS[unit]}f}"
    # "-0.0" says something that was not measured
    return text[1:] if text.startswith("-") and float(text) == 0 else text


def figure_text(row: Row, *, interval: bool = True) -> str:
    """Returns for example ``8.3 % [5.1, 12.0]`` or ``34.2 dB``."""
    sign = "%" if row.unit == "share" else _TIMES if row.unit == "ratio" else row.unit
    text = f"{_number(row.value, row.unit)} {sign}".rstrip()
    if interval and row.interval is not None:
        low, high = (_number(end, row.unit) for end in row.interval)
        text += f" [{low}, {high}]"
    return text


def table_markdown(
    card: ResultCard, rows: Sequence[str], columns: str = "figure", **conditions: str
) -> str:
    """Returns a Markdown table: one line a combination of ``rows``, one column a ``columns``.

    Args:
        card: the card
        rows: names of the conditions that vary from line to line
        columns: the condition that varies from column to column, or ``"figure"``; a comma list
            after a colon (``figure:psnr,ssim``) chooses and orders the columns
        **conditions: what all cells share

    Raises:
        CardError: if nothing is selected, or two rows of the card fall into one cell
    """
    columns, _, wanted = columns.partition(":")
    cells: dict[tuple[str, ...], dict[str, str]] = {}
    heads: list[str] = wanted.split(",") if wanted else []
    for row in card.select(**conditions):
        place = {**row.conditions, "figure": row.figure}
        if columns not in place or any(key not in place for key in rows):
            continue
        head = place[columns]
        if wanted and head not in heads:
            continue
        if head not in heads:
            heads.append(head)
        line = cells.setdefault(tuple(place[key] for key in rows), {})
        if head in line:
            raise CardError(
                f"card {card.name!r}: two figures fall into one cell ({head}): "
                f"add a condition that tells them apart"
            )
        line[head] = figure_text(row)
    if not cells:
        raise CardError(f"card {card.name!r} has no rows for this table")
    lines = ["| " + " | ".join([*map(label, rows), *map(label, heads)]) + " |"]
    lines.append("|" + "---|" * len(rows) + "---:|" * len(heads))
    for key, line in cells.items():
        lines.append("| " + " | ".join([*key, *(line.get(head, _ABSENT) for head in heads)]) + " |")
    return "\n".join(lines)


def card_markdown(card: ResultCard) -> str:
    """Returns the whole card: every row with its n and conditions, and where it was measured."""
    lines = [f"**{card.title}**", "", f"`{card.command}`, {card.date}", ""]
    lines += ["| figure | conditions | value [95 %] | n |", "|---|---|---:|---:|"]
    for row in card.rows:
        where = ", ".join(f"{key}: {value}" for key, value in row.conditions.items())
        lines.append(f"| {label(row.figure)} | {where} | {figure_text(row)} | {row.n} |")
    lines += ["", *(f"- {note}" for note in card.notes)]
    lines += ["", ", ".join(f"{key} {value}" for key, value in card.environment.items())]
    return "\n".join(lines).replace("\n\n\n", "\n\n")
