"""Differentiable preprocessing of photos of any size, driven by a specification."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import torch
from torch import Tensor

from .base import PreprocessSpec
from .geometry import output_size, regions
from .resample import Axis, Region, make_axis, resample

__all__ = ["preprocess", "resize", "resize_each"]


@lru_cache(maxsize=64)
def _shared_axis(
    region: Region, length: int, count: int, interpolation: str, device: torch.device
) -> Axis:
    """One region for a whole batch: the same at every step, so it is kept."""
    # what is kept serves calls with gradients too, which tensors made in inference mode cannot
    with torch.inference_mode(False):
        return make_axis([region], length, count, interpolation, device)


def _resize_group(
    images: Tensor, spec: PreprocessSpec, windows: list[tuple[float, ...]] | None, rounding: bool
) -> Tensor:
    """Returns photos of one size, whose windows are resized to one size, resized."""
    height, width = images.shape[-2:]
    fill = None
    if any(spec.pad_value):
        fill = torch.tensor(spec.pad_value, dtype=torch.float32, device=images.device)
    shown = windows or [(0, 0, height, width)]
    rows, columns = output_size(spec, *shown[0][2:])
    pairs = [regions(spec, *window) for window in shown]
    if len(pairs) > 1 and images.device.type == "cpu":
        # Each photo has matrices of its own; on a CPU skipping their zeros pays more than one
        # large multiplication does.
        parts = [
            _resize_group(image[None], spec, [window], rounding)
            for image, window in zip(images, shown, strict=True)
        ]
        return torch.cat(parts)
    axes = []
    for side, length, count in ((0, height, rows), (1, width, columns)):
        along = [pair[side] for pair in pairs]
        if windows is None:
            axes.append(_shared_axis(along[0], length, count, spec.interpolation, images.device))
        else:
            axes.append(make_axis(along, length, count, spec.interpolation, images.device))
    return resample(images, axes[0], axes[1], fill, rounding)


def _check(images: Sequence[Tensor] | Tensor, windows: Tensor | None) -> None:
    if isinstance(images, Tensor) and images.ndim != 4:
        raise ValueError(f"images have shape {tuple(images.shape)}: give (B, 3, H, W) or a list")
    if len(images) == 0:
        raise ValueError("images is empty: give at least one photo")
    for image in images:
        if image.ndim != 3 or image.shape[0] != 3 or 0 in image.shape:
            raise ValueError(f"a photo has shape {tuple(image.shape)}: give (3, H, W)")
        if image.dtype != torch.float32:
            raise ValueError(f"a photo is {image.dtype}: give float32 in [0, 1]")
    if windows is not None:
        if windows.shape != (len(images), 4):
            raise ValueError(f"windows have shape {tuple(windows.shape)}: give ({len(images)}, 4)")
        if bool((windows[:, 2:] <= 0).any()):
            raise ValueError("a window is empty: give heights and widths above 0")


def _groups(
    images: Sequence[Tensor] | Tensor, spec: PreprocessSpec, windows: Tensor | None
) -> dict[tuple[int, ...], list[int]]:
    """Returns the positions of the photos that can be resized by one multiplication."""
    groups: dict[tuple[int, ...], list[int]] = {}
    for index, image in enumerate(images):
        height, width = image.shape[-2:]
        shown = (height, width) if windows is None else windows[index, 2:].tolist()
        groups.setdefault((height, width, *output_size(spec, *shown)), []).append(index)
    return groups


def _resize_groups(
    images: Sequence[Tensor] | Tensor, spec: PreprocessSpec, windows: Tensor | None, rounding: bool
) -> list[tuple[list[int], Tensor]]:
    """Returns groups of photos that become one size: their positions, and they themselves."""
    windows = None if windows is None else windows.detach().to("cpu", torch.float64)
    _check(images, windows)
    done = []
    for members in _groups(images, spec, windows).values():
        if isinstance(images, Tensor) and len(members) == len(images):
            batch = images
        else:
            batch = torch.stack([images[i] for i in members])
        shown = None if windows is None else [tuple(windows[i].tolist()) for i in members]
        done.append((members, _resize_group(batch, spec, shown, rounding)))
    return done


def resize_each(
    images: Sequence[Tensor] | Tensor,
    spec: PreprocessSpec,
    windows: Tensor | None = None,
    *,
    rounding: bool = False,
) -> list[Tensor]:
    """Returns each photo resized, cropped and padded as the specification says.

    Args:
        images: float32 RGB in [0, 1], each (3, H, W), or one tensor (B, 3, H, W)
        spec: the preprocessing
        windows: (B, 4) of (top, left, height, width) in each photo's pixels, possibly fractional:
            the encoder is shown only that part, as if the photo had been cropped to it before;
            kept on the CPU they cost no synchronisation
        rounding: whether to round to 8 bits after each pass, as Pillow does

    Returns:
        float32 in [0, 1], each (3, h, w)

    Raises:
        ValueError: if a shape or a type is wrong, or a window is empty
    """
    found: dict[int, Tensor] = {}
    for members, batch in _resize_groups(images, spec, windows, rounding):
        found.update(zip(members, batch.unbind(), strict=True))
    return [found[index] for index in range(len(images))]


def resize(
    images: Sequence[Tensor] | Tensor,
    spec: PreprocessSpec,
    windows: Tensor | None = None,
    *,
    rounding: bool = False,
) -> Tensor:
    """Returns the photos of :func:`resize_each` as one tensor (B, 3, h, w).

    Raises:
        ValueError: as there, or if ``mode="native"`` gives them different sizes
    """
    groups = _resize_groups(images, spec, windows, rounding)
    if len(groups) == 1:
        return groups[0][1]
    if len({batch.shape[1:] for _, batch in groups}) > 1:
        raise ValueError("photos of a native-resolution encoder differ in size: use resize_each")
    order = {i: batch[k] for members, batch in groups for k, i in enumerate(members)}
    return torch.stack([order[index] for index in range(len(images))])


@lru_cache(maxsize=64)
def _statistics(spec: PreprocessSpec, device: torch.device) -> tuple[Tensor, Tensor]:
    with torch.inference_mode(False):  # as above
        mean = torch.tensor(spec.mean, dtype=torch.float32, device=device).view(3, 1, 1)
        scale = torch.tensor([1 / s for s in spec.std], dtype=torch.float32, device=device)
        return mean, scale.view(3, 1, 1)


def normalize(images: Tensor, spec: PreprocessSpec) -> Tensor:
    """Returns (..., 3, h, w) less the specification's mean and divided by its deviation."""
    mean, scale = _statistics(spec, images.device)
    return (images - mean) * scale


def preprocess(
    images: Sequence[Tensor] | Tensor, spec: PreprocessSpec, windows: Tensor | None = None
) -> Tensor:
    """Returns photos of any sizes as an encoder's normalised input.

    Args:
        images: float32 RGB in [0, 1], each (3, H, W), or one tensor (B, 3, H, W)
        spec: the preprocessing
        windows: see :func:`resize_each`

    Returns:
        float32 (B, 3, h, w)

    Raises:
        ValueError: as :func:`resize` does
    """
    return normalize(resize(images, spec, windows), spec)
