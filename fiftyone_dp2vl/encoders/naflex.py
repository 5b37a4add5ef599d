"""SigLIP 2 at native aspect ratio (NaFlex): as many patches as fit, in the photo's own shape."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..errors import ConfigError
from .base import Encoder, Features, PreprocessSpec
from .packed import Packed, pad_tokens
from .precision import keep_float32
from .preprocess import normalize, resize_each
from .processor import processor_spec, read_processor
from .registry import EncoderRequest
from .weights import load_strictly, read_license, read_tensors

__all__ = ["NaFlexEncoder", "load_naflex"]


class NaFlexEncoder(Encoder):
    """SigLIP 2's tower with a grid of patches of the photo's own shape.

    Args:
        tower: the vision model
        spec: the preprocessing, of mode ``"native"`` with ``max_patches``
        name: see :class:`Encoder`
        license: see :class:`Encoder`
    """

    tower: Any

    def __init__(
        self, tower: Any, spec: PreprocessSpec, *, name: str = "", license: str = "unknown"
    ) -> None:
        super().__init__(spec, name=name, family="siglip2", license=license)
        keep_float32(tower.embeddings)
        self.tower = tower
        self._patch = int(tower.config.patch_size)
        self.freeze()

    def preprocess(
        self, images: Sequence[Tensor] | Tensor, windows: Tensor | None = None
    ) -> Packed:
        """Returns each photo's patches (B, T, P), RGB innermost as the official processor's."""
        patches, grid = [], []
        for photo in resize_each(images, self.spec, windows):
            rows, columns = photo.shape[-2] // self._patch, photo.shape[-1] // self._patch
            parts = normalize(photo, self.spec).reshape(3, rows, self._patch, columns, self._patch)
            patches.append(parts.permute(1, 3, 2, 4, 0).reshape(rows * columns, -1))
            grid.append([rows, columns])
        padded, mask = pad_tokens(patches)
        return Packed(padded, torch.tensor(grid), mask)

    def encode(self, inputs: Packed) -> Features:
        """Returns the features of packed photos; the mask says where tokens are real."""
        mask = inputs.mask
        if mask is None:
            mask = torch.ones(inputs.patches.shape[:2], dtype=torch.bool, device=self.device)
        out = self.tower(
            pixel_values=inputs.patches, pixel_attention_mask=mask, spatial_shapes=inputs.grid
        )
        tokens = out.last_hidden_state.float()
        features = Features(tokens, tokens, inputs.mask)
        pooled = out.pooler_output
        pooled = features.mean_token() if pooled is None else pooled.float()
        return features._replace(pooled=pooled)


def load_naflex(
    request: EncoderRequest, folder: Path, config: Mapping[str, Any], options: Mapping[str, str]
) -> Encoder:
    """Loads the tower of a SigLIP 2 NaFlex checkpoint; part of ``hf:``.

    Raises:
        ConfigError: if an option is given: the tokens are the tower's output, the shape the photo's
    """
    import transformers

    if options:
        raise ConfigError(f"{request.name!r}: a NaFlex model has no options")
    vision = dict(config.get("vision_config", config))
    vision.pop("model_type", None)
    model: Any = transformers.Siglip2VisionModel(transformers.Siglip2VisionConfig(**vision))
    tower = getattr(model, "vision_model", model)
    kept = ("vision_model.", "embeddings.", "encoder.", "post_layernorm.", "head.")
    tensors = read_tensors(folder, lambda name: name.startswith(kept))
    load_strictly(tower, {n.removeprefix("vision_model."): t for n, t in tensors.items()}, folder)
    settings = {"patch_size": tower.config.patch_size, **read_processor(folder)}
    spec = processor_spec("siglip2", settings)
    return NaFlexEncoder(tower, spec, name=request.name, license=read_license(folder))
