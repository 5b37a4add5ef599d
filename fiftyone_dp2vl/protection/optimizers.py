"""How a gradient becomes a step: momentum sign, and Adam."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor

from ..config import ProtectionConfig

__all__ = ["Optimizer", "make_optimizer"]


class Optimizer(ABC):
    """Turns gradients (B, C, h, w) into steps of the same shape, photo by photo."""

    @abstractmethod
    def step(self, gradient: Tensor) -> Tensor:
        """Returns what to subtract from the perturbation."""


class MomentumSign(Optimizer):
    """Sign of an accumulated gradient, MI-FGSM (Dong et al., arXiv 1710.06081).

    Args:
        step_size: in units of the [0, 1] range
        momentum: decay of the accumulated gradient
    """

    def __init__(self, step_size: float, momentum: float) -> None:
        self.step_size = step_size
        self.momentum = momentum
        self._sum: Tensor | None = None

    def step(self, gradient: Tensor) -> Tensor:
        size = gradient.abs().mean(dim=(1, 2, 3), keepdim=True).clamp(min=1e-20)
        gradient = gradient / size
        if self._sum is None:
            self._sum = gradient
        else:
            self._sum.mul_(self.momentum).add_(gradient)
        return self.step_size * self._sum.sign()


class Adam(Optimizer):
    """Adam (Kingma and Ba, arXiv 1412.6980), its second moment decayed by 0.99.

    Args:
        step_size: in units of the [0, 1] range
        momentum: decay of the first moment
    """

    def __init__(self, step_size: float, momentum: float) -> None:
        self.step_size = step_size
        self.decays = (momentum, 0.99)
        self._moments: tuple[Tensor, Tensor] | None = None
        self._steps = 0

    def step(self, gradient: Tensor) -> Tensor:
        # scaled to unit mean so that the moments never underflow
        gradient = gradient / gradient.abs().mean(dim=(1, 2, 3), keepdim=True).clamp(min=1e-20)
        if self._moments is None:
            self._moments = (torch.zeros_like(gradient), torch.zeros_like(gradient))
        first, second = self._moments
        first.mul_(self.decays[0]).add_(gradient, alpha=1 - self.decays[0])
        second.mul_(self.decays[1]).addcmul_(gradient, gradient, value=1 - self.decays[1])
        self._steps += 1
        corrected = first / (1 - self.decays[0] ** self._steps)
        scale = (second / (1 - self.decays[1] ** self._steps)).sqrt_().add_(1e-8)
        return self.step_size * corrected / scale


def make_optimizer(config: ProtectionConfig) -> Optimizer:
    """Returns a fresh optimiser for one group of photos."""
    kind = MomentumSign if config.optimizer == "momentum" else Adam
    return kind(config.step_size / 255, config.momentum)
