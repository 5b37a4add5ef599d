"""How a gradient becomes a step: momentum sign, and Adam."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor

from ..config import ProtectionConfig

__all__ = ["Optimizer", "make_optimizer"]


class Optimizer(ABC):
    """Turns gradients into changes of a perturbation, photo by photo.

    Attributes:
        whole_steps: whether a perturbation of whole levels stays one
    """

    whole_steps: bool

    @abstractmethod
    def update(self, delta: Tensor, gradient: Tensor) -> None:
        """Changes ``delta`` in place so that the loss falls.

        Args:
            delta: float32 (B, C, h, w), in 8-bit levels
            gradient: float32 (B, C, h, w), of any scale
        """


def _inverse_size(gradient: Tensor) -> Tensor:
    """1 / mean |gradient| of each photo, (B, 1, 1, 1), so that nothing underflows."""
    count = gradient[0].numel()
    total: Tensor = torch.linalg.vector_norm(gradient, ord=1, dim=(1, 2, 3), keepdim=True)
    return total.clamp(min=1e-30).reciprocal() * count


class MomentumSign(Optimizer):
    """Sign of an accumulated gradient, MI-FGSM (Dong et al., arXiv 1710.06081).

    Args:
        step_size: in 8-bit levels
        momentum: decay of the accumulated gradient
    """

    def __init__(self, step_size: float, momentum: float) -> None:
        self.step_size = step_size
        self.momentum = momentum
        self.whole_steps = float(step_size).is_integer()
        self._sum: Tensor | None = None

    def update(self, delta: Tensor, gradient: Tensor) -> None:
        if self._sum is None:
            self._sum = torch.zeros_like(gradient)
        self._sum.mul_(self.momentum).addcmul_(gradient, _inverse_size(gradient))
        delta.sub_(self._sum.sign(), alpha=self.step_size)


class Adam(Optimizer):
    """Adam (Kingma and Ba, arXiv 1412.6980), its second moment decayed by 0.99.

    Args:
        step_size: in 8-bit levels
        momentum: decay of the first moment
    """

    whole_steps = False

    def __init__(self, step_size: float, momentum: float) -> None:
        self.step_size = step_size
        self.decays = (momentum, 0.99)
        self._moments: tuple[Tensor, Tensor] | None = None
        self._steps = 0

    def update(self, delta: Tensor, gradient: Tensor) -> None:
        gradient = gradient * _inverse_size(gradient)
        if self._moments is None:
            self._moments = (torch.zeros_like(gradient), torch.zeros_like(gradient))
        first, second = self._moments
        first.mul_(self.decays[0]).add_(gradient, alpha=1 - self.decays[0])
        second.mul_(self.decays[1]).addcmul_(gradient, gradient, value=1 - self.decays[1])
        self._steps += 1
        scale = (second / (1 - self.decays[1] ** self._steps)).sqrt_().add_(1e-8)
        delta.addcdiv_(first, scale, value=-self.step_size / (1 - self.decays[0] ** self._steps))


def make_optimizer(config: ProtectionConfig) -> Optimizer:
    """Returns a fresh optimiser for one group of photos."""
    kind = MomentumSign if config.optimizer == "momentum" else Adam
    return kind(config.step_size, config.momentum)
