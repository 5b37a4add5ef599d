from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from fiftyone_dp2vl.encoders.base import PreprocessSpec
from fiftyone_dp2vl.encoders.geometry import native_size
from fiftyone_dp2vl.encoders.preprocess import preprocess, resize, resize_each
from fiftyone_dp2vl.encoders.resample import Region, make_axis, resample as resample_axes
from fiftyone_dp2vl.errors import ConfigError

FILTERS = {
    "bicubic": Image.Resampling.BICUBIC,
    "bilinear": Image.Resampling.BILINEAR,
    "lanczos": Image.Resampling.LANCZOS,
}


def spec(**settings: Any) -> PreprocessSpec:
    given = {"size": (24, 24), "mode": "squash", "mean": (0.0,) * 3, "std": (1.0,) * 3, **settings}
    return PreprocessSpec(**given)


def noise(height: int, width: int) -> torch.Tensor:
    return torch.randint(0, 256, (3, height, width)).float() / 255


def pillow(photo: torch.Tensor, size: tuple[int, int], name: str) -> torch.Tensor:
    """Returns Pillow's result, the width first whatever order it would choose itself."""
    image = Image.fromarray((photo * 255).round().byte().permute(1, 2, 0).numpy())
    image = image.resize((size[1], image.height), FILTERS[name]).resize(size[::-1], FILTERS[name])
    return torch.from_numpy(np.asarray(image).copy()).permute(2, 0, 1).float() / 255


@pytest.mark.parametrize("name", list(FILTERS))
@pytest.mark.parametrize("size", [(24, 24), (50, 13), (110, 140), (67, 81), (1, 1)])
def test_rounding_as_pillow_does_gives_pillows_pixels(name: str, size: tuple[int, int]) -> None:
    photo = noise(67, 81)
    ours = resize([photo], spec(size=size, interpolation=name), rounding=True)[0]
    difference = (ours - pillow(photo, size, name)).abs() * 255
    # Pillow's weights have 22 bits: a sum that ends on a half falls to either side.
    assert difference.max() < 1.01
    assert (difference > 0.5).double().mean() < 0.02


def test_the_gradient_is_the_transposed_matrix() -> None:
    for size in ((24, 30), (90, 70)):
        photo = (0.4 + 0.2 * torch.rand(2, 3, 61, 83)).requires_grad_()  # no overshoot is cut off
        out = resize(photo, spec(size=size))
        weights = torch.randn_like(out)
        (grad,) = torch.autograd.grad((out * weights).sum(), photo)
        other = 0.4 + 0.2 * torch.rand_like(photo)
        change = resize(other, spec(size=size)) - out
        change, photo = change.detach(), photo.detach()
        assert float((change * weights).sum()) == pytest.approx(
            float(((other - photo) * grad).sum()), rel=1e-3, abs=1e-3
        )


def test_pixels_at_the_end_of_the_range_still_learn() -> None:
    photo = torch.ones(1, 3, 40, 40)
    photo[..., 20:] = 0
    photo.requires_grad_()
    out = resize(photo, spec(size=(60, 60)))
    assert float(out.detach().min()) == 0
    assert float(out.detach().max()) == 1
    out.sum().backward()
    assert photo.grad is not None
    assert (photo.grad > 1).all()


@pytest.mark.parametrize(
    "settings",
    [
        {"mode": "squash"},
        {"mode": "crop"},
        {"mode": "crop", "shortest": 30},
        {"mode": "crop", "shortest": 16},
        {"mode": "crop", "size": (20, 30)},
        {"mode": "pad", "pad_value": (0.5, 0.4, 0.3)},
        {"mode": "fit", "pad_value": (0.5, 0.4, 0.3)},
        {"mode": "native", "size": None, "multiple": 8, "max_pixels": 900},
        {"mode": "native", "size": None, "multiple": 8, "max_patches": 12},
    ],
)
def test_a_window_is_the_cropped_photo(settings: dict[str, Any]) -> None:
    photos = [noise(70, 91), noise(70, 91), noise(64, 40)]
    windows = torch.tensor([[3, 5, 41, 60], [10, 0, 60, 33], [0, 0, 64, 40]])
    seen = resize_each(photos, spec(**settings), windows)
    for photo, (top, left, height, width), mine in zip(photos, windows.tolist(), seen, strict=True):
        cut = photo[:, top : top + height, left : left + width]
        (theirs,) = resize_each([cut], spec(**settings))
        torch.testing.assert_close(mine, theirs, atol=1e-5, rtol=0)


def test_a_window_moves_smoothly_between_pixels() -> None:
    ramp = torch.linspace(0.1, 0.9, 81).expand(3, 60, 81).contiguous()
    middles = []
    for left in (10.0, 10.25, 10.5, 10.75, 11.0):
        window = torch.tensor([[5.0, left, 40.0, 40.0]])
        middles.append(float(resize([ramp], spec(), window)[0, 0, 12, 12]))
    steps = np.diff(middles)
    # A quarter of a pixel of a ramp of 0.01 a pixel; a bicubic filter ripples a little.
    assert np.allclose(steps, 0.25 * 0.01, atol=4e-4)


