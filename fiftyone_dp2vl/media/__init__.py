"""How a photo is read, written and compared: no torch, no FiftyOne.

A photo is what a viewer shows: upright, in sRGB, 8 bits a channel. Everything else that a file
can be is turned into that when it is read, or refused with a sentence of its own.
"""

from __future__ import annotations

from .photo import Photo, PhotoSource
from .places import check_output_folder
from .quality import Quality, compare
from .reading import MAX_PIXELS, MIN_SIDE, hash_photo, probe_photo, read_photo
from .refusals import REFUSALS
from .writing import SUFFIXES, WrittenFile, read_back, remove_leftovers, write_photo

__all__ = [
    "MAX_PIXELS",
    "MIN_SIDE",
    "REFUSALS",
    "SUFFIXES",
    "Photo",
    "PhotoSource",
    "Quality",
    "WrittenFile",
    "check_output_folder",
    "compare",
    "hash_photo",
    "probe_photo",
    "read_back",
    "read_photo",
    "remove_leftovers",
    "write_photo",
]
