"""One released picture against the photos that stay: made from which, and how much is left."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..errors import PhotoError
from ..media import Photo, read_photo
from .likeness import correlation, hash_distance, perceptual_hash, resized, turn, turned
from .private import PrivatePhoto

__all__ = ["Index", "Match", "build_index", "pixel_digest"]

Pixels = NDArray[np.uint8]

_NEAR_BITS = 16
"""Of 63; unrelated photos differ in about 32, re-encoded and resized ones in fewer than 6."""
_CANDIDATES = 6
_ALIKE = 0.97
"""Correlation of 64 x 64 gray pixels from which two pictures are of one photo."""


@dataclass(frozen=True)
class Match:
    """Which photo a picture was made from.

    Attributes:
        photo: the photo that stays
        original: its clean pixels, turned as the picture is
        protected: its protected pixels, turned likewise, or None without a protected file
        turn: how the picture was turned or mirrored; 0 is not at all
    """

    photo: PrivatePhoto
    original: Pixels
    protected: Pixels | None
    turn: int

    def in_gray(self) -> Match:
        """Returns the match of a picture that has lost its colours."""
        moved = None if self.protected is None else gray(self.protected)
        return replace(self, original=gray(self.original), protected=moved)


@dataclass(frozen=True)
class Index:
    """What has to be known of every photo to find it again.

    Attributes:
        photos: those that can be read
        files: sha256 of a clean file's bytes -> the photo
        clean: digest of clean pixels -> the photos
        protected: digest of protected pixels -> the photo
        hashes: perceptual hash of each of ``photos``
        sizes: (height, width) that photos have
        unreadable: key -> why a photo cannot be compared with
    """

    photos: list[PrivatePhoto]
    files: dict[str, PrivatePhoto]
    clean: dict[str, list[PrivatePhoto]]
    protected: dict[str, PrivatePhoto]
    hashes: list[int]
    unreadable: dict[str, str]
    sizes: set[tuple[int, int]] = field(default_factory=set)

    def clean_owner(self, digest: str) -> PrivatePhoto | None:
        """Returns whose clean pixels these are: of equal photos, one that is protected."""
        owners = self.clean.get(digest, [])
        return next((p for p in owners if p.protected is not None), owners[0] if owners else None)

    def find(self, pixels: Pixels) -> Match | None:
        """Returns the photo that a picture was made from, or None.

        Args:
            pixels: uint8 (H, W, 3) or (H, W), of any size, turned or mirrored in any way
        """
        ranked: list[tuple[int, int, int]] = []
        for number, variant in turned(pixels):
            distances = hash_distance(perceptual_hash(variant), self.hashes)
            near = np.argsort(distances, kind="stable")[:_CANDIDATES]
            ranked += [(int(distances[at]), number, int(at)) for at in near]
        best: tuple[float, int, PrivatePhoto, Photo] | None = None
        for distance, number, at in sorted(ranked)[: 2 * _CANDIDATES]:
            if distance > _NEAR_BITS:
                break
            photo = self.photos[at]
            clean = _read(photo.original)
            if clean is None:
                continue
            score = correlation(turn(pixels, number), clean.pixels)
            if score >= _ALIKE and (best is None or score > best[0]):
                best = (score, number, photo, clean)
        if best is None:
            return None
        _, number, photo, clean = best
        return _match(photo, clean.pixels, number)

    def match_of(self, photo: PrivatePhoto) -> Match | None:
        """Returns a photo as the match of its own unturned copy; None if it cannot be read now."""
        clean = _read(photo.original)
        return None if clean is None else _match(photo, clean.pixels, 0)


def build_index(photos: Sequence[PrivatePhoto], tick: Callable[[int], None] | None = None) -> Index:
    """Reads every photo once.

    Args:
        photos: all that stay
        tick: called with the number of photos that were read; may raise to cancel
    """
    index = Index([], {}, {}, {}, [], {})
    for number, photo in enumerate(photos, start=1):
        try:
            clean = read_photo(photo.original)
        except PhotoError as error:
            index.unreadable[photo.key] = str(error)
            _note_bytes(index, photo)
        else:
            assert clean.source is not None  # read_photo always notes it
            index.files[clean.source.sha256] = photo
            index.clean.setdefault(pixel_digest(clean.pixels), []).append(photo)
            index.photos.append(photo)
            index.hashes.append(perceptual_hash(clean.pixels))
            index.sizes.add(clean.pixels.shape[:2])
        if photo.protected is not None and (moved := _read(photo.protected)) is not None:
            index.protected[pixel_digest(moved.pixels)] = photo
        if tick is not None:
            tick(number)
    return index


def pixel_digest(pixels: Pixels) -> str:
    """Returns a hash of what is seen: equal for one picture as gray and as three equal channels."""
    if pixels.ndim == 3 and (pixels == pixels[..., :1]).all():
        pixels = np.ascontiguousarray(pixels[..., 0])
    digest = hashlib.sha256(repr(pixels.shape).encode())
    digest.update(np.ascontiguousarray(pixels).tobytes())
    return digest.hexdigest()


def linf(one: Pixels, other: Pixels) -> int:
    """Returns the largest difference in grey levels of two pictures of one size."""
    a, b = (rgb(picture).astype(np.int16) for picture in (one, other))
    return int(np.abs(a - b).max())


def share_of_perturbation(released: Pixels, match: Match) -> float | None:
    """Returns how much of the perturbation a picture carries: 1 as protected, 0 as clean.

    <r - o, p - o> / <p - o, p - o> for the picture r, the original o and the protected copy p, all
    brought to the picture's size. None where there is no perturbation to look for.
    """
    if match.protected is None:
        return None
    size = released.shape[:2]
    r, o, p = (
        resized(picture, size[0], size[1]).astype(np.float32)
        for picture in (released, match.original, match.protected)
    )
    moved = p - o
    energy = float((moved * moved).sum())
    if energy < 1e-4 * moved.size:
        return None
    return float(((r - o) * moved).sum() / energy)


def level_distance(one: Pixels, other: Pixels) -> float:
    """Returns the mean difference in grey levels of two pictures, brought to one size."""
    height, width = one.shape[:2]
    a, b = (resized(picture, height, width).astype(np.float32) for picture in (one, other))
    return float(np.abs(a - b).mean())


def gray(pixels: Pixels) -> Pixels:
    """Returns uint8 (H, W), by the weights that most tools give the colours."""
    return np.asarray(Image.fromarray(pixels).convert("L"))


def rgb(pixels: Pixels) -> Pixels:
    """Returns uint8 (H, W, 3)."""
    return np.repeat(pixels[..., None], 3, axis=2) if pixels.ndim == 2 else pixels


def _match(photo: PrivatePhoto, clean: Pixels, number: int) -> Match:
    moved = None if photo.protected is None else _read(photo.protected)
    back = inverse(number)
    return Match(
        photo=photo,
        original=turn(clean, back),
        protected=None if moved is None else turn(moved.pixels, back),
        turn=number,
    )


def inverse(number: int) -> int:
    """Returns the way that undoes a way of :func:`fiftyone_dp2vl.release.likeness.turned`."""
    return number if number >= 4 else -number % 4


def _note_bytes(index: Index, photo: PrivatePhoto) -> None:
    try:
        data = Path(photo.original).read_bytes()
    except OSError:
        return
    index.files[hashlib.sha256(data).hexdigest()] = photo


def _read(path: Path) -> Photo | None:
    try:
        return read_photo(path)
    except PhotoError:
        return None
