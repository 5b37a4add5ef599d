"""Where models run unless somebody says otherwise."""

from __future__ import annotations

__all__ = ["default_device"]


def default_device() -> str:
    """Returns the GPU's name where there is one, else ``"cpu"``."""
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"
