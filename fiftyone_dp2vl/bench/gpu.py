"""A real tower at its real size: CLIP ViT-L/14 at 336 px, with random weights."""

from __future__ import annotations

import tempfile
from pathlib import Path

import torch

from ..config import ProtectionConfig
from ..encoders import Encoder, load_encoder
from ..measure.cards import Row
from ..measure.environment import device_name
from ..protection import protect
from .compare import BURN_IN_STEPS, _with_steps
from .hardware import peak_flops, step_flops
from .task import make_task
from .timing import seconds

__all__ = ["bench_large", "random_clip_large"]


def random_clip_large(device: str, *, layers: int = 24) -> Encoder:
    """Returns the vision tower of CLIP ViT-L/14-336, LLaVA-1.5's, with random weights.

    Speed does not depend on the weights, and nothing is downloaded. The text tower is a stub.

    Args:
        device: torch's name of the device
        layers: fewer than 24 for a trial
    """
    from transformers import CLIPConfig, CLIPImageProcessor, CLIPModel

    config = CLIPConfig(
        vision_config={
            "hidden_size": 1024,
            "intermediate_size": 4096,
            "num_hidden_layers": layers,
            "num_attention_heads": 16,
            "image_size": 336,
            "patch_size": 14,
            "projection_dim": 768,
        },
        text_config={
            "hidden_size": 64,
            "intermediate_size": 64,
            "num_hidden_layers": 1,
            "num_attention_heads": 1,
            "vocab_size": 64,
            "projection_dim": 768,
        },
        projection_dim=768,
    )
    torch.manual_seed(0)
    with tempfile.TemporaryDirectory() as folder:
        CLIPModel(config).save_pretrained(folder)
        CLIPImageProcessor(
            size={"shortest_edge": 336}, crop_size={"height": 336, "width": 336}
        ).save_pretrained(folder)
        return load_encoder(f"hf:{Path(folder)}", device=device, local_files_only=True)


def bench_large(
    device: str, *, steps: int = 100, lanes: int = 64, rounds: int = 3, layers: int = 24
) -> list[Row]:
    """Returns photos a second and the share of the device's peak that a large tower reaches.

    Args:
        device: torch's name of the device
        steps: of a protection
        lanes: photos side by side
        rounds: repetitions after the burn-in
        layers: of the tower; fewer than 24 for a trial
    """
    encoder = random_clip_large(device, layers=layers)
    config = ProtectionConfig(
        encoders=("clip-l-14-336",), steps=steps, lanes=lanes, precision="bf16"
    )
    task = make_task(encoder, config, lanes)

    def work(config: ProtectionConfig) -> None:
        protect(task.grids, config, encoders=[encoder], targets=task.targets, keys=list(task.keys))

    work(_with_steps(config, BURN_IN_STEPS))
    spent = [seconds(lambda: work(config), device) for _ in range(rounds)]
    speed = lanes * len(spent) / sum(spent)
    flops = step_flops(encoder) * steps
    where = {"encoder": "CLIP ViT-L/14 at 336 px, random weights", "precision": "bf16"}
    rows = [
        Row(
            figure="photos_per_second",
            value=speed,
            unit="photos/s",
            n=rounds * lanes,
            conditions=where,
        ),
        Row(
            figure="step_of_a_full_batch",
            value=1000 * sum(spent) / rounds / steps,
            unit="ms",
            n=rounds,
            conditions=where,
        ),
        Row(
            figure="useful_flops",
            value=speed * flops / 1e12,
            unit="TFLOP/s",
            n=rounds,
            conditions=where,
        ),
    ]
    peak = peak_flops(device_name(device))
    if peak is not None:
        rows.append(
            Row(figure="mfu", value=speed * flops / peak, unit="share", n=rounds, conditions=where)
        )
    return rows
