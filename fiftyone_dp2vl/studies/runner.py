"""Runs a study cell by cell, keeps what is measured, and writes the card."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from ..measure.cards import ResultCard
from ..measure.cells import CellCache, code_digest, fingerprint
from ..measure.environment import environment
from .base import Cell, Result, Study
from .options import Options
from .workshop import Workshop

__all__ = ["StudyProgress", "run_study"]

MEASURING = (
    *(
        f"measure/{room}"
        for room in ("arrays", "features", "mmd", "probe", "separability", "shift", "clusters")
    ),
    "attack/changes",
    "studies/leak",
)


@dataclass(frozen=True)
class StudyProgress:
    """How far a study is.

    Attributes:
        done: cells that are measured, with the current one's share
        total: cells
        label: the current cell
        doing: what it does
        eta_seconds: time left, or None while nothing has been measured yet
    """

    done: float
    total: int
    label: str
    doing: str
    eta_seconds: float | None


def run_study(
    study: Study,
    options: Options,
    *,
    command: str,
    progress: Callable[[StudyProgress], None] | None = None,
) -> ResultCard:
    """Measures what is not yet measured and returns the study's card.

    Each cell is kept under ``options.cache`` as soon as it is measured, under a fingerprint of
    what determines it (its specification, the encoders' weights and the code that makes and
    measures it), so that a stopped study goes on at the cell where it was stopped, and a figure
    of older code is never taken for one of this code.

    Args:
        study: what to measure
        options: how much
        command: the shell command, for the card
        progress: called at every change
    """
    workshop = Workshop(options)
    cells = study.plan(options)
    cache = CellCache(options.cache / "cells" / study.name)
    code = code_digest(*study.rooms, *MEASURING)
    results: list[Result] = []
    spent: list[float] = []
    known = [cache.load(_spec(cell, options, workshop, code)) for cell in cells]
    waiting = sum(result is None for result in known)
    for index, (cell, stored) in enumerate(zip(cells, known, strict=True)):
        if stored is not None:
            results.append(stored)
            continue
        began = time.monotonic()

        def report(
            share: float,
            doing: str,
            label: str = cell.label,
            began: float = began,
            index: int = index,
        ) -> None:
            if progress is None:
                return
            mine = time.monotonic() - began
            # the current cell is judged by the finished ones, or else by its own share
            each = sum(spent) / len(spent) if spent else mine / share if share > 0.02 else None
            left = None if each is None else max(0.0, (waiting - len(spent)) * each - mine)
            progress(StudyProgress(index + share, len(cells), label, doing, left))

        workshop.report = report
        report(0.0, "starts")
        result = json.loads(json.dumps(cell.measure(workshop), allow_nan=False))
        spent.append(time.monotonic() - began)
        cache.store(_spec(cell, options, workshop, code), result, spent[-1])
        results.append(result)
    if progress is not None:
        progress(StudyProgress(len(cells), len(cells), "all cells", "writes the card", 0.0))
    findings = study.conclude(options, cells, results)
    return ResultCard(
        name=study.name,
        title=study.title,
        command=command,
        rows=list(findings.rows),
        environment=environment(options.device),
        configs=dict(findings.configs),
        encoders={
            label: workshop.encoder(name).info.weights_sha256
            for label, name in options.encoders.items()
        },
        seeds=list(range(options.seeds)),
        date=date.today().isoformat(),
        notes=list(findings.notes),
    )


def _spec(cell: Cell, options: Options, workshop: Workshop, code: str) -> dict[str, Any]:
    """Everything that determines a cell's result."""
    import torch

    return {
        **cell.spec,
        "photos": {
            "people": options.people,
            "per_scenario": options.per_scenario,
            "queries": options.queries,
            "album": None if options.album is None else _folder_digest(options.album),
        },
        "weights": {
            label: workshop.encoder(name).info.weights_sha256
            for label, name in options.encoders.items()
        },
        "threads": torch.get_num_threads(),
        "code": code,
    }


def _folder_digest(folder: Path) -> str:
    from .albums import folder_album

    return fingerprint({"album": folder_album(folder).digest})
