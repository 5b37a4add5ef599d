"""Which reading of "antithetical" protects: every strategy at equal steps and budget."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ..media.atomic import write_atomically
from .base import Cell, Findings, Result, Study
from .choice import CHOICE_NOTE, CONTROLS, IGNORANT, NAMED, NAMELESS, choice_rows
from .leak import measure_leak, measure_quality, measure_shift
from .rows import chance_rows, leak_rows, quality_rows, shift_rows

if TYPE_CHECKING:
    from .options import Options
    from .workshop import Workshop

__all__ = ["STUDY"]


def _control_cell(options: Options, control: str, repetition: int) -> Cell:
    def measure(workshop: Workshop) -> Result:
        album = workshop.album("dev", repetition)
        shared = [shot.path for shot in album.share]
        if control == IGNORANT:
            shared = _pictures(options.cache / "pictures", len(shared), repetition)
        return {
            "leak": {
                label: measure_leak(workshop, album, shared, name)
                for label, name in options.encoders.items()
            }
        }

    spec = {"kind": "control", "control": control, "album": repetition}
    return Cell(f"{control}, album {repetition}", spec, measure)


def _pictures(folder: Path, count: int, repetition: int) -> list[Path]:
    """Writes pictures that show nobody, none of them of the bank that strategies read."""
    from PIL import Image

    from ..protection.statistics import reference_bank

    paths = [folder / f"{repetition}-{number:04d}.png" for number in range(count)]
    if not all(path.is_file() for path in paths):
        folder.mkdir(parents=True, exist_ok=True)
        for path, picture in zip(paths, reference_bank(count, seed=1 + repetition), strict=True):
            levels = (255 * picture).round().byte().permute(1, 2, 0).numpy()
            buffer = io.BytesIO()
            Image.fromarray(levels).save(buffer, "PNG")
            write_atomically(path, buffer.getvalue(), replace=True)
    return paths


def _cell(options: Options, strategy: str, people: str, repetition: int) -> Cell:
    # the strategy is what varies here, so it wins over a change asked for
    config = replace(options.config(seed=repetition), strategy=strategy)

    def measure(workshop: Workshop) -> Result:
        album = workshop.album("dev", repetition)
        made = workshop.protected(album.share, config, people_known=people == NAMED)
        shared = [record.path for record in made]
        result: Result = {"quality": measure_quality(album, made), "leak": {}, "shift": {}}
        for label, name in options.encoders.items():
            result["leak"][label] = measure_leak(workshop, album, shared, name)
            result["shift"][label] = measure_shift(workshop, album, shared, name)
        return result

    spec = {"kind": "strategy", "album": repetition, "config": config.to_dict(), "people": people}
    return Cell(f"{strategy}, people {people}, album {repetition}", spec, measure)


def _runs() -> list[tuple[str, str]]:
    """Every strategy without names, and with them where it reads them; auto is two of these."""
    from ..protection import get_strategy, list_strategies

    all_of_them = [name for name in list_strategies() if name != "auto"]
    reading = [name for name in all_of_them if get_strategy(name).uses_groups]
    return [(name, NAMELESS) for name in all_of_them] + [(name, NAMED) for name in reading]


def _plan(options: Options) -> list[Cell]:
    seeds = range(options.seeds)
    controls = [_control_cell(options, control, k) for control in CONTROLS for k in seeds]
    return controls + [_cell(options, *run, k) for run in _runs() for k in seeds]


def _conclude(options: Options, cells: Sequence[Cell], results: Sequence[Result]) -> Findings:
    from ..protection import get_strategy

    groups = [results[k : k + options.seeds] for k in range(0, len(results), options.seeds)]
    config = options.config()
    rows = chance_rows(results[0]["leak"][next(iter(options.encoders))])
    for control, group in zip(CONTROLS, groups, strict=False):
        where = {"strategy": control, "dataset_level": "-", "people": NAMELESS}
        for label in options.encoders:
            rows += leak_rows([r["leak"][label] for r in group], {"encoder": label, **where})
    configs = {}
    for (strategy, people), group in zip(_runs(), groups[len(CONTROLS) :], strict=True):
        level = "yes" if get_strategy(strategy).dataset_level else "no"
        where = {"strategy": strategy, "dataset_level": level, "people": people}
        configs[strategy] = replace(config, strategy=strategy).fingerprint()
        for label in options.encoders:
            rows += leak_rows([r["leak"][label] for r in group], {"encoder": label, **where})
            rows += shift_rows([r["shift"][label] for r in group], {"encoder": label, **where})
        rows += quality_rows([r["quality"] for r in group], config.epsilon, where)
    rows += choice_rows(rows)
    notes = [
        "Measured on people of the choosing split, whom no reported figure uses.",
        "All strategies have equal steps, budget, optimiser and weights; only the target differs.",
        "Only the first encoder is a surrogate; the others were never seen by the protection.",
        f"{IGNORANT}: coloured noise under the people's names, which tells nothing about anybody.",
        f"people {NAMELESS}: strategies that read names are given clusters of about six photos "
        "that look alike; the others read no names.",
        CHOICE_NOTE,
    ]
    return Findings(rows, configs, notes)


STUDY = Study(
    name="strategies",
    title="Every strategy at equal steps and budget, on people used for choosing only",
    estimate="one protection of 140 photos for each strategy and seed: 1 to 4 minutes each",
    plan=_plan,
    conclude=_conclude,
)
