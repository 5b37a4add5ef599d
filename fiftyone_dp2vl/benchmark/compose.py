"""Putting a person, and what belongs to them, into a place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from PIL import Image

from fiftyone_dp2vl.benchmark.art import person_svg, rasterise, thing_picture
from fiftyone_dp2vl.benchmark.camera import surface
from fiftyone_dp2vl.benchmark.noise import FloatArray, Rng, soften
from fiftyone_dp2vl.benchmark.people import Identity
from fiftyone_dp2vl.benchmark.places import paint_place
from fiftyone_dp2vl.benchmark.scenarios import RELATIVES, SCENARIOS

Box = tuple[float, float, float, float]
"""Left, top, right, bottom, as shares of the photo's edges."""

EYES: Final = ("default", "default", "happy", "side", "squint", "wink", "surprised", "closed")
MOUTHS: Final = ("default", "smile", "smile", "twinkle", "serious", "eating", "disbelief", "tongue")
CLOTHES: Final = (
    "blazerAndShirt",
    "blazerAndSweater",
    "collarAndSweater",
    "graphicShirt",
    "hoodie",
    "overall",
    "shirtCrewNeck",
    "shirtScoopNeck",
    "shirtVNeck",
)
# The graphics with lettering are left out: a mirrored photo would give itself away.
GRAPHICS: Final = ("bat", "bear", "deer", "diamond", "pizza", "skull")
CLOTHES_COLOURS: Final = (
    "#2a3238",
    "#5f7f9f",
    "#27517e",
    "#d9d6cf",
    "#8f9496",
    "#a9553f",
    "#7a8f5a",
    "#c9a24a",
    "#8f5f7f",
    "#b5cfd8",
    "#e6b8a8",
    "#3f6f66",
    "#70402f",
    "#c7c09a",
)

# Where a face lies on the square canvas of the person's drawing.
_FACE: Final[Box] = (0.29, 0.16, 0.71, 0.70)
_BUST: Final[Box] = (0.13, 0.05, 0.87, 1.0)
_FACE_WIDTH: Final = {"narrow": 0.88, "medium": 1.0, "wide": 1.13}


@dataclass(frozen=True)
class Layout:
    """What lies where on a photo.

    Attributes:
        face: box of the person's face.
        person: box of the person's bust.
        thing: box of the visible affiliation (a thing or a relative), None where there is none.
    """

    face: Box
    person: Box
    thing: Box | None

    def seen_through(self, matrix: npt.NDArray[np.float64]) -> Layout:
        """Carries the boxes through a homography given from the photo back to the scene."""
        forward = np.asarray(np.linalg.inv(matrix), dtype=np.float64)
        thing = None if self.thing is None else _carry(self.thing, forward)
        return Layout(_carry(self.face, forward), _carry(self.person, forward), thing)


def _carry(box: Box, matrix: npt.NDArray[np.float64]) -> Box:
    left, top, right, bottom = box
    corners = np.array([(left, top, 1), (right, top, 1), (right, bottom, 1), (left, bottom, 1)])
    moved = corners @ matrix.T
    points = np.clip(moved[:, :2] / moved[:, 2:], 0, 1)
    (x0, y0), (x1, y1) = points.min(axis=0), points.max(axis=0)
    return float(x0), float(y0), float(x1), float(y1)


@dataclass(frozen=True)
class _Pose:
    """Where a square drawing goes: centre, height and skew, in pixels and radians."""

    x: float
    y: float
    side: float
    turn: float = 0.0
    shear: float = 0.0
    stretch: float = 1.0
    flip: bool = False

    def matrix(self) -> npt.NDArray[np.float64]:
        """(2, 3): from the drawing's unit square to the photo's pixels."""
        cos, sin = np.cos(self.turn), np.sin(self.turn)
        turn = np.array([[cos, -sin], [sin, cos]])
        skew = np.array([[self.stretch * (-1 if self.flip else 1), self.shear], [0, 1]])
        linear = turn @ skew * self.side
        # People and things turn about their foot, not their middle.
        shift = np.array([self.x, self.y]) - linear @ np.array([0.5, 1.0])
        return np.column_stack([linear, shift])

    def box(self, part: Box, height: int, width: int) -> Box:
        """The bounding box of a part of the drawing, in shares of the photo."""
        left, top, right, bottom = part
        corners = np.array([(left, top), (right, top), (right, bottom), (left, bottom)])
        points = corners @ self.matrix()[:, :2].T + self.matrix()[:, 2]
        points = np.clip(points / np.array([width, height]), 0, 1)
        (x0, y0), (x1, y1) = points.min(axis=0), points.max(axis=0)
        return float(x0), float(y0), float(x1), float(y1)


