"""The loop: photos in, perturbations out.

Photo by photo the loss is summed, not averaged, and everything random belongs to a photo's key, so
that a photo's result does not depend on the photos beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ..config import ProtectionConfig
from ..encoders import Encoder, Features, load_encoder
from ..errors import ConfigError
from .arguments import check_photos
from .grid import levels, mask_to_grid
from .optimizers import make_optimizer
from .randomness import photo_normals
from .statistics import SPACES, collect_statistics
from .strategies import Weights, get_strategy
from .targets import Targets, fit_targets
from .transforms import TransformSampler, parse_transform

__all__ = ["Protected", "protect"]

# with random transforms or surrogates one step's loss says little: the best iterate is the one
# whose running mean is lowest, once that mean has forgotten the start
_SMOOTHING = 0.9
_BURN_IN = 20
_AT_ONCE = 16
# measured: matrix products of one to three rows round otherwise than those of four and more
_LEAST_ON_CPU = 4


@dataclass(frozen=True)
class Protected:
    """One photo's perturbation.

    Attributes:
        delta: float32 (C, h, w) on the photo's grid, on the CPU, whole 8-bit levels in units of
            the [0, 1] range, |delta| <= epsilon / 255
        loss: of the kept iterate
        start_loss: of the random start, one level from the photo
    """

    delta: Tensor
    loss: float
    start_loss: float


def protect(
    images: Sequence[Tensor],
    config: ProtectionConfig | None = None,
    *,
    encoders: Sequence[Encoder] | None = None,
    targets: Targets | None = None,
    keys: Sequence[str] | None = None,
    groups: Sequence[str | None] | None = None,
    masks: Sequence[Tensor | None] | None = None,
    on_step: Callable[[int, int], None] | None = None,
) -> list[Protected]:
    """Returns a perturbation for each photo: ``image + result.delta`` is the protected photo.

    Args:
        images: photos, float32 (3, h, w) or, for grayscale, (1, h, w), in [0, 1], of any sizes.
            The perturbation has the size of the image; bring large photos to their grids with
            :func:`fiftyone_dp2vl.protection.to_grid` first
        config: what to do; None for the defaults
        encoders: the surrogates, in the order of ``config.encoders``, on one device; loaded by
            these names if None
        targets: the run's, from :func:`fiftyone_dp2vl.protection.fit_targets`; if None, they are
            computed from these images alone
        keys: a stable key of each photo: it seeds what is random about the photo; by default its
            position
        groups: the person in each photo or None, where ``targets`` is None
        masks: for each photo None or bool (h, w), True where it may change; or (H, W), the size of
            the photo that was brought to its grid
        on_step: called with (photo-steps done, photo-steps in all); may raise to cancel

    Returns:
        one :class:`Protected` a photo, in order; an empty list for no photos

    Raises:
        ConfigError: if the arguments' lengths differ, an image is not as above, a mask is not of
            its photo's shape, or a name in the configuration is unknown
        ModelNotFoundError: if a surrogate is not on this machine
        RunError: if a key is not among the targets'
    """
    config = config or ProtectionConfig()
    keys = [str(row) for row in range(len(images))] if keys is None else keys
    check_photos(images, keys, groups, masks)
    if not len(images):
        return []
    images = [image.detach().float() for image in images]
    if encoders is None:
        encoders = [load_encoder(name) for name in config.encoders]
    if len(encoders) != len(config.encoders):
        raise ConfigError(
            f"{len(config.encoders)} surrogates are configured and {len(encoders)} were given: "
            "give the encoders of config.encoders in order"
        )
    if targets is None:
        batches = [
            (keys[at : at + _AT_ONCE], images[at : at + _AT_ONCE])
            for at in range(0, len(images), _AT_ONCE)
        ]
        seen = collect_statistics(
            batches,
            encoders,
            names=config.encoders,
            reference=get_strategy(config.strategy).uses_reference,
        )
        targets = fit_targets(seen, config, groups)
    masks = list(masks) if masks is not None else [None] * len(images)
    loop = _Loop(config, encoders, targets)
    results: dict[int, Protected] = {}
    done, total = 0, len(images) * config.steps
    for rows in _groups(images, config.lanes):
        offset = done

        def report(step: int, offset: int = offset, size: int = len(rows)) -> None:
            if on_step is not None:
                on_step(offset + step * size, total)

        found = loop.run(
            torch.stack([images[row] for row in rows]),
            [keys[row] for row in rows],
            [masks[row] for row in rows],
            report,
        )
        results.update(zip(rows, found, strict=True))
        done += len(rows) * config.steps
    return [results[row] for row in range(len(images))]


def _groups(images: Sequence[Tensor], lanes: int) -> Iterator[list[int]]:
    """Yields rows of at most ``lanes`` photos of one shape."""
    shapes: dict[tuple[int, ...], list[int]] = {}
    for row, image in enumerate(images):
        shapes.setdefault(tuple(image.shape), []).append(row)
    for rows in shapes.values():
        for start in range(0, len(rows), lanes):
            yield rows[start : start + lanes]


class _Loop:
    """The optimisation of one group of equally shaped photos."""

    def __init__(
        self, config: ProtectionConfig, encoders: Sequence[Encoder], targets: Targets
    ) -> None:
        self.config = config
        self.encoders = list(zip(config.encoders, encoders, strict=True))
        self.device = encoders[0].device
        self.targets = targets
        self.strategy = get_strategy(config.strategy)
        self.weights = Weights(config.repel_weight, config.attract_weight)
        self.transforms = [parse_transform(text) for text in config.transforms]
        self.places = {
            (name, space): targets.places[name, space].to(self.device)
            for name, _ in self.encoders
            for space in SPACES
        }

    def run(
        self,
        images: Tensor,
        keys: list[str],
        masks: list[Tensor | None],
        report: Callable[[int], None],
    ) -> list[Protected]:
        count = len(keys)
        fill = self._least() - count
        if fill > 0:
            images = torch.cat((images, images[:1].expand(fill, -1, -1, -1)))
            keys = keys + keys[:1] * fill
            masks = masks + masks[:1] * fill
        delta, best, start = self._optimise(images.to(self.device), keys, masks, report)
        delta, losses = delta.cpu(), torch.stack((best, start), dim=1).tolist()
        return [Protected(delta[i].clone(), *losses[i]) for i in range(count)]

    def _least(self) -> int:
        """How many photos a group must have to compute each one as any other group does.

        Kernels are chosen by shape: on a GPU by any, on a CPU for the few rows of a pooled head.
        """
        lanes = self.config.lanes
        return lanes if self.device.type == "cuda" else min(lanes, _LEAST_ON_CPU)

    def _optimise(
        self,
        photos: Tensor,
        keys: list[str],
        masks: list[Tensor | None],
        report: Callable[[int], None],
    ) -> tuple[Tensor, Tensor, Tensor]:
        config = self.config
        bound = levels(config.epsilon)
        allowed = _stack_masks(masks, photos)
        # the perturbation counts 8-bit levels: whole steps then stay whole without rounding
        low = (-255 * photos).round_().clamp_(min=-bound).mul_(allowed)
        high = (255 - 255 * photos).round_().clamp_(max=bound).mul_(allowed)
        own, aim = (rows.to(self.device) for rows in self.targets.rows(keys))
        with torch.no_grad():
            clean = {name: self._see(encoder, photos) for name, encoder in self.encoders}
        sampler = TransformSampler(
            self.transforms,
            crop_scale=config.crop_scale,
            crop_probability=config.crop_probability,
            seed=config.seed,
            keys=keys,
            steps=config.steps + 1,
        )
        optimizer = make_optimizer(config)
        delta = torch.clamp(self._start(keys, photos), low, high)
        best_delta = delta.clone()
        best = start = running = torch.full((len(keys),), torch.inf, device=self.device)
        for step in range(config.steps + 1):
            last = step == config.steps
            # whole levels in the forward pass: what is scored is what a file can hold
            shown = delta if optimizer.whole_steps else delta.round()
            moved = torch.add(photos, shown, alpha=1 / 255).requires_grad_(not last)
            seen = sampler(moved.expand(-1, 3, -1, -1), step)
            windows = sampler.windows(step, *photos.shape[-2:])
            loss = torch.zeros(len(keys), device=self.device)
            for name, encoder in self._draw(step):
                features = self._see(encoder, seen, windows)
                before = clean[name]
                if windows is not None:
                    # a crop is to show what the same crop of the clean photo shows, moved
                    with torch.no_grad():
                        before = self._see(encoder, photos, windows)
                loss = loss + self._loss(name, features, before, own, aim)
            value = loss.detach()
            if step == 0:
                start = value
            if sampler.random or self._draws:
                running = torch.where(
                    running.isinf(), value, _SMOOTHING * running + (1 - _SMOOTHING) * value
                )
                value = running if step >= min(_BURN_IN, config.steps) else best
            better = value < best
            best = torch.where(better, value, best)
            torch.where(better[:, None, None, None], shown, best_delta, out=best_delta)
            if last:
                break
            (gradient,) = torch.autograd.grad(loss.sum(), moved)
            optimizer.update(delta, gradient)
            torch.clamp(delta, low, high, out=delta)
            report(step + 1)
        return best_delta / 255, best, start

    def _start(self, keys: list[str], photos: Tensor) -> Tensor:
        """One level of random sign: a photo's own clean tokens are a stationary point."""
        shape = tuple(photos.shape[1:])
        noise = [photo_normals(self.config.seed, key, "start", shape).sign() for key in keys]
        return torch.stack(noise).to(photos.device)

    @property
    def _draws(self) -> bool:
        """Whether each step sees only some of the surrogates."""
        return 0 < self.config.encoders_per_step < len(self.encoders)

    def _draw(self, step: int) -> list[tuple[str, Encoder]]:
        """The surrogates of one step: drawn by the run's seed alone, so the same for all photos."""
        if not self._draws:
            return self.encoders
        rng = np.random.Generator(np.random.Philox(key=[self.config.seed, step]))
        picked = rng.choice(len(self.encoders), size=self.config.encoders_per_step, replace=False)
        return [self.encoders[index] for index in sorted(picked)]

    def _see(self, encoder: Encoder, images: Tensor, windows: Tensor | None = None) -> Features:
        inputs = encoder.preprocess(images.expand(-1, 3, -1, -1), windows)
        with self._precision():
            features = encoder.encode(inputs)
        mask = features.mask
        return Features(features.tokens.float(), features.pooled.float(), mask)

    def _precision(self) -> AbstractContextManager[object]:
        wanted = self.config.precision
        if wanted == "bf16" or (wanted == "auto" and _multiplies_bfloat16(self.device)):
            return torch.autocast(self.device.type, dtype=torch.bfloat16)
        return nullcontext()

    def _loss(
        self,
        name: str,
        seen: Features,
        clean: Features,
        own: Tensor,
        aim: Tensor,
    ) -> Tensor:
        total = torch.zeros(len(own), device=self.device)
        if self.config.token_weight:
            tokens, z0 = seen.tokens, clean.tokens
            if seen.mask is not None:
                tokens, z0 = seen.mean_token()[:, None], clean.mean_token()[:, None]
            loss = self.strategy.loss(
                tokens, z0, self.places[name, "tokens"], own, aim, self.weights
            )
            total = total + self.config.token_weight * loss
        if self.config.pooled_weight:
            loss = self.strategy.loss(
                seen.pooled[:, None],
                clean.pooled[:, None],
                self.places[name, "pooled"],
                own,
                aim,
                self.weights,
            )
            total = total + self.config.pooled_weight * loss
        return total


def _multiplies_bfloat16(device: torch.device) -> bool:
    """Whether a device has units for it; elsewhere bfloat16 is emulated and slower."""
    if device.type == "cpu":
        supported = getattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)
        return bool(supported())
    return device.type == "cuda" and torch.cuda.get_device_capability(device) >= (8, 0)


def _stack_masks(masks: Sequence[Tensor | None], photos: Tensor) -> Tensor:
    """Masks as float (B, 1, h, w) on the photos' grid: 1 only where every pixel may change."""
    size = (photos.shape[-2], photos.shape[-1])
    if all(mask is None for mask in masks):
        return torch.ones(1, 1, 1, 1, device=photos.device)
    whole = torch.ones(size, dtype=torch.bool)
    stacked = [whole if mask is None else mask_to_grid(mask, size) for mask in masks]
    return torch.stack(stacked)[:, None].float().to(photos.device)
