"""Documents take their numbers from cards: marked blocks are filled in by machine.

A block is ``<!-- card:NAME WHAT -->text<!-- /card -->``, where WHAT is

* ``figure KEY=VALUE ...``: the one row under these conditions, with its interval;
* ``value KEY=VALUE ...``: the same without the interval;
* ``table rows=A,B columns=C KEY=VALUE ...``: see
  :func:`~fiftyone_dp2vl.measure.render.table_markdown`;
* ``all``: the whole card.

Where a card has not been made, its blocks say so.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

from .cards import CardError, ResultCard
from .render import card_markdown, figure_text, table_markdown

__all__ = ["documents", "fill", "stale"]

_BLOCK = re.compile(
    r"<!-- card:(?P<name>[\w-]+) (?P<what>[^>]*?) -->(?P<text>.*?)<!-- /card -->", re.S
)
_OPENING = re.compile(r"<!-- card:")
_FENCE = re.compile(r"^```.*?^```", re.S | re.M)


def _settings(words: list[str], where: str) -> dict[str, str]:
    settings = {}
    for word in words:
        key, equals, value = word.partition("=")
        if not equals:
            raise CardError(f"{where}: {word!r} is not KEY=VALUE")
        settings[key] = value
    return settings


def _text(card: ResultCard, what: str, where: str) -> str:
    kind, *words = shlex.split(what)
    settings = _settings(words, where)
    if kind in ("figure", "value"):
        return figure_text(card.one(**settings), interval=kind == "figure")
    if kind == "table":
        rows = settings.pop("rows", "").split(",")
        columns = settings.pop("columns", "figure")
        return f"\n{table_markdown(card, rows, columns, **settings)}\n"
    if kind == "all":
        return f"\n{card_markdown(card)}\n"
    raise CardError(f"{where}: {kind!r} is not one of figure, value, table, all")


def _command(name: str) -> str:
    """The command that makes a card."""
    return {"bench": "dp2vl bench", "bench_gpu": "dp2vl bench --gpu-large"}.get(
        name, f"dp2vl study {name}"
    )


def fill(text: str, cards: Path, where: str = "document") -> str:
    """Returns a document with every marked block made again from its card.

    Args:
        text: Markdown
        cards: the folder of cards
        where: the document's name, for errors

    Raises:
        CardError: if a card is damaged, a block asks for what it does not hold, or a block is
            not closed
    """
    # what stands in a code fence explains the notation and is not a block
    kept: list[str] = []

    def hide(match: re.Match[str]) -> str:
        kept.append(match.group())
        return f"\0{len(kept) - 1}\0"

    def make(match: re.Match[str]) -> str:
        name, what = match["name"], match["what"]
        if "<!-- card:" in match["text"]:
            raise CardError(f"{where}: the block before card:{name} is not closed")
        path = cards / f"{name}.json"
        shown = f"*not measured yet: `{_command(name)}`*"
        if path.is_file():
            shown = _text(ResultCard.load(path), what, where)
        elif what.startswith(("table", "all")):
            shown = f"\n{shown}\n"
        return f"<!-- card:{name} {what} -->{shown}<!-- /card -->"

    hidden = _FENCE.sub(hide, text)
    if len(_OPENING.findall(hidden)) != len(_BLOCK.findall(hidden)):
        raise CardError(f"{where}: a card block is not closed with <!-- /card -->")
    made = _BLOCK.sub(make, hidden)
    return re.sub("\0(\\d+)\0", lambda match: kept[int(match[1])], made)


def documents(root: Path) -> Iterator[Path]:
    """Yields README.md and docs/**/*.md of a checkout."""
    if (root / "README.md").is_file():
        yield root / "README.md"
    yield from sorted((root / "docs").rglob("*.md"))


def stale(root: Path, *, write: bool = False) -> list[Path]:
    """Returns the documents that differ from the cards in docs/results.

    Args:
        root: a checkout of the repository
        write: whether to mend them
    """
    changed = []
    for path in documents(root):
        text = path.read_text(encoding="utf-8")
        made = fill(text, root / "docs" / "results", path.name)
        if made != text:
            changed.append(path)
            if write:
                path.write_text(made, encoding="utf-8")
    return changed
