"""A7: an attacker learns from our tool's own output to tell protected photos from clean ones."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch.nn.functional as F
from numpy.typing import NDArray

from ..protection import to_grid

__all__ = ["Detector", "train_detector"]

_LEVELS = 4

Pixels = NDArray[np.uint8]


def _energies(pixels: Pixels, grid_pixels: int) -> NDArray[np.float64]:
    """Returns (12,): log energy of each channel's Laplacian pyramid, from fine to coarse."""
    image = to_grid(pixels, grid_pixels)[None]
    found = []
    for _ in range(_LEVELS):
        smaller = F.avg_pool2d(image, 2, ceil_mode=True)
        back = F.interpolate(smaller, size=image.shape[-2:], mode="bilinear", align_corners=False)
        found.append((image - back).square().mean(dim=(0, 2, 3)).numpy())
        image = smaller
    return np.log(np.concatenate(found).astype(np.float64) + 1e-8)


class Detector:
    """How likely a photo was protected.

    Args:
        model: a fitted classifier of scikit-learn's kind with two classes
        grid_pixels: largest size of the perturbation's grid
    """

    def __init__(self, model: object, grid_pixels: int) -> None:
        self._model, self._grid_pixels = model, grid_pixels

    def __call__(self, pixels: Pixels) -> float:
        """Returns the probability in [0, 1] that a photo uint8 (H, W, 3) was protected."""
        rows = _energies(pixels, self._grid_pixels)[None]
        return float(self._model.predict_proba(rows)[0, 1])  # type: ignore[attr-defined]


def train_detector(pairs: Sequence[tuple[Pixels, Pixels]], *, grid_pixels: int) -> Detector:
    """Fits logistic regression to the spectra of photos before and after protection.

    Args:
        pairs: (clean, protected) pixels uint8 (H, W, 3) of photos of *other* people
        grid_pixels: largest size of the perturbation's grid
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    rows = [_energies(pixels, grid_pixels) for pair in pairs for pixels in pair]
    model = make_pipeline(StandardScaler(), LogisticRegression(C=10.0, max_iter=2000))
    model.fit(np.stack(rows), [0, 1] * len(pairs))
    return Detector(model, grid_pixels)
