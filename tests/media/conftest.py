from __future__ import annotations

import numpy as np
import pytest
from PIL import Image


@pytest.fixture
def scene() -> Image.Image:
    """A 48 x 32 picture without symmetry, so that every wrong turn shows."""
    y, x = np.mgrid[0:32, 0:48]
    rgb = np.stack([x * 5, y * 7, (x + y) * 3], axis=-1)
    return Image.fromarray(rgb.astype(np.uint8))