def compose(
    identity: Identity,
    scenario: str,
    affiliation: str,
    place: str,
    seed: int,
    angle: float,
    height: int,
    width: int,
) -> tuple[FloatArray, Layout]:
    """Paints the scene in front of the camera.

    Args:
        identity: the person.
        scenario: key of `SCENARIOS`, or ``""`` for the person alone.
        affiliation: name of the affiliation to show, or ``""``.
        place: key of `PLACES`.
        seed: draws pose, clothes and expression.
        angle: direction that the light comes from, in radians.
        height: height in pixels.
        width: width in pixels.

    Returns:
        The scene, (height, width, 3) float32 about [0, 1], and its layout.
    """
    rng = np.random.default_rng([seed, 1])
    rough = np.random.default_rng([seed, 2])
    defocus = float(rng.choice([0.0, 0.0, 0.006, 0.012, 0.025]))
    scene = paint_place(place, np.random.default_rng([seed, 0]), height, width, defocus)
    person = _person_pose(rng, identity, height, width, alone=not affiliation)
    drawing = _draw_person(rng, identity, max(16, round(person.side)))
    thing_box: Box | None = None
    if affiliation:
        art = SCENARIOS[scenario].affiliation(affiliation).art
        if scenario == "family":
            beside = _relative_pose(rng, person, height, width)
            other = _draw_relative(rng, art, max(16, round(beside.side)))
            scene = _paste(scene, other, beside, rough, angle)
            scene = _paste(scene, drawing, person, rough, angle)
            thing_box = beside.box(_BUST, height, width)
        else:
            picture = thing_picture(art, _round_up(_thing_side(rng, height, width)))
            beside, behind = _thing_pose(rng, person, picture, height, width)
            layers = [(drawing, person), (picture, beside)]
            for layer, pose in reversed(layers) if behind else layers:
                scene = _paste(scene, layer, pose, rough, angle)
            thing_box = beside.box(_drawn_part(picture), height, width)
    else:
        scene = _paste(scene, drawing, person, rough, angle)
    face = person.box(_FACE, height, width)
    return scene, Layout(face, person.box(_BUST, height, width), thing_box)


def _round_up(value: float) -> int:
    # Few distinct sizes, so that the cache of rendered things is hit.
    return int(np.ceil(value / 16) * 16)


def _drawn_part(picture: Image.Image) -> Box:
    longer = max(picture.size)
    half = 0.5 * picture.width / longer
    return (0.5 - half, 1 - picture.height / longer, 0.5 + half, 1.0)


def _person_pose(rng: Rng, identity: Identity, height: int, width: int, *, alone: bool) -> _Pose:
    room = min(height, (1.3 if alone else 1.12) * width)
    side = room * (rng.uniform(0.75, 1.08) if alone else rng.uniform(0.68, 0.86))
    spread = rng.uniform(-0.14, 0.14)
    middle = 0.5 + spread if alone else 0.5 + float(rng.choice([-1, 1])) * rng.uniform(0.13, 0.19)
    return _Pose(
        x=width * middle,
        y=height * rng.uniform(1.0, 1.06),
        side=side,
        turn=rng.uniform(-0.14, 0.14),
        shear=rng.uniform(-0.08, 0.08),
        stretch=_FACE_WIDTH[identity.face] * rng.uniform(0.97, 1.03),
        flip=bool(rng.random() < 0.5),
    )


def _thing_side(rng: Rng, height: int, width: int) -> float:
    return float(np.clip(rng.uniform(0.36, 0.5) * height, 0.3 * height, 0.46 * width))


def _thing_pose(
    rng: Rng, person: _Pose, picture: Image.Image, height: int, width: int
) -> tuple[_Pose, bool]:
    """Puts a thing on the free side of the person, in front below or behind above."""
    side = _thing_side(rng, height, width)
    # A flat thing, such as a skateboard, would otherwise fall below a quarter of the height.
    side *= float(np.clip(0.72 * max(picture.size) / picture.height, 1.0, 1.45))
    side = min(side, 0.5 * width)
    tall = side * picture.height / max(picture.size)
    wide = side * picture.width / max(picture.size)
    free = 1.0 if person.x < width / 2 else -1.0
    limit = width / 2 + free * (width / 2 - 0.5 * wide - 0.03 * width)
    x = person.x + free * (0.25 * person.side * person.stretch + 0.5 * wide)
    x = min(x, limit) if free > 0 else max(x, limit)
    x = 0.5 * (x + limit)
    behind = bool(rng.random() < 0.3)
    foot = height * (rng.uniform(0.66, 0.86) if behind else rng.uniform(0.86, 0.985))
    return (
        _Pose(
            x=x,
            y=max(foot, tall + 0.03 * height),
            side=side,
            turn=rng.uniform(-0.12, 0.12),
            flip=bool(rng.random() < 0.5),
        ),
        behind,
    )


