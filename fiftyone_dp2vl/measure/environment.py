"""Where a figure was measured, without saying whose machine it was."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version

from ..machine import cores

__all__ = ["device_name", "environment"]


def device_name(device: str | None = None) -> str:
    """Returns a generic name such as ``"CPU, 2 cores"`` or ``"NVIDIA H100 80GB HBM3"``.

    Args:
        device: torch's name of the device; None takes CUDA where there is one
    """
    import torch

    from ..encoders import default_device

    kind = device or default_device()
    if kind.startswith("cuda"):
        return torch.cuda.get_device_name(kind)
    if kind.startswith("mps"):
        return "Apple GPU"
    return f"CPU, {cores()} cores"


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "absent"


def environment(device: str | None = None) -> dict[str, str | int]:
    """Returns what of the environment can change a figure: device, threads, versions."""
    import torch

    from .. import __version__

    return {
        "device": device_name(device),
        "machine": platform.machine(),
        "threads": torch.get_num_threads(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "fiftyone_dp2vl": __version__,
        **{name: _version(name) for name in ("numpy", "scikit-learn", "transformers", "pillow")},
    }
