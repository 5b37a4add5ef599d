"""From a perturbation to a file that was read back from disk and measured."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from ..config import OutputConfig, ProtectionConfig
from ..encoders import Encoder, Features
from ..errors import BudgetError, PhotoError, RunError, reason_of
from ..media import Photo, Quality, WrittenFile, compare, read_back, write_photo
from ..protection import apply_perturbation, levels
from .ahead import PixelBudget
from .items import Cosines, PhotoItem, PhotoRecord
from .originals import Original, read_mask, read_unchanged

__all__ = ["Finished", "Finisher", "Perturbation", "measured"]


@dataclass(frozen=True)
class Perturbation:
    """What the engine found for a photo.

    Args:
        delta: float32 (C, h, w) on the photo's grid, in units of the [0, 1] range
        loss: of the kept perturbation
        start_loss: of the clean photo
    """

    delta: Tensor
    loss: float
    start_loss: float


@dataclass(frozen=True)
class Finished:
    """A record that lacks its cosines, and the small inputs that they are measured on.

    Args:
        record: of the photo
        inputs: for each surrogate the preprocessed pair (original, file), empty for a failure
    """

    record: PhotoRecord
    inputs: tuple[Any, ...] = ()


class Finisher:
    """Writes protected photos and reads them back; its method runs in threads.

    The original is read again instead of being kept while the engine works: memory then does not
    grow with the batch, and an original that was changed meanwhile is noticed.

    Args:
        config: gives the budget
        output: format and metadata policy
        encoders: the surrogates, in the configuration's order
        budget: of full-size pixels in memory
    """

    def __init__(
        self,
        config: ProtectionConfig,
        output: OutputConfig,
        encoders: Sequence[Encoder],
        budget: PixelBudget,
    ) -> None:
        self.config = config
        self.output = output
        self.encoders = encoders
        self.budget = budget

    def finish(
        self, item: PhotoItem, original: Original, found: Perturbation, path: Path
    ) -> Finished:
        """Returns what became of a photo; only a disk that refuses to be written to raises.

        Raises:
            RunError: if the file cannot be written
        """
        with self.budget.hold(original.width * original.height):
            try:
                return self._finish(item, original, found, path)
            except PhotoError as error:
                path.unlink(missing_ok=True)
                return Finished(failure(item.key, error))
            except OSError as error:
                reason = reason_of(error)
                raise RunError(
                    f"{path} cannot be written ({reason}): mend that and start the same command "
                    "again; what is finished is kept"
                ) from error

    def _finish(
        self, item: PhotoItem, original: Original, found: Perturbation, path: Path
    ) -> Finished:
        photo = read_unchanged(item, original)
        mask = read_mask(item, original)
        # an encoder's nan never reaches the perturbation: then the start is what was kept
        losses = (found.loss, found.start_loss)
        if not all(map(math.isfinite, losses)) or not bool(torch.isfinite(found.delta).all()):
            raise PhotoError(
                f"the optimisation of {Path(item.path).name} went out of bounds: lower step_size "
                "or choose other encoders",
                code="diverged",
            )
        moved = apply_perturbation(photo.pixels, found.delta, self.config.epsilon, mask)
        lossy = self.output.format == "jpeg"
        if lossy:
            self._check(item, compare(photo.pixels, moved))
        written = write_photo(photo.with_pixels(moved), path, self.output, replace=True)
        del moved
        back = read_back(path, photo)
        quality = compare(photo.pixels, back.pixels)
        if not lossy:
            self._check(item, quality)
            _check_mask(item, photo, back, mask)
        inputs = tuple(self._pair(encoder, photo, back) for encoder in self.encoders)
        return Finished(_record(photo, found, written, quality, item.key, lossy), inputs)

    def _check(self, item: PhotoItem, quality: Quality) -> None:
        bound = levels(self.config.epsilon)
        if quality.linf > bound:
            raise BudgetError(
                f"the protected file of {Path(item.path).name} differs by {quality.linf} grey "
                f"levels, more than the {bound} of the budget: it was not kept"
            )

    @torch.no_grad()
    def _pair(self, encoder: Encoder, photo: Photo, back: Photo) -> list[Any]:
        # one after the other: the floats of a 12-megapixel photo are 144 MB
        return [encoder.preprocess([_rgb(p.pixels, encoder.device)]) for p in (photo, back)]


@torch.no_grad()
def measured(finished: Finished, names: Sequence[str], encoders: Sequence[Encoder]) -> PhotoRecord:
    """Returns the record with its cosines, from the pairs that :class:`Finisher` prepared.

    Args:
        finished: of one photo
        names: of the surrogates, in the configuration's order
        encoders: the same surrogates
    """
    if not finished.inputs:
        return finished.record
    cosines = {
        name: _cosines(encoder.encode(pair[0]), encoder.encode(pair[1]))
        for name, encoder, pair in zip(names, encoders, finished.inputs, strict=True)
    }
    return replace(finished.record, cosines=cosines)


def failure(key: str, error: PhotoError) -> PhotoRecord:
    """Returns the record of a photo that is not protected."""
    return PhotoRecord(key=key, status="failed", code=error.code, error=str(error))


def _record(
    photo: Photo,
    found: Perturbation,
    written: WrittenFile,
    quality: Quality,
    key: str,
    lossy: bool,
) -> PhotoRecord:
    # rounded, so that a resumed run's journal is equal to an unbroken one's
    return PhotoRecord(
        key=key,
        status="protected",
        path=written.path,
        linf=quality.linf,
        psnr=round(quality.psnr, 4),
        ssim=round(quality.ssim, 6),
        lossy=lossy,
        loss=round(found.loss, 6),
        start_loss=round(found.start_loss, 6),
        width=photo.width,
        height=photo.height,
        bytes=written.bytes,
        sha256=written.sha256,
        notes=photo.notes + written.notes,
    )


def _check_mask(item: PhotoItem, photo: Photo, back: Photo, mask: NDArray[np.bool_] | None) -> None:
    if mask is None:
        return
    moved = photo.pixels != back.pixels
    if bool(((moved.any(axis=-1) if moved.ndim == 3 else moved) & ~mask).any()):
        raise PhotoError(
            f"the protected file of {os.path.basename(item.path)} differs outside its mask: it was "
            "not kept",
            code="outside-mask",
        )


def _rgb(pixels: NDArray[np.uint8], device: torch.device) -> Tensor:
    """Returns float32 (3, H, W) in [0, 1]; bytes travel to the device, floats are made there."""
    planes = pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)
    # planes are cut while they are bytes: floats would have to be copied by the resize
    image = torch.from_numpy(np.ascontiguousarray(planes)).to(device)
    return image.expand(3, -1, -1).float().div_(255)


def _cosines(clean: Features, moved: Features) -> Cosines:
    tokens = F.cosine_similarity(clean.tokens[0].float(), moved.tokens[0].float(), dim=-1)
    if clean.mask is not None:
        tokens = tokens[clean.mask[0]]
    pooled = F.cosine_similarity(clean.pooled[0].float(), moved.pooled[0].float(), dim=-1)
    return Cosines(round(float(tokens.mean()), 6), round(float(pooled), 6))
