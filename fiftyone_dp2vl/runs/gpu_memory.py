"""What is said where a GPU's memory is too small."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from ..errors import RunError

__all__ = ["gpu_memory"]


@contextmanager
def gpu_memory() -> Iterator[None]:
    """Says what can be done, whichever part of a run it was that found no memory on the GPU.

    Raises:
        RunError: in place of torch's own error
    """
    try:
        yield
    except torch.OutOfMemoryError as error:
        raise RunError(
            "the GPU has too little free memory: stop what else uses it or choose the device cpu "
            "and start the same run again, or give a new run's ProtectionConfig fewer lanes"
        ) from error
