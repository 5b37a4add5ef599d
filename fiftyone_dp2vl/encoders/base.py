"""What every encoder offers: patch tokens, a pooled embedding, and preprocessing as data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor, nn

from ..errors import ConfigError

__all__ = ["Encoder", "EncoderInfo", "Features", "PreprocessSpec"]


@dataclass(frozen=True, kw_only=True)
class PreprocessSpec:
    """How a photo becomes an encoder's input, as data that travels with the weights.

    Args:
        size: (height, width) of the input in pixels; None for ``mode="native"``
        mode: ``"crop"`` (shortest side to ``shortest``, then centre crop to ``size``), ``"pad"``
            (to a square of ``pad_value``, then resize), ``"fit"`` (resize until the longer side
            fits, then pad), ``"squash"`` (both sides to size) or ``"native"`` (both sides to the
            nearest multiple of ``multiple`` within the bounds)
        interpolation: ``"bicubic"``, ``"bilinear"`` or ``"lanczos"``, antialiased as Pillow does
        mean: per-channel mean in [0, 1]
        std: per-channel standard deviation in [0, 1]
        pad_value: RGB in [0, 1] of what lies beyond the photo
        shortest: for ``"crop"``, the shortest side before the crop; None just covers ``size``
        crop_rounding: which pixel a centre crop of odd excess starts at: ``"floor"`` as
            transformers does, ``"round"`` (half to even) as torchvision and open_clip do
        multiple: pixels, for ``"native"``
        min_pixels: for ``"native"``
        max_pixels: for ``"native"``
        max_patches: for ``"native"``, instead of the pixel bounds: as many patches of
            ``multiple`` pixels as fit, which is SigLIP 2's rule

    Raises:
        ConfigError: if a setting that the mode needs is missing or out of range
    """

    size: tuple[int, int] | None
    mode: Literal["crop", "pad", "fit", "squash", "native"]
    interpolation: Literal["bicubic", "bilinear", "lanczos"] = "bicubic"
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    pad_value: tuple[float, float, float] = (0.0, 0.0, 0.0)
    shortest: int | None = None
    crop_rounding: Literal["floor", "round"] = "floor"
    multiple: int | None = None
    min_pixels: int | None = None
    max_pixels: int | None = None
    max_patches: int | None = None

    def __post_init__(self) -> None:
        if self.mode not in ("crop", "pad", "fit", "squash", "native"):
            raise ConfigError(
                f"mode is {self.mode!r}: give 'crop', 'pad', 'fit', 'squash' or 'native'"
            )
        if self.interpolation not in ("bicubic", "bilinear", "lanczos"):
            raise ConfigError(
                f"interpolation is {self.interpolation!r}: give 'bicubic', 'bilinear' or 'lanczos'"
            )
        if self.mode == "native":
            if not self.multiple or self.multiple < 1:
                raise ConfigError("multiple is missing: mode 'native' needs it, in pixels")
        elif self.size is None or min(self.size) < 1:
            raise ConfigError(f"size is {self.size}: mode {self.mode!r} needs (height, width)")
        if len(self.mean) != 3 or len(self.std) != 3 or min(self.std) <= 0:
            raise ConfigError("mean and std need three numbers each, those of std above 0")

    def to_dict(self) -> dict[str, Any]:
        """Returns the specification as plain JSON values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> PreprocessSpec:
        """Returns the specification that :meth:`to_dict` described."""
        lists = {name: tuple(value) for name, value in data.items() if isinstance(value, list)}
        return cls(**{**data, **lists})


@dataclass(frozen=True, kw_only=True)
class EncoderInfo:
    """What an encoder is.

    Args:
        name: the registry name it was loaded by
        family: for example ``"clip"``, ``"siglip"``, ``"open_clip"``, ``"qwen2_vl"``
        parameters: number of weights that a forward pass uses
        flops: floating-point operations of one photo's forward pass (2 per multiply-add), at
            ``spec.size`` or, for native resolution, at 448 x 448
        license: of the weights, ``"unknown"`` where the files do not say
        weights_sha256: of the exact weights, over names, shapes, types and bytes
        dim: width D of the tokens
        pooled_dim: width of the pooled embedding
    """

    name: str
    family: str
    parameters: int
    flops: float
    license: str
    weights_sha256: str
    dim: int
    pooled_dim: int


class Features(NamedTuple):
    """What an encoder says about a batch of photos.

    Attributes:
        tokens: float32 (B, T, D), the patch tokens that a VLM's projector reads
        pooled: float32 (B, P), the pooled embedding
        mask: bool (B, T), True where a token is real, or None where all are
    """

    tokens: Tensor
    pooled: Tensor
    mask: Tensor | None = None

    def mean_token(self) -> Tensor:
        """Returns float32 (B, D), the mean over each photo's real tokens."""
        if self.mask is None:
            return self.tokens.mean(dim=1)
        weight = self.mask.to(self.tokens.dtype).unsqueeze(-1)
        return (self.tokens * weight).sum(dim=1) / weight.sum(dim=1)


class Encoder(nn.Module):
    """A frozen image encoder with differentiable preprocessing.

    Subclasses implement :meth:`encode`. Weights never require gradients; gradients flow to the
    photos only. Parts of a checkpoint that no forward pass of the encoder uses are not held.

    Attributes:
        spec: the preprocessing
        name: the registry name it was loaded by
        family: for example ``"clip"``
        license: of the weights, ``"unknown"`` where the files do not say
    """

    spec: PreprocessSpec
    name: str
    family: str
    license: str

    def __init__(
        self, spec: PreprocessSpec, *, name: str = "", family: str = "", license: str = "unknown"
    ) -> None:
        super().__init__()
        self.spec, self.name, self.family, self.license = spec, name, family, license
        self._info: EncoderInfo | None = None

    @property
    def info(self) -> EncoderInfo:
        """What the encoder is; measured when first asked for, then kept."""
        if self._info is None:
            from .describe import describe

            self._info = describe(self)
        return self._info

    def preprocess(self, images: Sequence[Tensor] | Tensor, windows: Tensor | None = None) -> Any:
        """Returns the normalised input of :meth:`encode` for photos of any, different sizes.

        Args:
            images: float32 RGB in [0, 1], each (3, H, W), or one tensor (B, 3, H, W)
            windows: float (B, 4) of (top, left, height, width) in each photo's pixels: the part
                that the encoder is shown, or None for all of it

        Returns:
            float32 (B, 3, h, w), or what a native-resolution family packs
        """
        from .preprocess import preprocess

        return preprocess(images, self.spec, windows)

    def encode(self, inputs: Any) -> Features:
        """Returns the features of preprocessed photos."""
        raise NotImplementedError

    def forward(self, images: Sequence[Tensor] | Tensor, windows: Tensor | None = None) -> Features:
        """Returns the features of photos as :meth:`preprocess` takes them."""
        return self.encode(self.preprocess(images, windows))

    def freeze(self) -> Encoder:
        """Puts the encoder in evaluation mode and turns weight gradients off; returns it."""
        self.eval()
        for weight in self.parameters():
            weight.requires_grad_(False)
        return self

    @property
    def device(self) -> torch.device:
        """The device that the weights are on."""
        return next(self.parameters()).device
