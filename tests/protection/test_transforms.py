"""Transforms: near the real codec, differentiable, and seeded per photo."""

from __future__ import annotations

import io

import numpy as np
import pytest
import torch
from PIL import Image

from fiftyone_dp2vl.errors import ConfigError
from fiftyone_dp2vl.protection import apply_transform, list_transforms, parse_transform
from fiftyone_dp2vl.protection.transforms import TransformSampler


def picture(height: int = 96, width: int = 120) -> torch.Tensor:
    rng = np.random.default_rng(0)
    coarse = rng.random((8, 10, 3))
    image = Image.fromarray((coarse * 255).astype(np.uint8)).resize((width, height), 3)
    return torch.from_numpy(np.asarray(image).copy()).permute(2, 0, 1).float() / 255


@pytest.mark.parametrize("quality", [95, 75, 50, 20])
def test_jpeg_is_close_to_the_real_codec(quality):
    image = picture() + 0.05 * torch.randn(3, 96, 120, generator=torch.Generator().manual_seed(0))
    image = (image.clamp(0, 1) * 255).round() / 255
    buffer = io.BytesIO()
    array = (image * 255).byte().permute(1, 2, 0).numpy()
    Image.fromarray(array).save(buffer, "jpeg", quality=quality)
    real = torch.from_numpy(np.asarray(Image.open(buffer)).copy()).permute(2, 0, 1).float() / 255
    ours = apply_transform("jpeg", image[None], torch.tensor([float(quality)]))[0]
    assert (ours - real).abs().mean() < 0.35 * (image - real).abs().mean()


@pytest.mark.parametrize("size", [(16, 16), (17, 31), (1, 1), (9, 200)])
@pytest.mark.parametrize(("name", "strength"), [("jpeg", 60.0), ("resize", 0.5), ("noise", 4.0)])
def test_any_size_keeps_its_shape_and_range(name, strength, size):
    image = torch.rand(2, 3, *size)
    noise = [torch.randn(3, *size) for _ in range(2)]
    out = apply_transform(name, image, torch.tensor([strength, strength]), noise)
    assert out.shape == image.shape
    assert out.min() >= 0
    assert out.max() <= 1


@pytest.mark.parametrize(("name", "strength"), [("jpeg", 60.0), ("resize", 0.5), ("blur", 1.0)])
def test_gradients_reach_the_photo(name, strength):
    image = picture()[None].clone().requires_grad_()
    out = apply_transform(name, image, torch.tensor([strength]))
    (gradient,) = torch.autograd.grad((out * torch.randn_like(out)).sum(), image)
    assert torch.isfinite(gradient).all()
    assert gradient.abs().mean() > 1e-4


def test_strengths_belong_to_their_photo():
    image = picture()
    both = apply_transform("blur", torch.stack([image, image]), torch.tensor([0.4, 2.0]))
    alone = apply_transform("blur", image[None], torch.tensor([0.4]))
    assert torch.allclose(both[0], alone[0], atol=1e-5)
    assert both[1].diff().abs().mean() < both[0].diff().abs().mean()


def test_draws_do_not_depend_on_batch_mates():
    specs = [parse_transform("jpeg:50-95@0.5"), parse_transform("noise:1-4@0.5")]
    image = picture()
    arguments = {"crop_scale": 0.5, "crop_probability": 0.5, "seed": 3, "steps": 10}
    two = TransformSampler(specs, keys=["a", "b"], **arguments)
    one = TransformSampler(specs, keys=["b"], **arguments)
    for step in range(10):
        left = two(torch.stack([image, image]), step)[1]
        right = one(image[None], step)[0]
        assert torch.allclose(left, right, atol=1e-6)
        assert torch.equal(two.windows(step, 96, 120)[1], one.windows(step, 96, 120)[0])


def test_crops_lie_within_the_photo_and_keep_their_share():
    keys = [f"{i}" for i in range(50)]
    sampler = TransformSampler([], crop_scale=0.5, crop_probability=1.0, seed=0, keys=keys, steps=4)
    boxes = sampler.windows(2, 100, 200)
    top, left, height, width = boxes.T
    assert (top >= 0).all()
    assert (top + height <= 100.001).all()
    assert (left >= 0).all()
    assert (left + width <= 200.001).all()
    share = height * width / 20_000
    assert share.min() >= 0.4999
    assert share.max() <= 1
    assert share.std() > 0.05


def test_some_steps_crop_and_the_others_show_the_whole_photo():
    keys = [f"{i}" for i in range(400)]
    sampler = TransformSampler(
        [], crop_scale=0.5, crop_probability=0.25, seed=0, keys=keys, steps=4
    )
    whole = (sampler.windows(1, 100, 200) == torch.tensor([0.0, 0.0, 100.0, 200.0])).all(dim=1)
    assert 0.65 < whole.float().mean() < 0.85
    never = TransformSampler([], crop_scale=0.5, crop_probability=0.0, seed=0, keys=keys, steps=4)
    assert never.windows(1, 100, 200) is None
    assert not never.random


@pytest.mark.parametrize("text", ["jpeg", "jpeg:95-50", "jpeg:0-50", "swirl:1-2", "blur:1-2@2"])
def test_a_wrong_transform_is_refused_with_a_sentence(text):
    with pytest.raises(ConfigError, match=text):
        parse_transform(text)


def test_the_list_says_what_strengths_mean():
    assert set(list_transforms()) == {"blur", "jpeg", "noise", "resize"}
    assert all("from" in text for text in list_transforms().values())