def test_batched_matrices_are_the_single_ones() -> None:
    """What an accelerator multiplies: one dense matrix a photo."""
    photos = torch.rand(2, 3, 40, 50).requires_grad_()
    windows = [Region(2.5, 31, 24, 0, 2.5, 33.5), Region(-4, 48, 24, 0, 0, 40)]
    across = [Region(0, 50, 24, 0, 0, 50), Region(7, 40, 20, -2, 7, 47)]
    fill = torch.tensor([0.2, 0.5, 0.7])
    cpu = torch.device("cpu")
    rows = make_axis(windows, 40, 24, "bicubic", cpu)
    columns = make_axis(across, 50, 24, "bicubic", cpu)
    together = resample_axes(photos, rows, columns, fill)
    weights = torch.randn_like(together)
    (grad,) = torch.autograd.grad((together * weights).sum(), photos)
    for index in range(2):
        one = photos[index : index + 1].detach().requires_grad_()
        single = resample_axes(
            one,
            make_axis(windows[index : index + 1], 40, 24, "bicubic", cpu),
            make_axis(across[index : index + 1], 50, 24, "bicubic", cpu),
            fill,
        )
        torch.testing.assert_close(single[0], together[index], atol=1e-5, rtol=0)
        (own,) = torch.autograd.grad((single[0] * weights[index]).sum(), one)
        torch.testing.assert_close(own[0], grad[index], atol=1e-5, rtol=1e-4)


def test_photos_of_different_sizes_keep_their_order() -> None:
    photos = [noise(30, 40), noise(41, 33), noise(30, 40), noise(24, 24)]
    together = preprocess(photos, spec(mode="crop", mean=(0.4,) * 3, std=(0.2,) * 3))
    for photo, mine in zip(photos, together, strict=True):
        alone = preprocess([photo], spec(mode="crop", mean=(0.4,) * 3, std=(0.2,) * 3))[0]
        assert torch.equal(mine, alone)


def test_a_photo_of_the_right_size_is_untouched() -> None:
    photo = noise(24, 24)
    for mode in ("squash", "crop", "pad", "fit"):
        assert torch.equal(resize([photo], spec(mode=mode))[0], photo)


def test_the_border_has_the_fill_colour() -> None:
    out = resize([noise(20, 60)], spec(mode="pad", size=(60, 60), pad_value=(0.2, 0.5, 0.7)))[0]
    for channel, value in enumerate((0.2, 0.5, 0.7)):
        assert torch.allclose(out[channel, :18], torch.tensor(value), atol=1e-6)


def test_autocast_does_not_reach_the_photo() -> None:
    photo = noise(61, 83)[None]
    plain = resize(photo, spec())
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(resize(photo, spec()), plain)


def test_twelve_megapixels_cost_their_pixels() -> None:
    photo = torch.rand(1, 3, 3000, 4000)
    resize(photo, spec(size=(224, 224), mode="crop"))
    start = time.perf_counter()
    resize(photo, spec(size=(224, 224), mode="crop"))
    assert time.perf_counter() - start < 1.5  # 0.05 s on one quiet core


@pytest.mark.parametrize(
    ("images", "windows", "message"),
    [
        ([], None, "images is empty"),
        ([torch.zeros(1, 4, 4)], None, r"shape \(1, 4, 4\)"),
        ([torch.zeros(3, 4, 4, dtype=torch.uint8)], None, "is torch.uint8"),
        (torch.zeros(3, 4, 4), None, r"give \(B, 3, H, W\)"),
        ([torch.zeros(3, 4, 4)], torch.zeros(2, 4), r"give \(1, 4\)"),
        ([torch.zeros(3, 4, 4)], torch.zeros(1, 4), "a window is empty"),
    ],
)
def test_wrong_input_is_refused(images: Any, windows: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        preprocess(images, spec(), windows)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"mode": "stretch"}, "mode is 'stretch'"),
        ({"size": None}, "mode 'squash' needs"),
        ({"mode": "native"}, "multiple is missing"),
        ({"interpolation": "nearest"}, "interpolation is 'nearest'"),
        ({"std": (0.0, 1.0, 1.0)}, "those of std above 0"),
    ],
)
def test_a_wrong_specification_is_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        spec(**settings)


def test_native_sizes_round_half_to_even() -> None:
    native = spec(mode="native", size=None, multiple=28, min_pixels=3136, max_pixels=1_003_520)
    assert native_size(native, 42, 70) == (56, 56)  # 1.5 and 2.5 multiples: both to 2
    assert native_size(native, 4000, 3000) == (1148, 840)
    assert native_size(native, 10, 20) == (56, 84)
    with pytest.raises(ConfigError, match="at most 200 times"):
        native_size(native, 1, 300)


def test_a_specification_survives_json() -> None:
    import json

    given = spec(mode="pad", pad_value=(0.1, 0.2, 0.3))
    values = json.loads(json.dumps(given.to_dict()))
    assert PreprocessSpec.from_dict(values) == given
