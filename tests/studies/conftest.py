"""A tiny random CLIP and toy people, so that studies run in seconds."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import CLIPConfig, CLIPImageProcessor, CLIPModel

PEOPLE = ("ada", "bo", "cyd", "dee")


def save_tiny_clip(folder, seed):
    torch.manual_seed(seed)
    tower = {
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "projection_dim": 16,
    }
    config = CLIPConfig(
        vision_config={**tower, "image_size": 32, "patch_size": 8},
        text_config={**tower, "vocab_size": 64, "bos_token_id": 0, "eos_token_id": 1},
        projection_dim=16,
    )
    CLIPModel(config).save_pretrained(folder)
    CLIPImageProcessor(size={"height": 32, "width": 32}, do_center_crop=False).save_pretrained(
        folder
    )


@pytest.fixture(scope="session")
def tiny_clip(tmp_path_factory):
    """Registry names of two independent tiny encoders."""
    names = []
    for seed in (0, 1):
        folder = tmp_path_factory.mktemp(f"clip{seed}")
        save_tiny_clip(folder, seed)
        names.append(f"hf:{folder}")
    return names


@pytest.fixture(scope="session")
def toy_album(tmp_path_factory):
    """Four people who are colours: 3 shared photos and 2 queries each, in two sizes."""
    root = tmp_path_factory.mktemp("album")
    rng = np.random.default_rng(0)
    for index, person in enumerate(PEOPLE):
        colour = 60 + 130 * np.array([index & 1, index >> 1, index == 2], dtype=float)
        for role, count in (("share", 3), ("query", 2)):
            folder = root / person / role
            folder.mkdir(parents=True)
            for number in range(count):
                size = (48, 64, 3) if number % 2 else (64, 48, 3)
                pixels = colour + rng.normal(0, 12, size=size)
                Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(folder / f"{number}.png")
    return root
