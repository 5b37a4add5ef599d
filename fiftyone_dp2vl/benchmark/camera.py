"""What light, lens, sensor and file format do to a scene."""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image

from fiftyone_dp2vl.benchmark.noise import FloatArray, Rng, fractal, soften

REFERENCE_EDGE = 576
"""Shorter edge, in pixels, at which noise and sharpness are defined."""


@dataclass(frozen=True)
class Exposure:
    """How one photo was taken.

    Attributes:
        warmth: colour temperature; red gains and blue loses this share.
        tint: the same between green and magenta.
        gain: overall brightness factor.
        contrast: slope about mid-grey.
        slope: brightness difference from one side of the photo to the other.
        angle: direction that the light comes from, in radians.
        vignette: darkening of the corners, as a share.
        keystone: eight corner shifts as shares of the edges.
        blur: standard deviation of the lens blur in pixels at `REFERENCE_EDGE`.
        noise: standard deviation of the sensor noise at mid-grey, of 1.
        quality: JPEG quality.
    """

    warmth: float
    tint: float
    gain: float
    contrast: float
    slope: float
    angle: float
    vignette: float
    keystone: tuple[float, ...]
    blur: float
    noise: float
    quality: int


def draw_exposure(rng: Rng) -> Exposure:
    """Draws how a photo is taken, from bright day to a dim room with a cheap phone."""
    return Exposure(
        warmth=float(rng.normal(0.015, 0.05)),
        tint=float(rng.normal(0, 0.02)),
        gain=float(np.exp(np.clip(rng.normal(-0.01, 0.12), -0.25, 0.18))),
        contrast=float(rng.uniform(0.85, 1.15)),
        slope=float(rng.uniform(0.05, 0.4)),
        angle=float(rng.uniform(-np.pi, np.pi)),
        vignette=float(rng.uniform(0.0, 0.4)),
        keystone=tuple(float(v) for v in rng.uniform(-0.025, 0.025, 8)),
        blur=float(rng.uniform(0.3, 1.1)),
        noise=float(rng.uniform(0.008, 0.03)),
        quality=int(rng.integers(72, 97)),
    )


def light(picture: FloatArray, exposure: Exposure) -> FloatArray:
    """Lights a scene.

    Args:
        picture: (H, W, 3), about [0, 1].
        exposure: how the photo is taken.

    Returns:
        (H, W, 3), about [0, 1].
    """
    height, width = picture.shape[:2]
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j].astype(np.float32)
    toward = x * np.cos(exposure.angle) + y * np.sin(exposure.angle)
    falloff = 1 - exposure.vignette * 0.5 * (x * x + y * y)
    plane = (exposure.gain * (1 + 0.5 * exposure.slope * toward) * falloff).astype(np.float32)
    gains = np.array(
        [1 + exposure.warmth, 1 + exposure.tint, 1 - exposure.warmth], dtype=np.float32
    )
    lit = picture * plane[..., None] * gains
    return np.asarray((lit - 0.45) * np.float32(exposure.contrast) + 0.45, dtype=np.float32)


def keystone_matrix(exposure: Exposure) -> npt.NDArray[np.float64]:
    """The (3, 3) homography, in shares of the edges, from the photo back to the scene."""
    corners = np.array([(0, 0), (1, 0), (1, 1), (0, 1)], dtype=np.float64)
    inset = 0.025 + (corners * 0.95 - corners)
    target = corners + inset + np.array(exposure.keystone).reshape(4, 2)
    rows = []
    for (x, y), (u, v) in zip(corners, target, strict=True):
        rows.append([x, y, 1, 0, 0, 0, -u * x, -u * y])
        rows.append([0, 0, 0, x, y, 1, -v * x, -v * y])
    solved = np.linalg.solve(np.array(rows), target.reshape(-1))
    return np.append(solved, 1.0).reshape(3, 3)


def expose(picture: FloatArray, exposure: Exposure, rng: Rng) -> npt.NDArray[np.uint8]:
    """Turns a lit scene into the 8-bit picture that a camera delivers before its JPEG.

    Noise and blur are scaled with the size, so that a photo rendered small looks like the
    large one shrunk.

    Args:
        picture: (H, W, 3), about [0, 1].
        exposure: how the photo is taken.
        rng: draws the sensor noise.

    Returns:
        (H, W, 3) uint8.
    """
    height, width = picture.shape[:2]
    scale = min(height, width) / REFERENCE_EDGE
    matrix = keystone_matrix(exposure)
    size = np.array([width, height, 1.0])
    coefficients = (matrix * size[:, None] / size[None, :]).reshape(-1)[:8]
    eight_bit = np.clip(picture * 255 + 0.5, 0, 255).astype(np.uint8)
    seen = Image.fromarray(eight_bit).transform(
        (width, height),
        Image.Transform.PERSPECTIVE,
        [float(c) for c in coefficients],
        Image.Resampling.BILINEAR,
    )
    values: FloatArray = np.asarray(seen, dtype=np.float32) / np.float32(255)
    values = _lens_blur(values, exposure.blur * scale)
    sigma = exposure.noise * min(1.0, scale)
    grain = rng.standard_normal(values.shape, dtype=np.float32)
    grain += rng.standard_normal(values.shape[:2], dtype=np.float32)[..., None]
    values = values + grain * (0.7 * sigma) * np.sqrt(0.25 + 1.5 * np.clip(values, 0, 1))
    return np.asarray(np.clip(values * 255 + 0.5, 0, 255), dtype=np.uint8)


def _lens_blur(values: FloatArray, sigma: float) -> FloatArray:
    if sigma < 0.25:
        return values
    reach = max(1, int(np.ceil(2 * sigma)))
    taps = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2).astype(np.float32)
    taps /= taps.sum()
    for axis in (0, 1):
        pad = [(0, 0)] * 3
        pad[axis] = (reach, reach)
        padded = np.pad(values, pad, mode="edge")
        length = values.shape[axis]
        values = np.zeros_like(values)
        for i, tap in enumerate(taps):
            window = padded[i : i + length] if axis == 0 else padded[:, i : i + length]
            values += tap * window
    return values


def to_jpeg(picture: npt.NDArray[np.uint8], quality: int) -> bytes:
    """Compresses (H, W, 3) uint8 to JPEG without metadata."""
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, format="JPEG", quality=quality, subsampling=0)
    return buffer.getvalue()


def from_jpeg(data: bytes) -> npt.NDArray[np.uint8]:
    """Decodes a JPEG to (H, W, 3) uint8."""
    with Image.open(io.BytesIO(data)) as picture:
        return np.asarray(picture.convert("RGB"))


def surface(rng: Rng, alpha: FloatArray, angle: float, depth: float, cells: float) -> FloatArray:
    """Shades a flat drawing as if it had a body: lit rim, dark rim, and a rough skin.

    Args:
        rng: draws the roughness.
        alpha: (H, W) coverage of the drawing in [0, 1].
        angle: direction that the light comes from, in radians.
        depth: radius of the rounding in pixels.
        cells: coarsest patches of roughness along the shorter edge.

    Returns:
        (H, W) float32 brightness factors around 1.
    """
    body = soften(alpha, depth)
    down, across = np.gradient(body)
    rim = -(np.cos(angle) * across + np.sin(angle) * down) * np.float32(depth)
    rough = fractal(rng, *alpha.shape, cells=cells, roughness=0.85, octaves=6)
    return np.asarray(1 + np.clip(0.5 * rim, -0.35, 0.25) + 0.036 * rough, dtype=np.float32)
