"""A contact sheet: a few people of the benchmark at a glance.

python -m fiftyone_dp2vl.benchmark.contact_sheet docs/images/benchmark.jpg
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Final

from PIL import Image, ImageDraw, ImageOps

from fiftyone_dp2vl.benchmark.people import sample_identities
from fiftyone_dp2vl.benchmark.photos import plan_photos, render_photo
from fiftyone_dp2vl.benchmark.scenarios import sample_facts

_CELL: Final = (200, 150)
_GAP: Final = 6
_HEADER: Final = 22
_PAPER: Final = (250, 249, 246)
_INK: Final = (60, 58, 54)


def draw_contact_sheet(people: int = 6, seed: int = 7, split: str = "dev") -> Image.Image:
    """Draws one row a person: one photo for each scenario, then two query photos.

    Args:
        people: rows.
        seed: as in `generate_benchmark`.
        split: ``dev`` by default, so that evaluation people stay unseen.

    Returns:
        An RGB picture.
    """
    rows = [
        plan_photos(person, sample_facts(seed, i), seed, photos_per_scenario=1, queries=2)
        for i, person in enumerate(sample_identities(people, seed, split))
    ]
    columns = len(rows[0])
    width = columns * (_CELL[0] + _GAP) + 3 * _GAP
    sheet = Image.new("RGB", (width, people * (_CELL[1] + _GAP) + _HEADER + _GAP), _PAPER)
    ink = ImageDraw.Draw(sheet)
    for column, spec in enumerate(rows[0]):
        left = _left(column, spec.role)
        ink.text((left + 2, 6), spec.scenario or "query", fill=_INK, font_size=13)
    for row, specs in enumerate(rows):
        for column, spec in enumerate(specs):
            photo = Image.fromarray(render_photo(spec, 288))
            cell = ImageOps.fit(photo, _CELL, Image.Resampling.LANCZOS, centering=(0.5, 0.75))
            sheet.paste(cell, (_left(column, spec.role), _HEADER + row * (_CELL[1] + _GAP)))
    return sheet


def _left(column: int, role: str) -> int:
    return _GAP + column * (_CELL[0] + _GAP) + (_GAP if role == "query" else 0)


def main() -> None:
    """Writes the contact sheet to the file named on the command line."""
    parser = argparse.ArgumentParser(description="Draws a contact sheet of the benchmark.")
    parser.add_argument("target", type=Path)
    parser.add_argument("--people", type=int, default=6)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--split", default="dev")
    arguments = parser.parse_args()
    arguments.target.parent.mkdir(parents=True, exist_ok=True)
    sheet = draw_contact_sheet(arguments.people, arguments.seed, arguments.split)
    sheet.save(arguments.target, quality=80)


if __name__ == "__main__":
    main()
