"""What a photo's file says besides its pixels, and how much of it a protected file repeats.

Three things never travel, whatever the policy, since each can be the clean photo itself or a
wrong statement about the new file: embedded previews (the thumbnail directory, the maker's note,
previews in XMP), the colour profile (the pixels are sRGB now) and the orientation (the pixels are
upright now). What travels is listed by name; an unknown tag stays behind.
"""

from __future__ import annotations

import re
from collections.abc import Collection, MutableMapping
from dataclasses import dataclass
from typing import Any

from PIL import Image
from PIL.ExifTags import GPS, IFD, Base

__all__ = ["Metadata", "exif_for", "metadata_of", "xmp_for"]

LARGEST_VALUE = 4096
"""Bytes: a longer value is more likely a picture, or a hidden message, than a statement."""

_LARGEST_NUMBER = 8
"""Bytes: a fraction, the largest of EXIF's numbers."""

_TAGS = frozenset(
    {
        Base.ImageDescription, Base.Make, Base.Model, Base.XResolution, Base.YResolution,
        Base.ResolutionUnit, Base.Software, Base.DateTime, Base.Artist, Base.HostComputer,
        Base.Rating, Base.RatingPercent, Base.Copyright, Base.XPTitle, Base.XPComment,
        Base.XPAuthor, Base.XPKeywords, Base.XPSubject,
    }
)  # fmt: skip

# settings and times; neither numbers by which one camera is known nor free text
_CAMERA_TAGS = frozenset(
    {
        Base.ExposureTime, Base.FNumber, Base.ExposureProgram, Base.SpectralSensitivity,
        Base.ISOSpeedRatings, Base.SensitivityType, Base.StandardOutputSensitivity,
        Base.RecommendedExposureIndex, Base.ISOSpeed, Base.ISOSpeedLatitudeyyy,
        Base.ISOSpeedLatitudezzz, Base.ExifVersion, Base.DateTimeOriginal, Base.DateTimeDigitized,
        Base.OffsetTime, Base.OffsetTimeOriginal, Base.OffsetTimeDigitized, Base.TimeZoneOffset,
        Base.SubsecTime, Base.SubsecTimeOriginal, Base.SubsecTimeDigitized, Base.SelfTimerMode,
        Base.ShutterSpeedValue, Base.ApertureValue, Base.BrightnessValue, Base.ExposureBiasValue,
        Base.MaxApertureValue, Base.SubjectDistance, Base.MeteringMode, Base.LightSource,
        Base.Flash, Base.FocalLength, Base.FlashEnergy, Base.FocalPlaneXResolution,
        Base.FocalPlaneYResolution, Base.FocalPlaneResolutionUnit, Base.ExposureIndex,
        Base.SensingMethod, Base.FileSource, Base.SceneType, Base.CustomRendered,
        Base.ExposureMode, Base.WhiteBalance, Base.DigitalZoomRatio, Base.FocalLengthIn35mmFilm,
        Base.SceneCaptureType, Base.GainControl, Base.Contrast, Base.Saturation, Base.Sharpness,
        Base.SubjectDistanceRange, Base.LensSpecification, Base.LensMake, Base.LensModel,
        Base.CompositeImage,
    }
)  # fmt: skip

_GPS_TAGS = frozenset(GPS)

_XMP_PICTURE = re.compile(rb"thumbnail|GImage|GDepth|GContainer|HDRGainMap|base64|/9j/", re.I)
_XMP_ORIENTATION = re.compile(rb"(tiff:Orientation\s*(?:=\s*[\"']|>)\s*)\d+")


@dataclass(frozen=True, kw_only=True)
class Metadata:
    """EXIF and XMP as they stood in a file.

    Args:
        exif: the EXIF block, or None
        xmp: the XMP packet, or None
    """

    exif: bytes | None = None
    xmp: bytes | None = None


def metadata_of(image: Image.Image) -> Metadata:
    """Returns what a decoded image's file says; what cannot be parsed is left out."""
    try:
        exif = image.getexif().tobytes() if image.getexif() else None
    except Exception:  # Pillow's EXIF parser raises whatever a damaged block provokes
        exif = None
    xmp = image.info.get("xmp")
    return Metadata(exif=exif, xmp=xmp if isinstance(xmp, bytes) else None)


def exif_for(metadata: Metadata, policy: str, width: int, height: int) -> Image.Exif | None:
    """Returns the EXIF of a protected file, or None where it carries none.

    Args:
        metadata: of the original
        policy: ``"strip"``, ``"keep"`` or ``"keep-no-gps"``
        width: of the protected photo in pixels
        height: of the protected photo in pixels
    """
    if policy == "strip" or metadata.exif is None:
        return None
    old, new = Image.Exif(), Image.Exif()
    old.load(metadata.exif)
    _copy(old, new, _TAGS)
    camera = new.get_ifd(IFD.Exif)
    _copy(old.get_ifd(IFD.Exif), camera, _CAMERA_TAGS)
    camera[Base.ColorSpace] = 1  # sRGB
    camera[Base.ExifImageWidth], camera[Base.ExifImageHeight] = width, height
    if policy == "keep":
        _copy(old.get_ifd(IFD.GPSInfo), new.get_ifd(IFD.GPSInfo), _GPS_TAGS)
    new[Base.Orientation] = 1
    return new


def xmp_for(metadata: Metadata, policy: str) -> bytes | None:
    """Returns the XMP packet of a protected file, or None where it carries none.

    Only ``"keep"`` carries one: a place can be written in XMP in more vocabularies than can be
    listed, so ``"keep-no-gps"`` leaves the packet behind. A packet with a picture is left behind
    too.
    """
    if policy != "keep" or metadata.xmp is None or _XMP_PICTURE.search(metadata.xmp):
        return None
    return _XMP_ORIENTATION.sub(rb"\g<1>1", metadata.xmp)


def _copy(
    source: MutableMapping[int, Any], target: MutableMapping[int, Any], tags: Collection[int]
) -> None:
    for tag, value in source.items():
        if tag in tags and _size(value) <= LARGEST_VALUE:
            target[tag] = value


def _size(value: Any) -> int:
    """Returns the most bytes that a value takes in a file."""
    if isinstance(value, str):
        return len(value.encode("utf-8", "replace"))
    if isinstance(value, bytes):
        return len(value)
    return _LARGEST_NUMBER * (len(value) if isinstance(value, tuple) else 1)
