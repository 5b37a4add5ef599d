"""A7: an attacker learns from our tool's own output to take the perturbation away again."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from ..protection import apply_perturbation, to_grid

__all__ = ["Denoiser", "train_denoiser"]

_WIDTH, _CROP, _BATCH = 24, 48, 16
_RATE = 2e-3


class _Network(nn.Module):
    """From a photo's grid to its perturbation, in units of the budget; sees 19 x 19 cells."""

    def __init__(self) -> None:
        super().__init__()
        dilations = (1, 2, 4, 1)
        layers: list[nn.Module] = []
        for index, dilation in enumerate(dilations):
            layers += [
                nn.Conv2d(
                    3 if index == 0 else _WIDTH, _WIDTH, 3, padding="same", dilation=dilation
                ),
                nn.ReLU(),
            ]
        self.layers = nn.Sequential(*layers, nn.Conv2d(_WIDTH, 3, 3, padding="same"))

    def forward(self, grids: Tensor) -> Tensor:
        found: Tensor = self.layers(grids - 0.5)
        return found


class Denoiser:
    """Takes a learned estimate of the perturbation off a photo.

    Args:
        network: from grids float32 (B, 3, h, w) in [0, 1] to perturbations in units of the budget
        epsilon: the budget in 1/255: no pixel is moved further
        grid_pixels: largest size of the grid
    """

    def __init__(self, network: nn.Module, epsilon: float, grid_pixels: int) -> None:
        self._network, self._epsilon, self._grid_pixels = network.eval(), epsilon, grid_pixels

    def __call__(self, pixels: NDArray[np.uint8], key: str) -> NDArray[np.uint8]:
        """Returns a photo's pixels uint8 (H, W, 3) without what was recognised as perturbation."""
        grid = to_grid(pixels, self._grid_pixels)
        with torch.no_grad():
            delta = self._network(grid[None])[0].clamp(-1, 1) * self._epsilon / 255
        return apply_perturbation(pixels, -delta, self._epsilon)


def train_denoiser(
    pairs: Sequence[tuple[NDArray[np.uint8], NDArray[np.uint8]]],
    *,
    epsilon: float,
    grid_pixels: int,
    steps: int,
    seed: int = 0,
    on_step: Callable[[int], None] | None = None,
) -> Denoiser:
    """Trains a small convolutional network on photos before and after protection.

    Works on the grid on which the perturbation lives, so that what is learned has the
    perturbation's scale. Ours, in the spirit of FaceCure (arXiv 2106.14851), which learns from
    the output of the tool that it undoes.

    Args:
        pairs: (clean, protected) pixels uint8 (H, W, 3) of photos of *other* people
        epsilon: the budget in 1/255
        grid_pixels: largest size of the grid
        steps: of Adam
        seed: of the network and of the crops
        on_step: called before every step; may raise
    """
    clean = [to_grid(before, grid_pixels) for before, _ in pairs]
    moved = [to_grid(after, grid_pixels) for _, after in pairs]
    rng = np.random.default_rng(seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = _Network()
    side = min(_CROP, *(min(grid.shape[1:]) for grid in moved))
    optimizer = torch.optim.Adam(network.parameters(), lr=_RATE)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=steps)
    for step in range(steps):
        if on_step is not None:
            on_step(step)
        seen, wanted = [], []
        for index in rng.integers(len(pairs), size=_BATCH):
            height, width = moved[index].shape[1:]
            top = int(rng.integers(height - side + 1))
            left = int(rng.integers(width - side + 1))
            window = (slice(None), slice(top, top + side), slice(left, left + side))
            seen.append(moved[index][window])
            wanted.append((moved[index][window] - clean[index][window]) * 255 / max(epsilon, 1e-6))
        loss = F.mse_loss(network(torch.stack(seen)), torch.stack(wanted))
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        optimizer.step()
        schedule.step()
    return Denoiser(network, epsilon, grid_pixels)
