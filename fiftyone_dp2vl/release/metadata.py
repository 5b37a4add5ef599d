"""What an image file says besides its pixels: everything is a finding, some have names."""

from __future__ import annotations

import re
from collections.abc import Iterator

from PIL import Image
from PIL.ExifTags import IFD, Base

from ..errors import PhotoError
from .containers import Piece, container_of, pieces
from .report import Finding

__all__ = ["PICTURE_SIGNATURE", "metadata_findings"]

PICTURE_SIGNATURE = re.compile(rb"\xff\xd8\xff[\xc0-\xfe]|\x89PNG\r\n\x1a\n")
"""Where a JPEG or PNG begins inside something else."""

_EXIF_HOMES = {"eXIf", "EXIF", "APP1"}
_SERIALS = {
    Base.BodySerialNumber: "the camera's serial number",
    Base.LensSerialNumber: "the lens's serial number",
    Base.CameraOwnerName: "the camera's owner",
    Base.ImageUniqueID: "the photo's unique id",
    Base.HostComputer: "the computer's name",
    Base.Artist: "the photographer",
}


def metadata_findings(file: str, data: bytes) -> Iterator[Finding]:
    """Yields a finding for everything in an image file that is not needed to show it.

    Args:
        file: its path in the release
        data: its bytes
    """
    if container_of(data) is None:
        yield Finding(
            "opaque",
            file,
            "only PNG, JPEG and WebP pictures can be checked to the last byte: write it as PNG",
        )
        return
    try:
        extra = [piece for piece in pieces(data) if not piece.pixels]
    except PhotoError as error:
        yield Finding("opaque", file, f"its pieces do not add up ({error})")
        return
    for piece in extra:
        yield from _piece_findings(file, piece)


def _piece_findings(file: str, piece: Piece) -> Iterator[Finding]:
    size = len(piece.raw)
    if piece.name == "trailing data":
        yield Finding("trailing-data", file, f"{size} bytes follow the end of the picture")
    elif piece.hidden:
        what = piece.name if " " in piece.name else f"a second picture ({piece.name})"
        yield Finding("hidden-data", file, f"it has {what} that nobody is shown: {size} bytes")
    else:
        yield Finding("metadata", file, f"it carries {piece.name} ({size} bytes)")
    if piece.name in _EXIF_HOMES:
        yield from _exif_findings(file, piece.data)
    if PICTURE_SIGNATURE.search(piece.raw):
        yield Finding("thumbnail", file, f"there is a picture inside its {piece.name}")


def _exif_findings(file: str, block: bytes) -> Iterator[Finding]:
    exif = Image.Exif()
    try:
        exif.load(block)
        gps = dict(exif.get_ifd(IFD.GPSInfo))
        thumbnail = dict(exif.get_ifd(IFD.IFD1))
        tags = {**exif, **exif.get_ifd(IFD.Exif)}
    except Exception:  # Pillow's parser raises whatever a damaged block provokes
        return
    if gps:
        yield Finding("gps", file, "its EXIF says where it was taken")
    if thumbnail:
        yield Finding("thumbnail", file, "its EXIF has a thumbnail, which may be the clean photo")
    named = [words for tag, words in _SERIALS.items() if tag in tags]
    if named or Base.MakerNote in tags:
        named += ["the maker's note"] if Base.MakerNote in tags else []
        yield Finding("serial", file, f"its EXIF names {', '.join(named)}")
