"""Where faces are, and the two everyday ways of hiding them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..measure.features import Change, read_rgb
from .album import AlbumPhoto

__all__ = [
    "Box",
    "FaceDetector",
    "blurred_faces",
    "face_boxes",
    "face_detector",
    "pixelated_faces",
    "register_face_detector",
]

Pixels = NDArray[np.uint8]
Box = tuple[float, float, float, float]
"""Left, top, right, bottom, in shares of width and height."""
FaceDetector = Callable[[Pixels], Box | None]
"""From pixels uint8 (H, W, 3) to the box of the only or largest face, or None."""

_detector: FaceDetector | None = None

_BLOCKS = 8
"""Pixelated blocks along the longer side of a face."""
_BLUR = 0.15
"""Sigma of the blur, as a share of the face's longer side."""


def register_face_detector(detector: FaceDetector | None) -> None:
    """Sets what finds faces on photos whose album has no boxes; None takes it away.

    The package ships no face detector. Any will do, for example one of OpenCV's.
    """
    global _detector
    _detector = detector


def face_detector() -> FaceDetector | None:
    """Returns the registered detector, or None."""
    return _detector


def face_boxes(photos: Sequence[AlbumPhoto]) -> dict[str, Box]:
    """Returns key -> box of every photo whose face is known or found.

    Args:
        photos: their own boxes are taken first, then the registered detector is asked
    """
    boxes = {photo.key: photo.face for photo in photos if photo.face is not None}
    if _detector is not None:
        for photo in photos:
            if photo.key not in boxes:
                found = _detector(read_rgb(Path(photo.path)))
                if found is not None:
                    boxes[photo.key] = found
    return boxes


def _region(box: Box, pixels: Pixels) -> tuple[int, int, int, int] | None:
    """Returns (top, bottom, left, right) in pixels, or None where nothing of the box is inside."""
    height, width = pixels.shape[:2]
    left, top, right, bottom = (min(1.0, max(0.0, side)) for side in box)
    y0, y1 = int(np.floor(top * height)), int(np.ceil(bottom * height))
    x0, x1 = int(np.floor(left * width)), int(np.ceil(right * width))
    return (y0, y1, x0, x1) if y1 > y0 and x1 > x0 else None


def _within(boxes: Mapping[str, Box], hide: Callable[[Pixels], Pixels]) -> Change:
    def change(pixels: Pixels, key: str) -> Pixels:
        region = _region(boxes[key], pixels) if key in boxes else None
        if region is None:
            return pixels
        y0, y1, x0, x1 = region
        out = pixels.copy()
        out[y0:y1, x0:x1] = hide(pixels[y0:y1, x0:x1])
        return out

    return change


def blurred_faces(boxes: Mapping[str, Box]) -> Change:
    """Returns the control that blurs each face, as editors and anonymisers do.

    Gaussian, with a sigma of 15 % of the face's longer side.

    Args:
        boxes: photo's key -> box; a photo without one stays as it is
    """
    from PIL import Image, ImageFilter

    def hide(face: Pixels) -> Pixels:
        radius = _BLUR * max(face.shape[:2])
        return np.array(Image.fromarray(face).filter(ImageFilter.GaussianBlur(radius)))

    return _within(boxes, hide)


def pixelated_faces(boxes: Mapping[str, Box]) -> Change:
    """Returns the control that turns each face into 8 blocks along its longer side.

    Args:
        boxes: photo's key -> box; a photo without one stays as it is
    """
    from PIL import Image

    def hide(face: Pixels) -> Pixels:
        height, width = face.shape[:2]
        block = max(height, width) / _BLOCKS
        small = (max(1, round(width / block)), max(1, round(height / block)))
        image = Image.fromarray(face).resize(small, Image.Resampling.BOX)
        return np.array(image.resize((width, height), Image.Resampling.NEAREST))

    return _within(boxes, hide)
