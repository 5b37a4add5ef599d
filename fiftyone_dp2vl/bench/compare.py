"""The paired comparison with torchattacks' PGD."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch

from ..config import ProtectionConfig
from ..encoders import Encoder
from ..measure.cards import Row
from ..protection import apply_perturbation, grid_pixels_for, protect, to_grid
from .pgd import protect_with_pgd
from .task import Task, make_task
from .timing import paired_times

__all__ = ["compare_with_pgd"]

BURN_IN_STEPS = 3


def _ours(task: Task, *, files: bool) -> Callable[[], object]:
    """The engine's work; with ``files``, from a photo's pixels to a protected photo's pixels."""
    config, encoder = task.config, task.encoder

    def work() -> object:
        grids = task.grids
        if files:
            pixels = grid_pixels_for(config, [encoder])
            grids = [to_grid(photo.numpy(), pixels) for photo in task.photos]
        found = protect(
            grids, config, encoders=[encoder], targets=task.targets, keys=list(task.keys)
        )
        if not files:
            return found
        return [
            apply_perturbation(photo.numpy(), one.delta, config.epsilon)
            for photo, one in zip(task.photos, found, strict=True)
        ]

    return work


def _theirs(task: Task, *, files: bool) -> Callable[[], object]:
    lanes = task.config.lanes

    def work() -> object:
        if not files:
            return protect_with_pgd(task, torch.stack(list(task.grids)), batch_size=lanes)
        images = torch.stack([photo.permute(2, 0, 1).float() / 255 for photo in task.photos])
        found = protect_with_pgd(task, images, batch_size=lanes)
        return (found * 255).round().to(torch.uint8)

    return work


def compare_with_pgd(
    encoder: Encoder,
    config: ProtectionConfig,
    *,
    photos: int,
    rounds: int,
    on_round: Callable[[str, int], None] | None = None,
) -> list[Row]:
    """Times both engines on the same encoder, loss, steps, batch and photos, by turns.

    Twice: on whole photos, where the engines differ in what they compute (ours keeps the
    perturbation on a grid that the encoder can still see, PGD one of the photo's full size, as
    it comes), and on the grid alone, where only the loops differ.

    Args:
        encoder: the surrogate
        config: the protection; its strategy, steps and lanes are both engines'
        photos: how many
        rounds: turns, at least 2
        on_round: called with (what is timed, rounds done)
    """
    device = encoder.device.type
    task = make_task(encoder, config, photos)
    short = replace(task, config=_with_steps(config, BURN_IN_STEPS))
    rows = []
    for what, files in (("whole photos", True), ("the grid alone", False)):
        _ours(short, files=files)()
        _theirs(short, files=files)()

        def note(done: int, what: str = what) -> None:
            if on_round is not None:
                on_round(what, done)

        times = paired_times(
            _ours(task, files=files),
            _theirs(task, files=files),
            rounds=rounds,
            device=device,
            on_round=note,
        )
        for name, spent in (("ours", times.first), ("torchattacks PGD", times.second)):
            where = {"engine": name, "on": what}
            mean = sum(spent) / len(spent)
            groups = -(-photos // config.lanes)
            rows += [
                Row(
                    figure="photos_per_second",
                    value=photos / mean,
                    unit="photos/s",
                    n=rounds * photos,
                    conditions=where,
                ),
                Row(
                    figure="step_of_a_full_batch",
                    value=1000 * mean / groups / config.steps,
                    unit="ms",
                    n=rounds * groups,
                    conditions=where,
                ),
            ]
        rows.append(
            Row(
                figure="speed_over_pgd",
                value=times.ratio,
                unit="ratio",
                interval=times.interval,
                n=rounds,
                conditions={"on": what},
            )
        )
    return rows


def _with_steps(config: ProtectionConfig, steps: int) -> ProtectionConfig:
    return ProtectionConfig.from_dict({**config.to_dict(), "steps": steps})
