"""What sees a photo: encoders, their preprocessing as data, and a registry open to users."""

from __future__ import annotations

from .base import Encoder, EncoderInfo, Features, PreprocessSpec
from .device import default_device
from .registry import (
    EncoderListing,
    EncoderRequest,
    list_encoders,
    load_encoder,
    register_encoder,
    unload_encoders,
)
from .wrap import wrap_module

__all__ = [
    "Encoder",
    "EncoderInfo",
    "EncoderListing",
    "EncoderRequest",
    "Features",
    "PreprocessSpec",
    "default_device",
    "list_encoders",
    "load_encoder",
    "register_encoder",
    "unload_encoders",
    "wrap_module",
]
