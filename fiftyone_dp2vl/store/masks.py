"""From a sample's labels to the part of its photo that may change."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..errors import ConfigError, PhotoError
from .photos import MASK_KINDS, field_problem

__all__ = ["LabelMask", "label_masks"]


@dataclass(frozen=True)
class LabelMask:
    """The union of a sample's labels, drawn when the photo's size is known.

    Args:
        label: a ``Detections``, ``Detection`` or ``Segmentation``, or None where the sample has
            none
        field: its field, for messages
    """

    label: Any
    field: str

    def __call__(self, height: int, width: int) -> NDArray[np.bool_]:
        """Returns bool (height, width), True where the photo may change.

        Raises:
            PhotoError: if that is nowhere. To leave such a photo as it is would be to release it
                unprotected without a word.
        """
        mask = np.zeros((height, width), dtype=bool)
        if hasattr(self.label, "detections"):
            for detection in self.label.detections:
                _draw(mask, detection)
        elif hasattr(self.label, "bounding_box"):
            _draw(mask, self.label)
        elif self.label is not None and self.label.has_mask:
            mask |= _resized(_foreground(self.label.get_mask()), height, width)
        if not mask.any():
            raise PhotoError(
                f"{self.field!r} marks nothing on this photo, so nothing of it may be protected",
                code="empty-mask",
            )
        return mask


def label_masks(view: Any, field: str | None) -> list[LabelMask | None]:
    """Returns the mask of every photo of a view, in its order.

    Args:
        view: a FiftyOne dataset or view
        field: a field of detections (boxes, or instance masks where they have them) or
            segmentations, or None for whole photos

    Raises:
        ConfigError: if the field is not of such a type
    """
    if field is None:
        # not len(view): a database that was killed may count wrongly ever after
        return [None] * len(view.values("id"))
    problem = field_problem(view, field, MASK_KINDS)
    if problem is not None:
        raise ConfigError(problem)
    return [LabelMask(label, field) for label in view.values(field)]


def _draw(mask: NDArray[np.bool_], detection: Any) -> None:
    """Adds a detection: its instance mask within its box, or all of the box."""
    height, width = mask.shape
    x, y, w, h = detection.bounding_box
    # outward, so that a box covers every pixel that it touches
    left, top = max(0, int(np.floor(x * width))), max(0, int(np.floor(y * height)))
    right, bottom = (
        min(width, int(np.ceil((x + w) * width - 1e-9))),
        min(height, int(np.ceil((y + h) * height - 1e-9))),
    )
    if right <= left or bottom <= top:
        return
    area = mask[top:bottom, left:right]
    if detection.has_mask:
        area |= _resized(_foreground(detection.get_mask()), bottom - top, right - left)
    else:
        area[:] = True


def _foreground(mask: NDArray[Any]) -> NDArray[np.bool_]:
    """Returns where a mask of classes, of 0 and 255, or of RGB colours is not background."""
    return np.asarray(mask.any(axis=2) if mask.ndim == 3 else mask != 0)


def _resized(mask: NDArray[np.bool_], height: int, width: int) -> NDArray[np.bool_]:
    if mask.shape == (height, width):
        return mask
    image = Image.fromarray(mask.astype(np.uint8) * 255)
    return np.asarray(image.resize((width, height), Image.Resampling.NEAREST)) > 0
