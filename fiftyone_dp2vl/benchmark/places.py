"""Places where photos are taken, painted from procedural textures.

Every place is a function ``(rng, height, width) -> (height, width, 3)`` float32 in about
[0, 1]; values beyond are clipped by the camera later.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np

from fiftyone_dp2vl.benchmark.noise import (
    FloatArray,
    Rng,
    colour,
    fractal,
    mix,
    soften,
)

Place = Callable[[Rng, int, int], FloatArray]


def _pick(rng: Rng, *codes: str) -> FloatArray:
    return colour(codes[int(rng.integers(len(codes)))])


def _grid(height: int, width: int) -> tuple[FloatArray, FloatArray]:
    """Coordinates in units of the shorter edge, so that squares stay square."""
    shorter = min(height, width)
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    return (y + 0.5) / shorter, (x + 0.5) / shorter


def _edge(distance: FloatArray, height: int, width: int) -> FloatArray:
    """An antialiased step: 1 where `distance` (in shorter edges) is positive."""
    step = np.clip(distance * min(height, width) + 0.5, 0, 1)
    return np.asarray(step, dtype=np.float32)


def _sky(rng: Rng, height: int, width: int) -> FloatArray:
    y, _ = _grid(height, width)
    top, low = (
        (colour("#3d7fc4"), colour("#cfe4f2")),
        (colour("#5d8fc9"), colour("#f4dcc0")),
        (colour("#6c7a92"), colour("#c3c9cf")),
        (colour("#3a4a86"), colour("#f2a36b")),
    )[int(rng.integers(4))]
    sky = mix(top, low, y * 1.3)
    clouds = fractal(rng, height, width, cells=2.5, stretch=2.5)
    return mix(sky, colour("#fbfaf7"), (clouds - rng.uniform(0.1, 0.9)) * 0.7)


def _ground(rng: Rng, height: int, width: int, dark: FloatArray, light: FloatArray) -> FloatArray:
    coarse = fractal(rng, height, width, cells=3, stretch=2.5, roughness=0.75)
    fine = fractal(rng, height, width, cells=30, stretch=1.6, roughness=0.85, octaves=4)
    return mix(dark, light, 0.5 + 0.22 * coarse + 0.2 * fine)


def meadow(rng: Rng, height: int, width: int) -> FloatArray:
    """Grass under a sky, with a line of hills between."""
    y, x = _grid(height, width)
    picture = _sky(rng, height, width)
    horizon = rng.uniform(0.35, 0.7)
    hills = horizon - 0.07 - 0.06 * np.sin(x * rng.uniform(3, 6) + rng.uniform(0, 6))
    far = _ground(rng, height, width, colour("#5d7f86"), colour("#7d9c96"))
    picture = mix(picture, far, _edge(y - hills, height, width))
    grass = _ground(
        rng,
        height,
        width,
        _pick(rng, "#2f5220", "#4c5a22", "#3a6a2c"),
        _pick(rng, "#8fae4a", "#b3b35e", "#7fb04f"),
    )
    return mix(picture, grass, _edge(y - horizon, height, width))


def beach(rng: Rng, height: int, width: int) -> FloatArray:
    """Sand, sea and sky."""
    y, x = _grid(height, width)
    picture = _sky(rng, height, width)
    horizon = rng.uniform(0.3, 0.5)
    ripples = fractal(rng, height, width, cells=12, stretch=8, roughness=0.7, octaves=5)
    sea = mix(colour("#14576e"), _pick(rng, "#58b7bd", "#7fa9bb"), 0.5 + 0.3 * ripples)
    picture = mix(picture, sea, _edge(y - horizon, height, width))
    shore = horizon + rng.uniform(0.12, 0.25) + 0.02 * np.sin(x * 9 + rng.uniform(0, 6))
    sand = _ground(rng, height, width, colour("#b08b5c"), colour("#ecd6a9"))
    return mix(picture, sand, _edge(y - shore, height, width))


def mountains(rng: Rng, height: int, width: int) -> FloatArray:
    """Snowy ridges behind a slope."""
    y, x = _grid(height, width)
    picture = _sky(rng, height, width)
    for depth in range(3):
        ridge = 0.18 + 0.17 * depth + rng.uniform(-0.05, 0.05) + np.zeros_like(x)
        for i, phase in enumerate(rng.uniform(0, 1, 6)):
            crest = np.abs((x * (1.1 + 0.3 * depth) * 1.9**i + phase) % 1 - 0.5)
            ridge = ridge + 0.34 / 1.75**i * crest.astype(np.float32)
        rock = _ground(rng, height, width, colour("#3c4452"), colour("#8a93a0"))
        patches = fractal(rng, height, width, cells=6, roughness=0.8)
        cover = 3 * (0.14 - 0.04 * depth - (y - ridge)) / 0.14 + 0.8 * patches
        rock = mix(rock, colour("#e9eef3"), (cover * 2).astype(np.float32))
        picture = mix(picture, rock, _edge(y - ridge, height, width))
    return picture


def forest(rng: Rng, height: int, width: int) -> FloatArray:
    """Trunks before out-of-focus leaves."""
    y, x = _grid(height, width)
    leaves = fractal(rng, height, width, cells=5, roughness=0.8)
    picture = mix(
        _pick(rng, "#1d3318", "#27301a"), _pick(rng, "#9dbb55", "#d7b34e"), 0.45 + 0.28 * leaves
    )
    for _ in range(int(rng.integers(3, 7))):
        centre, half = rng.uniform(0, x.max()), rng.uniform(0.015, 0.05)
        bark = fractal(rng, height, width, cells=20, stretch=0.12, octaves=4)
        trunk = mix(colour("#2d2119"), colour("#7b6048"), 0.45 + 0.25 * bark)
        lean = centre + (y - 0.5) * rng.uniform(-0.06, 0.06)
        picture = mix(picture, trunk, _edge(half - np.abs(x - lean), height, width))
    floor = _ground(rng, height, width, colour("#33291a"), colour("#7a6a3d"))
    return mix(picture, floor, _edge(y - rng.uniform(0.7, 0.85), height, width))


def _floor(rng: Rng, height: int, width: int) -> FloatArray:
    y, _ = _grid(height, width)
    grain = fractal(rng, height, width, cells=8, stretch=9, roughness=0.75)
    dark, light = (("#5a3a22", "#a9784a"), ("#6b6259", "#b5aa9c"), ("#3b2a20", "#7c5a40"))[
        int(rng.integers(3))
    ]
    planks = mix(colour(dark), colour(light), 0.5 + 0.22 * grain)
    seams = 1 - 0.35 * (np.abs((y * 11) % 1 - 0.5) > 0.46)
    return np.asarray(planks * seams[..., None], dtype=np.float32)


def brick_wall(rng: Rng, height: int, width: int) -> FloatArray:
    """A brick wall, edge to edge."""
    y, x = _grid(height, width)
    rows = rng.uniform(11, 18)
    row = np.floor(y * rows)
    column = np.floor(x * rows * 0.42 + 0.5 * (row % 2))
    tone = (np.sin(row * 127.1 + column * 311.7 + rng.uniform(0, 9)) * 43758.5453) % 1
    rough = fractal(rng, height, width, cells=10, roughness=0.85)
    dark, light = (("#6d2f22", "#b4634a"), ("#8a7a6a", "#c9bba8"), ("#4a4543", "#8a8480"))[
        int(rng.integers(3))
    ]
    brick = mix(colour(dark), colour(light), (0.2 + 0.6 * tone + 0.18 * rough).astype(np.float32))
    across = np.abs((x * rows * 0.42 + 0.5 * (row % 2)) % 1 - 0.5)
    upright = np.abs((y * rows) % 1 - 0.5)
    joint = (1 - (0.5 - np.maximum(upright, across + 0.025)) * 12).astype(np.float32)
    mortar = mix(colour("#8f8880"), colour("#c9c3ba"), 0.5 + 0.25 * rough)
    return mix(brick, mortar, joint)


def painted_room(rng: Rng, height: int, width: int) -> FloatArray:
    """A painted wall with a picture or a window, above a wooden floor."""
    y, x = _grid(height, width)
    plaster = fractal(rng, height, width, cells=3, roughness=0.8)
    base = _pick(
        rng, "#d9cfc0", "#a9bfc4", "#c7b0a0", "#8fa58c", "#d8b58a", "#9a8fae", "#c98f7a", "#e6e2da"
    )
    picture = np.asarray(base * (1 + 0.045 * plaster[..., None]), dtype=np.float32)
    left, top = rng.uniform(0.05, 0.9) * x.max(), rng.uniform(0.03, 0.2)
    wide, tall = rng.uniform(0.25, 0.5), rng.uniform(0.25, 0.45)
    frame = np.minimum(np.minimum(x - left, left + wide - x), np.minimum(y - top, top + tall - y))
    inside = _sky(rng, height, width) if rng.random() < 0.5 else _abstract(rng, height, width)
    wood = _pick(rng, "#5a4030", "#f0ece4", "#2b2b2e")
    picture = mix(picture, wood * (1 + 0.05 * plaster[..., None]), _edge(frame, height, width))
    picture = mix(picture, inside, _edge(frame - 0.022, height, width))
    horizon = rng.uniform(0.72, 0.95)
    return mix(picture, _floor(rng, height, width), _edge(y - horizon, height, width))


def _abstract(rng: Rng, height: int, width: int) -> FloatArray:
    first = fractal(rng, height, width, cells=3)
    second = fractal(rng, height, width, cells=5)
    picture = mix(
        _pick(rng, "#22445e", "#7a2e2e", "#e0c068"),
        _pick(rng, "#d9e0d2", "#e08a4a", "#2f6f62"),
        0.5 + first,
    )
    return mix(picture, _pick(rng, "#101418", "#f4efe2"), second - 0.6)


def wood_wall(rng: Rng, height: int, width: int) -> FloatArray:
    """Upright wooden boards."""
    _, x = _grid(height, width)
    boards = rng.uniform(5, 10)
    board = np.floor(x * boards)
    tone = (np.sin(board * 12.9898 + rng.uniform(0, 9)) * 43758.5453) % 1
    grain = fractal(rng, height, width, cells=10, stretch=0.1, roughness=0.75)
    dark, light = (("#4a2f1c", "#9a6b40"), ("#77614a", "#c9ad86"), ("#5d5f60", "#a8aaa6"))[
        int(rng.integers(3))
    ]
    wood = mix(colour(dark), colour(light), (0.25 + 0.4 * tone + 0.2 * grain).astype(np.float32))
    seam = np.clip((np.abs((x * boards) % 1 - 0.5) - 0.47) * 40, 0, 0.8)
    return np.asarray(wood * (1 - seam[..., None]), dtype=np.float32)


def kitchen(rng: Rng, height: int, width: int) -> FloatArray:
    """Glazed tiles above a stone worktop."""
    y, x = _grid(height, width)
    count = rng.uniform(7, 12)
    tile = np.floor(y * count) * 57.3 + np.floor(x * count) * 113.1
    tone = (np.sin(tile + rng.uniform(0, 9)) * 43758.5453) % 1
    base = _pick(rng, "#dfe6e4", "#9cc3bf", "#e7d7b5", "#8aa7c4", "#b9cf9f")
    sheen = fractal(rng, height, width, cells=4, roughness=0.7)
    tiles = base * (0.86 + 0.16 * tone + 0.035 * sheen)[..., None]
    gap = np.maximum(np.abs((y * count) % 1 - 0.5), np.abs((x * count) % 1 - 0.5))
    tiles = mix(
        np.asarray(tiles, dtype=np.float32),
        colour("#8f8f8a"),
        ((gap - 0.47) * 50).astype(np.float32),
    )
    stone = _ground(rng, height, width, colour("#4c4a4a"), colour("#b9b4ad"))
    return mix(tiles, stone, _edge(y - rng.uniform(0.75, 0.95), height, width))


def bookshelf(rng: Rng, height: int, width: int) -> FloatArray:
    """Rows of books."""
    y, x = _grid(height, width)
    shelves = rng.uniform(3, 4.5)
    shelf = np.floor(y * shelves)
    density = rng.uniform(16, 26)
    warp = 0.35 * np.sin(x * 7 + shelf * 5.1) + 0.3 * np.sin(x * 17 + shelf * 2.3)
    book = np.floor(x * density + warp + shelf * 3.7)
    spin = rng.uniform(0, 9)
    hue = (np.sin(book * 78.233 + shelf * 37.7 + spin) * 43758.5453) % 1
    tall = 0.72 + 0.2 * ((np.sin(book * 39.4 + shelf * 11.1 + spin) * 9531.7) % 1)
    palette = np.stack(
        [
            colour(c)
            for c in (
                "#7a2f2b",
                "#24405c",
                "#c9a35a",
                "#3f5e45",
                "#d8d0c0",
                "#57406a",
                "#8c5a34",
                "#1f2326",
            )
        ]
    )
    rough = fractal(rng, height, width, cells=8, roughness=0.8)
    books = palette[(hue * 8).astype(np.int64) % 8] * (0.9 + 0.08 * rough)[..., None]
    edge = np.clip((np.abs((x * density + warp + shelf * 3.7) % 1 - 0.5) - 0.4) * 8, 0, 0.75)
    books = np.asarray(books * (1 - edge[..., None]), dtype=np.float32)
    above = (y * shelves) % 1
    case = mix(colour("#3a2718"), colour("#7a5635"), 0.5 + 0.2 * rough)
    picture = mix(books, case * 0.45, ((1 - tall - above) * 30 + 0.5).astype(np.float32))
    return mix(picture, case, ((above - 0.92) * 60).astype(np.float32))


def curtain(rng: Rng, height: int, width: int) -> FloatArray:
    """Hanging cloth."""
    y, x = _grid(height, width)
    sway = 0.25 * fractal(rng, height, width, cells=2, stretch=0.3, octaves=2)
    folds = np.sin(x * rng.uniform(14, 30) + sway * 3 + 0.4 * y)
    weave = fractal(rng, height, width, cells=60, roughness=0.9, octaves=3)
    base = _pick(rng, "#7c2f3a", "#2f4f63", "#c6b08a", "#5f6f4a", "#4c3f63", "#b5b0aa")
    return np.asarray(base * (0.85 + 0.28 * folds + 0.07 * weave)[..., None], dtype=np.float32)


def city_night(rng: Rng, height: int, width: int) -> FloatArray:
    """Lights of a town at night, far out of focus."""
    y, x = _grid(height, width)
    shorter = min(height, width)
    haze = fractal(rng, height, width, cells=2)
    picture = mix(
        _pick(rng, "#0d1424", "#1a1320"), _pick(rng, "#2f3f63", "#5a3a4a"), 0.35 + 0.2 * haze
    )
    for _ in range(int(rng.integers(25, 45))):
        cy, cx, radius = rng.uniform(0, y.max()), rng.uniform(0, x.max()), rng.uniform(0.015, 0.06)
        lamp = _pick(rng, "#ffcf87", "#ff9f5a", "#fff2d0", "#8fd0ff", "#ff6f6f", "#9fffb0")
        glow = np.float32(rng.uniform(0.15, 0.55))
        rows = slice(max(0, int((cy - radius) * shorter) - 1), int((cy + radius) * shorter) + 2)
        columns = slice(max(0, int((cx - radius) * shorter) - 1), int((cx + radius) * shorter) + 2)
        distance = np.hypot(y[rows, columns] - cy, x[rows, columns] - cx)
        disc = np.clip((radius - distance) * shorter + 0.5, 0, 1) * glow
        picture[rows, columns] += lamp * disc[..., None]
    fine = fractal(rng, height, width, cells=12, roughness=0.9, octaves=6)
    return np.asarray(picture * (1 + 0.1 * fine)[..., None], dtype=np.float32)


def street(rng: Rng, height: int, width: int) -> FloatArray:
    """A house front with windows above a pavement."""
    y, x = _grid(height, width)
    rough = fractal(rng, height, width, cells=6, roughness=0.85)
    base = _pick(rng, "#c9a27a", "#b8b2a8", "#9b6a58", "#d8cba8", "#8c9aa5")
    front = np.asarray(base * (1 + 0.07 * rough)[..., None], dtype=np.float32)
    across, down = rng.uniform(3, 5), rng.uniform(2.2, 3.5)
    u, v = (x * across + rng.uniform(0, 1)) % 1, (y * down + rng.uniform(0, 1)) % 1
    pane = np.minimum(0.26 - np.abs(u - 0.5), (0.34 - np.abs(v - 0.5)) * 0.8)
    glass = mix(
        colour("#1d2a36"), colour("#9fb9c9"), 0.35 + 0.3 * fractal(rng, height, width, cells=2)
    )
    front = mix(front, _pick(rng, "#f1ede4", "#4a3a30"), (pane * 40 + 1.6).astype(np.float32))
    front = mix(front, glass, (pane * 40).astype(np.float32))
    paving = _ground(rng, height, width, colour("#5b5a58"), colour("#a8a49d"))
    return mix(front, paving, _edge(y - rng.uniform(0.75, 0.95), height, width))


def concrete(rng: Rng, height: int, width: int) -> FloatArray:
    """Stained concrete or slate."""
    stains = fractal(rng, height, width, cells=2, roughness=0.7)
    pores = fractal(rng, height, width, cells=40, roughness=0.9, octaves=4)
    dark, light = (("#5c5c5b", "#b9b7b2"), ("#2d3336", "#6d767a"), ("#7d6a58", "#c7b299"))[
        int(rng.integers(3))
    ]
    return mix(colour(dark), colour(light), 0.5 + 0.2 * stains + 0.1 * pores)


def cafe(rng: Rng, height: int, width: int) -> FloatArray:
    """A warm interior, out of focus, with lamps."""
    y, x = _grid(height, width)
    blocks = fractal(rng, height, width, cells=2.5, octaves=3)
    picture = mix(
        colour("#3a2417"), _pick(rng, "#b9834f", "#8d9a7c", "#c9a07a"), 0.5 + 0.3 * blocks
    )
    for _ in range(int(rng.integers(3, 7))):
        cy, cx, radius = rng.uniform(0, 0.4), rng.uniform(0, x.max()), rng.uniform(0.03, 0.09)
        glow = np.exp(-((y - cy) ** 2 + (x - cx) ** 2) / np.float32(2 * radius**2))
        picture = picture + colour("#ffdf9e") * glow[..., None].astype(np.float32)
    for _ in range(int(rng.integers(4, 9))):
        left, top = rng.uniform(0, x.max()), rng.uniform(0.3, 0.9)
        wide, tall = rng.uniform(0.08, 0.3), rng.uniform(0.1, 0.4)
        block = np.minimum(
            np.minimum(x - left, left + wide - x), np.minimum(y - top, top + tall - y)
        )
        tint = _pick(rng, "#20140d", "#6b4a2f", "#a33b2b", "#3f5a55", "#d9c39a")
        picture = mix(picture, tint, np.clip(block * 25, 0, 0.8).astype(np.float32))
    fine = fractal(rng, height, width, cells=20, roughness=0.9, octaves=5)
    return np.asarray(picture * (1 + 0.05 * fine)[..., None], dtype=np.float32)


PLACES: Final[dict[str, Place]] = {
    place.__name__: place
    for place in (
        meadow,
        beach,
        mountains,
        forest,
        brick_wall,
        painted_room,
        wood_wall,
        kitchen,
        bookshelf,
        curtain,
        city_night,
        street,
        concrete,
        cafe,
    )
}
"""Place by name, in a fixed order."""


def paint_place(name: str, rng: Rng, height: int, width: int, defocus: float) -> FloatArray:
    """Paints a place.

    Args:
        name: a key of `PLACES`.
        rng: draws everything that varies.
        height: height in pixels.
        width: width in pixels.
        defocus: blur radius in shorter edges, 0 for sharp.

    Returns:
        (height, width, 3) float32, about [0, 1].

    Raises:
        KeyError: if there is no such place.
    """
    picture = PLACES[name](rng, height, width)
    radius = defocus * min(height, width)
    if radius < 0.4:
        return picture
    return np.stack([soften(picture[..., c], radius) for c in range(3)], axis=-1)
