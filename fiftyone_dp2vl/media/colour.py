"""From any pixel mode and colour profile to 8-bit sRGB, or gray where the photo is gray."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image, ImageCms

__all__ = ["UnsupportedModeError", "to_srgb"]

_INTENT = ImageCms.Intent.RELATIVE_COLORIMETRIC
_FLAGS = ImageCms.Flags.BLACKPOINTCOMPENSATION
_ROWS = 256
_SPACES = {"L": "GRAY", "RGB": "RGB ", "CMYK": "CMYK", "LAB": "Lab "}


class UnsupportedModeError(Exception):
    """Pixels whose range of values the file does not say."""


def to_srgb(image: Image.Image) -> tuple[Image.Image, list[str]]:
    """Returns a decoded image in mode L, LA, RGB or RGBA, and what had to be assumed.

    The result is the image itself where nothing has to be done.

    Alpha is carried over untouched; colour management sees the colours alone. A gray photo stays
    gray whatever its profile.

    Args:
        image: decoded, in any of Pillow's modes

    Raises:
        UnsupportedModeError: for floating-point pixels and for integers beyond 16 bits
    """
    notes: list[str] = []
    profile = _profile(image, notes)
    image = _whole_pixels(image)
    if profile is None and image.mode in ("LA", "RGBA"):
        return image, notes
    alpha = image.getchannel("A") if image.mode in ("LA", "RGBA") else None
    colours = image.convert(image.mode[:-1]) if alpha is not None else image
    colours = _managed(colours, profile, notes)
    if alpha is not None:
        colours.putalpha(alpha)
    return colours, notes


def _profile(image: Image.Image, notes: list[str]) -> ImageCms.ImageCmsProfile | None:
    data = image.info.get("icc_profile")
    if not data:
        return None
    try:
        return ImageCms.ImageCmsProfile(io.BytesIO(data))
    except (OSError, ImageCms.PyCMSError):
        notes.append("the colour profile is damaged; sRGB was assumed")
        return None


def _whole_pixels(image: Image.Image) -> Image.Image:
    """Returns the image in mode L, LA, RGB, RGBA, CMYK or LAB."""
    if image.mode in ("P", "PA"):
        transparent = image.mode == "PA" or "transparency" in image.info
        return image.convert("RGBA" if transparent else "RGB")
    if image.mode == "I" or image.mode.startswith("I;16"):
        return _sixteen_bits(image)
    if image.mode in ("L", "RGB") and "transparency" in image.info:
        return image.convert("LA" if image.mode == "L" else "RGBA")  # one colour is see-through
    simple = {"1": "L", "La": "LA", "RGBa": "RGBA", "RGBX": "RGB", "YCbCr": "RGB", "HSV": "RGB"}
    if image.mode in simple:
        return image.convert(simple[image.mode])
    if image.mode not in ("L", "LA", "RGB", "RGBA", "CMYK", "LAB"):
        raise UnsupportedModeError(image.mode)
    return image


def _sixteen_bits(image: Image.Image) -> Image.Image:
    """Returns 16-bit gray rounded to 8 bits; Pillow's own conversion clips at 255 instead."""
    values = np.asarray(image)
    if values.min() < 0 or values.max() > 65535:
        raise UnsupportedModeError(image.mode)
    rounded = np.empty(values.shape, np.uint8)
    for top in range(0, len(values), _ROWS):
        rows = values[top : top + _ROWS].astype(np.uint32)
        rounded[top : top + _ROWS] = (rows * 255 + 32767) // 65535
    return Image.fromarray(rounded)


def _managed(
    image: Image.Image, profile: ImageCms.ImageCmsProfile | None, notes: list[str]
) -> Image.Image:
    """Returns an opaque image in L or RGB, its colours seen through its profile."""
    space = profile.profile.xcolor_space if profile is not None else None
    fits = space == _SPACES[image.mode] or (image.mode == "L" and space == "RGB ")
    if profile is not None and not fits:
        notes.append(f"the colour profile is for {str(space).strip()} pixels; sRGB was assumed")
        profile = None
    if image.mode == "LAB":
        profile = profile or ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB"))
    if profile is None:
        if image.mode == "CMYK":
            notes.append("CMYK without a colour profile was converted by formula")
        return image if image.mode in ("L", "RGB") else image.convert("RGB")
    try:
        if image.mode == "L":
            return _gray(image, profile)
        transform = _transform(profile, image.mode)
        if image.mode == "RGB" and _is_srgb(transform):
            return image
        return transform.apply(image)
    except ImageCms.PyCMSError:
        notes.append("the colour profile cannot be used; sRGB was assumed")
        return image if image.mode == "L" else image.convert("RGB")


def _transform(profile: ImageCms.ImageCmsProfile, mode: str) -> ImageCms.ImageCmsTransform:
    srgb = ImageCms.createProfile("sRGB")
    return ImageCms.buildTransform(profile, srgb, mode, "RGB", _INTENT, _FLAGS)


def _gray(image: Image.Image, profile: ImageCms.ImageCmsProfile) -> Image.Image:
    """Returns a gray image through the 256 grays of its profile, gray or RGB."""
    ramp = Image.fromarray(np.arange(256, dtype=np.uint8)[None])
    mode = "RGB" if profile.profile.xcolor_space == "RGB " else "L"
    shown = _transform(profile, mode).apply(ramp.convert(mode))
    return image.point(np.asarray(shown)[0, :, 1].tolist())  # a neutral: R = G = B


def _is_srgb(transform: ImageCms.ImageCmsTransform) -> bool:
    """Says whether a transform leaves colours alone to one level, as the many sRGB profiles do.

    Such photos keep the pixels that every other reader decodes.
    """
    levels = np.linspace(0, 255, 9).round().astype(np.uint8)
    lattice = np.stack(np.meshgrid(levels, levels, levels), axis=-1).reshape(27, 27, 3)
    shown = np.asarray(transform.apply(Image.fromarray(lattice)))
    return bool(np.abs(shown.astype(int) - lattice).max() <= 1)