def _relative_pose(rng: Rng, person: _Pose, height: int, width: int) -> _Pose:
    free = 1.0 if person.x < width / 2 else -1.0
    side = person.side * rng.uniform(0.62, 0.8)
    x = width / 2 + free * (width / 2 - rng.uniform(0.3, 0.4) * side)
    return _Pose(
        x=x,
        y=height * rng.uniform(1.0, 1.05),
        side=side,
        turn=rng.uniform(-0.1, 0.1),
        flip=bool(rng.random() < 0.5),
    )


def _any(rng: Rng, values: tuple[str, ...]) -> str:
    return values[int(rng.integers(len(values)))]


def _draw_person(rng: Rng, identity: Identity, side: int) -> Image.Image:
    svg = person_svg(
        top=identity.hair,
        hair_colour=identity.hair_colour,
        skin=identity.skin,
        beard=identity.beard,
        brows=identity.brows,
        glasses=identity.glasses,
        frame_colour=identity.frame_colour,
        eyes=_any(rng, EYES),
        mouth=_any(rng, MOUTHS),
        clothes=_any(rng, CLOTHES),
        clothes_colour=_any(rng, CLOTHES_COLOURS),
        graphic=_any(rng, GRAPHICS),
    )
    return rasterise(svg, side)


def _draw_relative(rng: Rng, name: str, side: int) -> Image.Image:
    look = RELATIVES[name]
    svg = person_svg(
        top=look["top"],
        hair_colour=look["hair"],
        skin=look["skin"],
        beard="beardMajestic" if name == "grandfather" else "none",
        brows="default",
        glasses="round" if name in {"grandmother", "brother"} else "none",
        frame_colour="#262e33",
        eyes=_any(rng, EYES),
        mouth=_any(rng, MOUTHS),
        clothes="hoodie" if name in {"son", "daughter", "brother"} else "shirtCrewNeck",
        clothes_colour=look["clothes"],
    )
    return rasterise(svg, side)


def _paste(
    scene: FloatArray, drawing: Image.Image, pose: _Pose, rough: Rng, angle: float
) -> FloatArray:
    """Lays a drawing over the scene, with a body, a rough skin and a soft shadow."""
    height, width = scene.shape[:2]
    longer = max(drawing.size)
    linear = pose.matrix()
    # Drawings sit on the middle of their unit square's lower edge.
    offset = np.array([0.5 - 0.5 * drawing.width / longer, 1 - drawing.height / longer])
    shift = linear[:, :2] @ offset + linear[:, 2]
    reach = 0.25 * pose.side
    left, top, right, bottom = pose.box((0.0, 0.0, 1.0, 1.0), height, width)
    x0, x1 = _span(left * width, right * width, reach, width)
    y0, y1 = _span(top * height, bottom * height, reach, height)
    inverse = np.linalg.inv(linear[:, :2] / longer)
    back = inverse @ (np.array([x0, y0]) - shift)
    coefficients = (*inverse[0], back[0], *inverse[1], back[1])
    laid = drawing.transform(
        (x1 - x0, y1 - y0),
        Image.Transform.AFFINE,
        [float(c) for c in coefficients],
        Image.Resampling.BICUBIC,
    )
    values: FloatArray = np.asarray(laid, dtype=np.float32) / np.float32(255)
    alpha = values[..., 3]
    cells = 14 * min(alpha.shape) / min(height, width)
    shade = surface(rough, alpha, angle, max(1.0, 0.05 * pose.side), cells)
    away = 0.05 * pose.side
    shadow = _shifted(
        soften(alpha, 0.06 * pose.side),
        round(-np.sin(angle) * away),
        round(-np.cos(angle) * away),
    )
    there = scene[y0:y1, x0:x1]
    under = there * (1 - 0.45 * np.clip(shadow, 0, 1))[..., None]
    # Paper-white and ink-black do not occur on photos.
    body = 0.06 + 0.86 * values[..., :3] * shade[..., None]
    result = scene.copy()
    result[y0:y1, x0:x1] = under + (body - under) * alpha[..., None]
    return result


def _shifted(plane: FloatArray, rows: int, columns: int) -> FloatArray:
    """Moves a plane down and right; what comes in at the edges repeats them."""
    height, width = plane.shape
    down = np.clip(np.arange(height) - rows, 0, height - 1)
    across = np.clip(np.arange(width) - columns, 0, width - 1)
    return plane[down][:, across]


def _span(low: float, high: float, reach: float, limit: int) -> tuple[int, int]:
    first = int(np.clip(low - reach, 0, limit - 2))
    return first, int(np.clip(high + reach, first + 2, limit))
