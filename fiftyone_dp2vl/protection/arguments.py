"""What callers of the engine can get wrong about photos, names and masks, each in one sentence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from ..errors import ConfigError

__all__ = ["check_photos"]

# what a resize may overshoot by: a quarter of a grey level, which rounding takes away
_TOLERANCE = 1e-3


def check_photos(
    images: Sequence[Any],
    keys: Sequence[Any],
    groups: Sequence[Any] | None,
    masks: Sequence[Any] | None,
) -> None:
    """Checks the arguments of :func:`fiftyone_dp2vl.protection.protect` that go photo by photo.

    Each image is read once, which next to an optimisation takes no time.

    Args:
        images: see there
        keys: see there
        groups: see there
        masks: see there

    Raises:
        ConfigError: if lengths differ, or an image, a name or a mask will not do
    """
    if any(len(each) != len(images) for each in (keys, groups, masks) if each is not None):
        raise ConfigError(
            "images, keys, groups and masks differ in length: give one of each per photo"
        )
    for name, values in (("keys", keys), ("groups", groups or ())):
        for value in values:
            # a person 0 would be taken for nobody
            if not (isinstance(value, str) or (value is None and name == "groups")):
                raise ConfigError(f"{name} holds {value!r}: give a text for each photo")
    for row, image in enumerate(images):
        _check_image(row, image)
        if masks is not None and masks[row] is not None:
            _check_mask(row, masks[row], (image.shape[1], image.shape[2]))


def _check_image(row: int, image: Any) -> None:
    if not isinstance(image, Tensor) or not image.is_floating_point():
        kind = image.dtype if isinstance(image, Tensor) else f"a {type(image).__name__}"
        raise ConfigError(f"photo {row} is {kind}: give a tensor of float32 in [0, 1]")
    if image.ndim != 3 or image.shape[0] not in (1, 3) or not image.numel():
        raise ConfigError(
            f"photo {row} has shape {tuple(image.shape)}: give (3, h, w), or (1, h, w) for gray"
        )
    low, high = (float(bound) for bound in torch.aminmax(image.detach()))
    if not (low >= -_TOLERANCE and high <= 1 + _TOLERANCE):  # nor is NaN
        raise ConfigError(
            f"photo {row} holds values from {low:g} to {high:g}: give values in [0, 1], which are "
            "those of a file divided by 255"
        )


def _check_mask(row: int, mask: Any, size: tuple[int, int]) -> None:
    if not isinstance(mask, Tensor) or mask.dtype != torch.bool:
        kind = mask.dtype if isinstance(mask, Tensor) else f"a {type(mask).__name__}"
        raise ConfigError(f"the mask of photo {row} is {kind}: give a tensor of bool")
    if not _covers(tuple(mask.shape), size):
        raise ConfigError(
            f"the mask of photo {row} has shape {tuple(mask.shape)} and the photo is "
            f"{size[0]} x {size[1]}: give a mask of that shape, or of the whole photo's before it "
            "was brought to its grid"
        )


def _covers(shape: tuple[int, ...], size: tuple[int, int]) -> bool:
    """Whether a mask is of an image, or of a larger photo that the image was made from."""
    if len(shape) != 2 or shape[0] < size[0] or shape[1] < size[1]:
        return False
    # the same proportions, but that a grid's sides are rounded to whole pixels
    return abs(size[0] * shape[1] - size[1] * shape[0]) <= shape[0] + shape[1]
