"""A perturbation's way back to full resolution."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from fiftyone_dp2vl.config import ProtectionConfig
from fiftyone_dp2vl.protection import (
    apply_perturbation,
    grid_pixels_for,
    grid_size,
    levels,
    to_grid,
)


@pytest.mark.parametrize("shape", [(37, 53, 3), (1100, 300, 3), (600, 801), (1, 1, 3), (1, 500)])
@pytest.mark.parametrize("epsilon", [0, 0.5, 4, 7.9, 16])
def test_shape_budget_and_range_hold(shape, epsilon):
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, shape, dtype=np.uint8)
    height, width = grid_size(*shape[:2], 5000)
    delta = (torch.rand(3 if len(shape) == 3 else 1, height, width) * 2 - 1) * 0.2
    out = apply_perturbation(pixels, delta, epsilon)
    assert out.shape == pixels.shape
    assert out.dtype == np.uint8
    difference = np.abs(out.astype(int) - pixels.astype(int))
    assert difference.max() <= levels(epsilon) <= epsilon
    if levels(epsilon) == 0:
        assert (out == pixels).all()


def test_bands_of_rows_equal_one_linear_resize():
    pixels = np.full((1300, 90, 3), 128, dtype=np.uint8)
    delta = (torch.rand(3, 40, 30) * 2 - 1) * 16 / 255
    out = apply_perturbation(pixels, delta, 16)
    whole = F.interpolate(delta[None] * 255, size=(1300, 90), mode="bilinear")[0]
    expected = whole.permute(1, 2, 0).numpy()
    assert np.abs(out.astype(float) - 128 - expected).max() <= 0.5001


def test_a_grid_of_the_photos_size_is_exact():
    rng = np.random.default_rng(0)
    pixels = rng.integers(8, 248, (40, 50, 3), dtype=np.uint8)
    moved = rng.integers(-8, 9, (3, 40, 50))
    out = apply_perturbation(pixels, torch.from_numpy(moved).float() / 255, 8)
    assert (out.astype(int) - pixels == moved.transpose(1, 2, 0)).all()


def test_a_mask_is_exact_at_full_resolution():
    pixels = np.full((300, 400, 3), 100, dtype=np.uint8)
    mask = np.zeros((300, 400), dtype=bool)
    mask[17:203, 31:399] = True
    out = apply_perturbation(pixels, torch.full((3, 30, 40), 8 / 255), 8, mask)
    assert (out[mask] == 108).all()
    assert (out[~mask] == 100).all()


def test_photos_within_the_grid_are_taken_as_they_are():
    pixels = np.random.default_rng(0).integers(0, 256, (40, 50, 3), dtype=np.uint8)
    grid = to_grid(pixels, 2000)
    assert grid.shape == (3, 40, 50)
    assert ((grid * 255).round().byte().permute(1, 2, 0).numpy() == pixels).all()
    assert to_grid(pixels[..., 0], 2000).shape == (1, 40, 50)


@pytest.mark.parametrize("shape", [(3000, 4000, 3), (200, 9000, 3), (700, 500)])
def test_larger_photos_are_brought_to_the_grid_without_bias(shape):
    ramp = np.linspace(0, 250, shape[1])[None, :, None]
    pixels = np.broadcast_to(ramp, (*shape[:2], 3)).astype(np.uint8)
    pixels = pixels if len(shape) == 3 else pixels[..., 0]
    grid = to_grid(np.ascontiguousarray(pixels), 60_000)
    assert grid.shape[1] * grid.shape[2] <= 60_000
    assert abs(grid.shape[2] / grid.shape[1] - shape[1] / shape[0]) / (shape[1] / shape[0]) < 0.05
    assert abs(float(grid.mean()) - pixels.mean() / 255) < 2e-3
    columns = grid.mean(dim=(0, 1))
    where = (torch.arange(len(columns)) + 0.5) / len(columns)
    assert (columns - where * 250 / 255).abs().max() < 4e-3


def test_the_automatic_grid_has_twice_the_largest_inputs_side(encoder, second_encoder):
    assert grid_pixels_for(ProtectionConfig(), [encoder, second_encoder]) == 64 * 64
    assert grid_pixels_for(ProtectionConfig(grid_pixels=5000), [encoder]) == 5000
