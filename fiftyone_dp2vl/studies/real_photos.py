"""Photographs instead of drawings, and a second surrogate that a user brings along."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import ConfigError, ModelNotFoundError
from ..measure import centroid_shift, directional_cosines, paired_cosine
from ..measure.arrays import normalized
from ..measure.cards import Row
from ..measure.features import paired_token_cosines
from .albums import Shot
from .base import Cell, Findings, Result, Study
from .leak import SPACES
from .rows import mean_row

if TYPE_CHECKING:
    from ..encoders import Encoder, EncoderRequest
    from .options import Options
    from .workshop import Workshop

__all__ = ["MOBILENET", "STUDY", "register_mobilenet"]

MOBILENET = "mobilenet_v3_small"
_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def register_mobilenet(weights: Path) -> None:
    """Registers torchvision's MobileNetV3-Small as a user would register an encoder.

    Args:
        weights: safetensors with the network's ``features``

    Raises:
        ModelNotFoundError: if the weights, or torchvision, are not there
    """
    from ..encoders import PreprocessSpec, list_encoders, register_encoder, wrap_module

    if not weights.is_file():
        raise ModelNotFoundError(f"{weights} is missing: give it with --photo-weights")
    if any(listing.name == MOBILENET for listing in list_encoders()):
        return

    def load(request: EncoderRequest) -> Encoder:
        from safetensors.torch import load_file

        try:
            from torchvision.models import mobilenet_v3_small
        except ImportError as error:
            raise ModelNotFoundError(
                "this study needs torchvision: run `pip install torchvision`"
            ) from error
        network = mobilenet_v3_small(weights=None)
        missing = network.load_state_dict(load_file(weights), strict=False).missing_keys
        if any(key.startswith("features.") for key in missing):
            raise ModelNotFoundError(f"{weights} lacks {missing[0]}")
        spec = PreprocessSpec(
            size=(224, 224), mode="crop", interpolation="bilinear", mean=_MEAN, std=_STD
        )
        return wrap_module(network.features, spec, name=request.name, license="BSD-3-Clause")

    register_encoder(MOBILENET, load, description="torchvision's MobileNetV3-Small, ImageNet")


def _shots(folder: Path) -> list[Shot]:
    found = [p for p in sorted(folder.glob("*")) if p.suffix.lower() in (".jpg", ".jpeg", ".png")]
    if len(found) < 4:
        raise ConfigError(f"{folder} holds {len(found)} photos: give at least 4")
    return [Shot(path.name, path, "", "share") for path in found]


def _plan(options: Options) -> list[Cell]:
    if options.photos is None or options.photo_weights is None:
        raise ConfigError("give a folder with --photos and MobileNetV3's with --photo-weights")
    register_mobilenet(options.photo_weights)
    encoders = (options.surrogate, MOBILENET)
    config = options.config(encoders=encoders)
    shots = _shots(options.photos)

    def measure(workshop: Workshop) -> Result:
        made = workshop.protected(
            [Shot(shot.key, shot.path, "", "share") for shot in shots], config
        )
        before, after = [shot.path for shot in shots], [record.path for record in made]
        result: Result = {
            "linf": [record.linf for record in made],
            "psnr": [record.psnr for record in made],
            "ssim": [record.ssim for record in made],
            "shift": {},
        }
        for name in encoders:
            tokens = paired_token_cosines(before, after, workshop.encoder(name))
            shift: dict[str, Any] = {"tokens": tokens.tolist()}
            first, second = workshop.features(before, name), workshop.features(after, name)
            for space in SPACES:
                a, b = first.space(space), second.space(space)
                unit = normalized(a)
                others = (unit @ unit.T)[np.triu_indices(len(unit), k=1)]
                shift[space] = {
                    "paired": paired_cosine(a, b).tolist(),
                    "directional": directional_cosines(a, b).tolist(),
                    "centroid": centroid_shift(a, b).relative,
                    "between": float(np.median(others)),
                }
            result["shift"][name] = shift
        return result

    spec = {
        "kind": "real_photos",
        "files": [[shot.key, shot.path.stat().st_size] for shot in shots],
        "config": config.to_dict(),
    }
    return [Cell(f"{len(shots)} photos, two surrogates", spec, measure)]


def _conclude(options: Options, cells: Sequence[Cell], results: Sequence[Result]) -> Findings:
    (result,) = results
    config = options.config(encoders=(options.surrogate, MOBILENET))
    count = len(result["linf"])
    photos, once = [str(i) for i in range(count)], [0] * count
    rows = [
        Row(figure="photos", value=count, n=count),
        Row(
            figure="within_budget",
            value=float(np.mean([value <= config.epsilon for value in result["linf"]])),
            unit="share",
            n=count,
        ),
        Row(figure="linf", value=max(result["linf"]), unit="levels", n=count),
        mean_row("psnr", result["psnr"], photos, once, unit="dB", conditions={}),
        mean_row("ssim", result["ssim"], photos, once, conditions={}),
    ]
    for name, shift in result["shift"].items():
        label = "embedded" if name == "embedded" else name
        where = {"encoder": label, "features": "tokens"}
        rows.append(
            mean_row("paired_token_cosine", shift["tokens"], photos, once, conditions=where)
        )
        for space in SPACES:
            part, where = shift[space], {"encoder": label, "features": space}
            rows += [
                mean_row("paired_cosine", part["paired"], photos, once, conditions=where),
                mean_row(
                    "directional_consistency", part["directional"], photos, once, conditions=where
                ),
                Row(
                    figure="centroid_shift_over_spread",
                    value=part["centroid"],
                    n=count,
                    conditions=where,
                ),
                Row(
                    figure="cosine_between_photos",
                    value=part["between"],
                    n=count * (count - 1) // 2,
                    conditions=where,
                ),
            ]
    notes = [
        "The photographs show no known people, so no identity probe can be trained on them; the "
        "strategy works on clusters.",
        "The cosine between photos is the median over pairs of different clean photos.",
    ]
    return Findings(rows, {"default": config.fingerprint()}, notes)


STUDY = Study(
    name="real_photos",
    title="Photographs protected on two surrogates, one of them registered by the user",
    estimate="2 to 5 minutes",
    plan=_plan,
    conclude=_conclude,
)
