"""Why a photo is refused: one code and one sentence for each reason."""

from __future__ import annotations

from pathlib import Path

from ..errors import PhotoError

__all__ = ["REFUSALS", "refusal"]

REFUSALS: dict[str, str] = {
    "missing": "{name} does not exist: put it back, or leave it out",
    "not-a-file": "{name} is not a file: give the path of a photo",
    "permission": "{name} may not be read by this user: change its permissions",
    "unreadable": "{name} cannot be read from disk ({reason}): copy it to another place",
    "empty": "{name} is empty (0 bytes): copy it again from its source",
    "not-an-image": "{name} is not an image that is known here: leave it out",
    "unsupported": "{name} is {what}, which is not read here: export it as JPEG, PNG or TIFF",
    "truncated": "{name} is cut short or damaged: copy it again from its source",
    "animated": "{name} holds {frames} frames: give one still photo a file",
    "too-large": "{name} has more than the {limit:.0f} megapixels that are read: shrink it first",
    "decompression-bomb": "{name} unpacks to far more than its size on disk, as an attack would: "
    "make sure of where it comes from and save it anew",
    "too-small": "{name} is {width} x {height} pixels: the shorter side must have at least {limit}",
    "too-long": "{name} is {width} x {height} pixels, which is too long for a surrogate: crop it "
    "until one side is at most 200 times the other",
    "too-large-for-webp": "{name} is {width} x {height} pixels and WebP ends at 16383: choose png",
    "too-large-for-jpeg": "{name} is {width} x {height} pixels and JPEG ends at 65500: choose png",
    "alpha-in-jpeg": "{name} has transparency, which JPEG cannot hold: choose png or webp",
    "changed-shape": "{name} was read back with another size or mode than its original: it was not "
    "kept",
    "changed-alpha": "{name} was read back with other transparency than its original: it was not "
    "kept",
    "exists": "{name} exists already and belongs to something else: choose another folder",
}
"""Code -> sentence; the codes are stable and are stored beside the photo."""


def refusal(code: str, path: str | Path, **facts: object) -> PhotoError:
    """Returns the error that refuses a photo.

    Args:
        code: a key of :data:`REFUSALS`
        path: the photo; only its name appears in the sentence
        facts: what the sentence has to be filled with
    """
    return PhotoError(REFUSALS[code].format(name=Path(path).name, **facts), code=code)
