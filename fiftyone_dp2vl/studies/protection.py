"""The headline: what an attacker learns from protected photos, on three kinds of encoder."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..attack.changes import jpeg, random_signs
from ..config import SelectionConfig
from .base import Cell, Findings, Result, Study
from .leak import measure_leak, measure_quality, measure_shift
from .rows import chance_rows, change_rows, leak_rows, per_repetition, quality_rows, shift_rows

if TYPE_CHECKING:
    from .options import Options
    from .workshop import Workshop

__all__ = ["STUDY"]

CONTROLS = ("clean", "random signs", "JPEG 75")
KNOWN, UNKNOWN, ALONE = "protected", "protected, people unknown", "protected, each person alone"
_SAID = {KNOWN: "", UNKNOWN: ", people unknown", ALONE: ", each person alone"}
OTHERS = (UNKNOWN, ALONE)
PEOPLE, PROTECTION = "people and photos", "protection seed"


def _protected_cell(options: Options, repetition: int, seed: int, arm: str = KNOWN) -> Cell:
    config = options.config(seed=seed)

    def measure(workshop: Workshop) -> Result:
        album = workshop.album("eval", repetition)
        runs = [list(album.share)]
        if arm == ALONE:
            people = dict.fromkeys(shot.person for shot in album.share)
            runs = [[s for s in album.share if s.person == person] for person in people]
        records = {
            record.key: record
            for shots in runs
            for record in workshop.protected(
                shots, config, SelectionConfig(ratio=1.0), people_known=arm == KNOWN
            )
        }
        made = [records[shot.key] for shot in album.share]
        shared = [record.path for record in made]
        result: Result = {"quality": measure_quality(album, made), "leak": {}, "shift": {}}
        for label, name in options.encoders.items():
            workshop.report(0.85, f"probes {label}")
            result["leak"][label] = measure_leak(workshop, album, shared, name)
            result["shift"][label] = measure_shift(workshop, album, shared, name)
        return result

    return Cell(
        f"album {repetition}, protection seed {seed}{_SAID[arm]}",
        {
            "kind": arm,
            "album": repetition,
            "config": config.to_dict(),
        },
        measure,
    )


def _control_cell(options: Options, repetition: int, control: str) -> Cell:
    config = options.config()
    # a whole number of levels fits the file; the signs differ from album to album
    spec = {
        "kind": "control",
        "control": control,
        "album": repetition,
        "epsilon": config.epsilon,
        "grid_pixels": config.grid_pixels,
    }

    def measure(workshop: Workshop) -> Result:
        album = workshop.album("eval", repetition)
        shared = [shot.path for shot in album.share]
        if control != "clean":
            grid = config.grid_pixels or _grid_pixels(workshop, options)
            change = (
                random_signs(config.epsilon, grid, repetition)
                if control == "random signs"
                else jpeg(75)
            )
            name = control.replace(" ", "-")
            shared = workshop.controls(album.share, name, {**spec, "grid": grid}, change)
        return {
            "leak": {
                label: measure_leak(workshop, album, shared, name)
                for label, name in options.encoders.items()
            }
        }

    return Cell(f"album {repetition}, control: {control}", spec, measure)


def _grid_pixels(workshop: Workshop, options: Options) -> int:
    from ..protection import grid_pixels_for

    config = options.config()
    return grid_pixels_for(config, [workshop.encoder(name) for name in config.encoders])


def _plan(options: Options) -> list[Cell]:
    cells = [_protected_cell(options, k, 0) for k in range(options.seeds)]
    # protection's own randomness, apart from that of people and photos
    cells += [_protected_cell(options, 0, k) for k in range(1, options.seeds)]
    cells += [_control_cell(options, k, c) for c in CONTROLS for k in range(options.seeds)]
    cells += [_protected_cell(options, k, 0, arm) for arm in OTHERS for k in range(options.seeds)]
    return cells


def _conclude(options: Options, cells: Sequence[Cell], results: Sequence[Result]) -> Findings:
    count = options.seeds
    by_people = results[:count]
    by_protection = [results[0], *results[count : 2 * count - 1]]
    controls = {
        control: results[2 * count - 1 + i * count :][:count] for i, control in enumerate(CONTROLS)
    }
    rest = results[len(results) - len(OTHERS) * count :]
    others = {arm: rest[i * count :][:count] for i, arm in enumerate(OTHERS)}
    config = options.config()
    surrogate = next(iter(options.encoders))
    rows = chance_rows(by_people[0]["leak"][surrogate])
    notes = []
    for label in options.encoders:
        clean = [result["leak"][label] for result in controls["clean"]]
        for varied, group in ((PEOPLE, by_people), (PROTECTION, by_protection)):
            where = {"encoder": label, "trained_on": "protected", "varied": varied}
            leaks = [result["leak"][label] for result in group]
            rows += leak_rows(leaks, where)
            notes.append(
                f"{label}, identity probe on pooled features by {varied}: {per_repetition(leaks)}"
            )
            if varied == PEOPLE:
                rows += change_rows(leaks, clean, where)
                rows += shift_rows([result["shift"][label] for result in group], where)
        for arm, group in others.items():
            where = {"encoder": label, "trained_on": arm, "varied": PEOPLE}
            leaks = [result["leak"][label] for result in group]
            rows += leak_rows(leaks, where)
            rows += change_rows(leaks, clean, where)
            rows += shift_rows([result["shift"][label] for result in group], where)
        for control, group in controls.items():
            where = {"encoder": label, "trained_on": control, "varied": PEOPLE}
            leaks = [result["leak"][label] for result in group]
            rows += leak_rows(leaks, where)
            if control != "clean":
                rows += change_rows(leaks, clean, where)
    rows += quality_rows([r["quality"] for r in by_people], config.epsilon, {"varied": PEOPLE})
    notes += [
        "Only the first encoder is a surrogate; the others were never seen by the protection.",
        f"Rows that vary {PEOPLE} use another album for each repetition and protection seed 0; "
        f"rows that vary the {PROTECTION} use the first album.",
        f"{UNKNOWN}: the same photos and settings, but the run is not told who is on which photo.",
        f"{ALONE}: the same photos and settings, but a run for each person's photos, without those "
        "of others and without names.",
        "The probe is a proxy for a fine-tuned VLM and can understate what one learns.",
    ]
    return Findings(rows, {"default": config.fingerprint()}, notes)


STUDY = Study(
    name="protection",
    title="What is learned from protected photos about people on clean ones, and what controls do",
    estimate="about 11 protections of 140 photos: 20 to 40 minutes",
    plan=_plan,
    conclude=_conclude,
)
