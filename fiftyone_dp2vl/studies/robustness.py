"""What is left of the protection after everyday post-processing, by what it was optimised for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ..attack.changes import POSTPROCESSING, postprocess
from .base import Cell, Findings, Result, Study
from .leak import measure_leak, measure_quality
from .rows import chance_rows, leak_rows, quality_rows

if TYPE_CHECKING:
    from ..config import ProtectionConfig
    from .options import Options
    from .workshop import Workshop

__all__ = ["STUDY"]

WITHOUT, WITH_CROPS = "protected without EOT", "protected with crops in EOT"
ARMS: dict[str, dict[str, Any]] = {
    "clean": {},
    "protected": {},
    WITHOUT: {"transforms": ()},
    WITH_CROPS: {"crop_scale": 0.6, "crop_probability": 0.5, "steps": 120},
}


def _config(options: Options, arm: str) -> ProtectionConfig:
    # protection seed 0, as in the headline table: the same files are measured
    return options.config(**ARMS[arm])


def _cell(options: Options, arm: str, repetition: int) -> Cell:
    config = _config(options, arm)

    def measure(workshop: Workshop) -> Result:
        album = workshop.album("eval", repetition)
        shared = [shot.path for shot in album.share]
        result: Result = {"leak": {}}
        if arm != "clean":
            made = workshop.protected(album.share, config)
            shared = [record.path for record in made]
            result["quality"] = measure_quality(album, made)
        for number, name in enumerate(POSTPROCESSING):
            workshop.report(0.8 + 0.2 * number / len(POSTPROCESSING), name)
            result["leak"][name] = {
                label: measure_leak(workshop, album, shared, encoder, postprocess(name))
                for label, encoder in options.encoders.items()
            }
        return result

    spec = {"kind": "robustness", "arm": arm, "album": repetition, "config": config.to_dict()}
    return Cell(f"{arm}, album {repetition}", spec, measure)


def _plan(options: Options) -> list[Cell]:
    return [_cell(options, arm, k) for arm in ARMS for k in range(options.seeds)]


def _conclude(options: Options, cells: Sequence[Cell], results: Sequence[Result]) -> Findings:
    count = options.seeds
    config = options.config()
    surrogate = next(iter(options.encoders))
    rows = chance_rows(results[0]["leak"]["none"][surrogate])
    for index, arm in enumerate(ARMS):
        group = results[index * count : (index + 1) * count]
        for name in POSTPROCESSING:
            for label in options.encoders:
                where = {"encoder": label, "trained_on": arm, "post_processing": name}
                rows += leak_rows([result["leak"][name][label] for result in group], where)
        if arm != "clean":
            where = {"trained_on": arm}
            rows += quality_rows([r["quality"] for r in group], config.epsilon, where)
    notes = [
        "Post-processing is done to the shared files before the probe trains; queries are clean.",
        "JPEG is a real encoder's round trip, not the approximation that EOT trains with.",
        f"EOT transforms: {', '.join(config.transforms) or 'none'}.",
        f"Crops in EOT: {', '.join(f'{k}={v}' for k, v in ARMS[WITH_CROPS].items())}.",
    ]
    configs = {arm: _config(options, arm).fingerprint() for arm in ARMS if arm != "clean"}
    return Findings(rows, configs, notes)


STUDY = Study(
    name="robustness",
    title="The identity probe after JPEG, resizing, crops and more, by what EOT was done",
    estimate="three protections of 140 photos for each seed: 8 to 12 minutes a seed",
    plan=_plan,
    conclude=_conclude,
)
