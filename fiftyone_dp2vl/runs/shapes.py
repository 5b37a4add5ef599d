"""Photos of a shape that a surrogate cannot see."""

from __future__ import annotations

from collections.abc import Sequence

from ..encoders import Encoder
from ..encoders.geometry import output_size
from ..errors import ConfigError
from ..media import Photo
from ..media.refusals import refusal
from ..protection import grid_size
from .items import PhotoItem

__all__ = ["check_shape"]


def check_shape(
    item: PhotoItem, photo: Photo, grid_pixels: int, encoders: Sequence[Encoder]
) -> None:
    """Refuses a photo that is too long for one of the surrogates, on its grid or in full.

    Args:
        item: names the photo
        photo: what was read
        grid_pixels: most pixels of a photo's grid
        encoders: the surrogates

    Raises:
        PhotoError: if it is
    """
    full = (photo.height, photo.width)
    for encoder in encoders:
        for size in (full, grid_size(*full, grid_pixels)):
            try:
                output_size(encoder.spec, *size)
            except ConfigError as error:
                facts = {"width": photo.width, "height": photo.height}
                raise refusal("too-long", item.path, **facts) from error
