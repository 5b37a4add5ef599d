"""The demo's attack: what a small VLM learns from the photos, before and after protection."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..measure.report import AttackReport
    from ..runs import Progress

EVALUATION = "demo"

_ARMS = {
    "none": "nothing",
    "clean": "clean photos",
    "random signs": "random noise",
    "protected": "protected photos",
}


def attack(
    dataset: Any,
    record: Any,
    directory: Path,
    epochs: int | None,
    progress: Callable[[Progress], None],
) -> str:
    """Attacks the demo's run unless that is done, and returns the figures as a table.

    Args:
        dataset: the demo's
        record: its run's
        directory: for the report and what was measured
        epochs: of fine-tuning, None for the attacker's own
        progress: called while it goes on
    """
    from ..attack.settings import AttackConfig
    from ..store import (
        delete_evaluation,
        evaluate_attack_dataset,
        list_evaluations,
        load_report,
    )
    from ..store.benchmark import attack_fields

    config = AttackConfig(
        proxies=(),
        arms=("quick",),
        epochs_measured=4,
        finetune={} if epochs is None else {"epochs": epochs},
    )
    for found in list_evaluations(dataset):
        if found.evaluation != EVALUATION:
            continue
        if found.state == "complete" and found.fingerprint == config.fingerprint():
            return _table(load_report(dataset, EVALUATION), directory)
        delete_evaluation(dataset, EVALUATION)
    report = evaluate_attack_dataset(
        dataset,
        config,
        evaluation=EVALUATION,
        run=record.run,
        **attack_fields(),
        output_dir=str(directory / "report"),
        cache=str(directory / "cells"),
        progress=progress,
    )
    return _table(report, directory)


def _table(report: AttackReport, directory: Path) -> str:
    lines = [
        "",
        "a small vision-language model, fine-tuned and then shown clean photos it never saw",
        f"  {'fine-tuned on':<24} {'names the person':>17} {'tells a fact':>14}",
    ]
    for arm, label in _ARMS.items():
        cells = [_share(report, ask, arm=arm) for ask in ("identity", "affiliation")]
        lines.append(f"  {label:<24} {cells[0]:>17} {cells[1]:>14}")
    guesses = [_share(report, ask, figure="chance") for ask in ("identity", "affiliation")]
    lines.append(f"  {'a guess':<24} {guesses[0]:>17} {guesses[1]:>14}")
    page = directory / "report" / "report.html"
    return "\n".join([*lines, f"  the report card: {page}", ""])


def _share(report: AttackReport, ask: str, figure: str = "accuracy", **conditions: str) -> str:
    row = report.find(
        figure, ask=ask, scenario="all", scoring="forced choice", epoch="final", **conditions
    )
    return "-" if row is None else f"{row.value:.1%}"
