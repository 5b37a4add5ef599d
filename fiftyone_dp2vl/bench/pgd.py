"""torchattacks' PGD, unchanged, made to minimise this package's loss."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from ..encoders import Features
from ..errors import ModelNotFoundError
from ..protection import get_strategy
from ..protection.strategies import Weights
from .task import Task

__all__ = ["LossAsLogits", "protect_with_pgd"]


class LossAsLogits(nn.Module):
    """A classifier whose cross-entropy grows exactly where the protection's loss L falls.

    For logits (L / s, 0) and label 0 the cross-entropy is softplus(-L / s), strictly falling in L.
    Photo by photo its gradient is a positive multiple of -dL, so PGD, which keeps a gradient's
    sign only, takes the same steps as if it were given L itself. s, a constant to the gradient, is
    the size of a large L, whose softplus would have no gradient left in float32.

    Args:
        task: what to do
    """

    def __init__(self, task: Task) -> None:
        super().__init__()
        self.encoder = task.encoder
        self.config = task.config
        self.strategy = get_strategy(task.config.strategy)
        self.weights = Weights(task.config.repel_weight, task.config.attract_weight)
        name = task.config.encoders[0]
        device = task.encoder.device
        self.places = {
            space: task.targets.places[name, space].to(device) for space in ("tokens", "pooled")
        }
        self.targets = task.targets
        self.clean: Features
        self.own: Tensor
        self.aim: Tensor

    def start(self, images: Tensor, keys: list[str]) -> None:
        """Remembers a batch's clean features and targets."""
        with torch.no_grad():
            self.clean = self.encoder(images)
        device = images.device
        self.own, self.aim = (rows.to(device) for rows in self.targets.rows(keys))

    def loss(self, images: Tensor) -> Tensor:
        """Returns the protection's loss, float32 (B,), as the engine computes it without EOT."""
        seen = self.encoder(images)
        tokens = self.strategy.loss(
            seen.tokens, self.clean.tokens, self.places["tokens"], self.own, self.aim, self.weights
        )
        pooled = self.strategy.loss(
            seen.pooled[:, None],
            self.clean.pooled[:, None],
            self.places["pooled"],
            self.own,
            self.aim,
            self.weights,
        )
        return self.config.token_weight * tokens + self.config.pooled_weight * pooled

    def forward(self, images: Tensor) -> Tensor:
        """Returns logits, float32 (B, 2)."""
        loss = self.loss(images)
        logit = loss / loss.detach().abs().clamp(min=1.0)
        return torch.stack([logit, torch.zeros_like(loss)], dim=1)


def protect_with_pgd(task: Task, images: Tensor, *, batch_size: int) -> Tensor:
    """Returns photos protected by ``torchattacks.PGD``.

    Args:
        task: what to do
        images: float32 (N, 3, H, W) in [0, 1]
        batch_size: photos side by side

    Raises:
        ModelNotFoundError: if torchattacks is not installed
    """
    try:
        import torchattacks
    except ImportError as error:
        raise ModelNotFoundError(
            "the comparison needs torchattacks: run `pip install fiftyone_dp2vl[bench]`"
        ) from error
    config = task.config
    model: Any = LossAsLogits(task).eval()
    attack = torchattacks.PGD(
        model,
        eps=config.epsilon / 255,
        alpha=config.step_size / 255,
        steps=config.steps,
        random_start=False,
    )
    out = []
    for start in range(0, len(images), batch_size):
        batch = images[start : start + batch_size].to(task.encoder.device)
        model.start(batch, list(task.keys[start : start + batch_size]))
        labels = torch.zeros(len(batch), dtype=torch.long, device=batch.device)
        out.append(attack(batch, labels).cpu())
    return torch.cat(out)
