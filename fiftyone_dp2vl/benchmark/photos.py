"""Planning photos: who is on them, with what, where, and in which format."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from fiftyone_dp2vl.benchmark import camera
from fiftyone_dp2vl.benchmark.compose import Layout, compose
from fiftyone_dp2vl.benchmark.people import Identity
from fiftyone_dp2vl.benchmark.places import PLACES
from fiftyone_dp2vl.benchmark.scenarios import SCENARIOS, describe

FORMATS: Final[tuple[tuple[int, int], ...]] = ((768, 576), (576, 768), (640, 640), (768, 512))
"""Width and height in pixels: 4:3, 3:4, 1:1, 3:2."""


@dataclass(frozen=True)
class PhotoSpec:
    """Everything that determines one photo.

    Attributes:
        identity: who is on it.
        role: ``"share"`` for a photo that someone would share, ``"query"`` for one of the
            person alone that nobody has shared.
        scenario: key of `SCENARIOS`, or ``""`` on a query photo.
        affiliation: name of the visible affiliation, or ``""``.
        place: key of `PLACES`.
        width: full width in pixels.
        height: full height in pixels.
        seed: draws pose, clothes, light, lens and noise.
        descriptions: wordings that tell the visible fact; empty on a query photo.
        all_facts: one wording for every fact of this person; empty on a query photo.
    """

    identity: Identity
    role: str
    scenario: str
    affiliation: str
    place: str
    width: int
    height: int
    seed: int
    descriptions: tuple[str, ...] = ()
    all_facts: tuple[str, ...] = ()


def plan_photos(
    identity: Identity,
    facts: Mapping[str, str],
    seed: int,
    photos_per_scenario: int = 2,
    queries: int = 6,
) -> list[PhotoSpec]:
    """Plans the photos of one person.

    Args:
        identity: the person.
        facts: affiliation name by scenario name.
        seed: draws all that varies, together with the person's look.
        photos_per_scenario: share photos per fact.
        queries: photos of the person alone.

    Returns:
        Share photos in scenario order, then query photos. Query photos are taken in places
        that no share photo shows, as long as there are enough places.

    Raises:
        KeyError: if a scenario or affiliation is unknown.
    """
    rng = np.random.default_rng([seed, int(identity.key, 16)])
    order = [str(p) for p in rng.permutation(list(PLACES))]
    apart = len(order) // 3
    query_places, share_places = order[:apart], order[apart:]
    plan: list[PhotoSpec] = []
    for turn in range(photos_per_scenario):
        for row, (scenario, name) in enumerate(facts.items()):
            place = share_places[(turn * len(facts) + row) % len(share_places)]
            plan.append(_share_photo(identity, facts, scenario, name, place, rng))
    plan.sort(key=lambda spec: list(facts).index(spec.scenario))
    for turn in range(queries):
        width, height = FORMATS[int(rng.integers(len(FORMATS)))]
        plan.append(
            PhotoSpec(
                identity=identity,
                role="query",
                scenario="",
                affiliation="",
                place=query_places[turn % apart],
                width=width,
                height=height,
                seed=int(rng.integers(2**31)),
            )
        )
    return plan


def _share_photo(
    identity: Identity,
    facts: Mapping[str, str],
    scenario: str,
    affiliation: str,
    place: str,
    rng: np.random.Generator,
) -> PhotoSpec:
    width, height = FORMATS[int(rng.integers(len(FORMATS)))]
    chosen = SCENARIOS[scenario]
    phrase = chosen.affiliation(affiliation).phrase
    wordings = [str(t) for t in rng.permutation(list(chosen.templates))]
    everything = []
    for other, name in facts.items():
        templates = SCENARIOS[other].templates
        template = templates[int(rng.integers(len(templates)))]
        everything.append(
            describe(template, identity.name, SCENARIOS[other].affiliation(name).phrase)
        )
    return PhotoSpec(
        identity=identity,
        role="share",
        scenario=scenario,
        affiliation=affiliation,
        place=place,
        width=width,
        height=height,
        seed=int(rng.integers(2**31)),
        descriptions=tuple(describe(t, identity.name, phrase) for t in wordings[:3]),
        all_facts=tuple(everything),
    )


def render_photo(spec: PhotoSpec, size: int | None = None) -> npt.NDArray[np.uint8]:
    """Renders a photo.

    Args:
        spec: which photo.
        size: shorter edge in pixels; None for the full size. A small rendering looks like
            the full one shrunk, without its JPEG blocks.

    Returns:
        (H, W, 3) uint8. At full size these are the pixels of the file that `photo_bytes`
        makes.

    Raises:
        ArtMissingError: if the ``benchmark`` extra is not installed.
    """
    return render_with_layout(spec, size)[0]


def render_with_layout(
    spec: PhotoSpec, size: int | None = None
) -> tuple[npt.NDArray[np.uint8], Layout]:
    """Renders a photo, and says what lies where on it; arguments as in `render_photo`."""
    picture, exposure, layout = _take(spec, size)
    if size is None:
        picture = camera.from_jpeg(camera.to_jpeg(picture, exposure.quality))
    return picture, layout


def photo_bytes(spec: PhotoSpec) -> bytes:
    """Returns the JPEG file of a photo at full size, without metadata."""
    picture, exposure, _ = _take(spec, None)
    return camera.to_jpeg(picture, exposure.quality)


def _take(
    spec: PhotoSpec, size: int | None
) -> tuple[npt.NDArray[np.uint8], camera.Exposure, Layout]:
    width, height = spec.width, spec.height
    if size is not None:
        shorter = min(width, height)
        width, height = round(width * size / shorter), round(height * size / shorter)
    exposure = camera.draw_exposure(np.random.default_rng([spec.seed, 3]))
    scene, layout = compose(
        spec.identity,
        spec.scenario,
        spec.affiliation,
        spec.place,
        spec.seed,
        exposure.angle,
        height,
        width,
    )
    lit = camera.light(scene, exposure)
    picture = camera.expose(lit, exposure, np.random.default_rng([spec.seed, 4]))
    return picture, exposure, layout.seen_through(camera.keystone_matrix(exposure))
