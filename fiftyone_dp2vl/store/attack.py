"""Attacking a view: its photos and fields to the attacker, its answers back into fields."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..attack.settings import AttackConfig
from ..errors import RunError
from ..measure.report import AttackReport
from ..measure.report_html import report_html
from ..measure.report_words import verdict_sentences
from ..media.atomic import write_atomically
from ..runs import Progress
from .albums import QUERY_SHARE, attack_album
from .evaluations import (
    METHOD,
    REPORT,
    AttackEvaluation,
    EvaluationNames,
    clear_results,
    evaluation_problem,
    list_evaluations,
    next_evaluation_name,
    save_evaluation,
)
from .folders import folder_problem
from .home import home_of
from .photos import group_values, require_photos
from .predictions import predicted_arms, store_predictions
from .records import ProtectionRun, load_run
from .run_fields import columns
from .workers import this_worker

if TYPE_CHECKING:
    from ..attack.album import AttackAlbum
    from ..attack.evaluate import AttackProgress
    from ..attack.evaluation import Loader
    from ..attack.plan import AttackPlan
    from ..config import ProtectionConfig

__all__ = [
    "default_cache",
    "evaluate_attack_dataset",
    "plan_attack_dataset",
    "report_problem",
    "store_results",
    "write_page",
]

_STEPS = 100  # progress counts whole cells; a bar should move within one too


def evaluate_attack_dataset(
    view: Any,
    config: AttackConfig | None = None,
    *,
    identity: str,
    evaluation: str | None = None,
    run: str | None = None,
    affiliation: str | None = None,
    scenario: str | None = None,
    description: str | None = None,
    query: str | float = QUERY_SHARE,
    others: str | None = None,
    face: str | None = None,
    questions: Mapping[str, Sequence[str]] | None = None,
    distractors: Mapping[str, Sequence[str]] | None = None,
    seed: int = 0,
    output_dir: str | None = None,
    cache: str | None = None,
    device: str | None = None,
    load: Loader | None = None,
    progress: Callable[[Progress], None] | None = None,
    cancel: Callable[[], bool] | None = None,
) -> AttackReport:
    """Attacks a view's photos and stores the report and the answers with the dataset.

    The answers to the query photos become classifications with a confidence, one field for the
    attacker who trained on clean photos and one for protected photos, and one of FiftyOne's
    evaluations each, so that the App's Model Evaluation panel compares them. A call that was
    interrupted goes on, when it is repeated, with the cell that it was at.

    Args:
        view: a FiftyOne dataset or view of photos
        config: attackers, arms, repetitions; None for the defaults
        identity: see :func:`~fiftyone_dp2vl.store.albums.attack_album`, as for the other
            fields and choices of photos
        evaluation: a name, default ``eval1``, ``eval2``, ...
        run: the protection to attack; None attacks the clean photos only
        affiliation: see ``identity``
        scenario: see ``identity``
        description: see ``identity``
        query: see ``identity``
        others: see ``identity``
        face: see ``identity``
        questions: see ``identity``
        distractors: see ``identity``
        seed: see ``identity``
        output_dir: where the report goes, default below FiftyOne's dataset directory
        cache: folder of what was measured and of the photos that arms make; default one for the
            dataset, below FiftyOne's dataset directory. Datasets of the same photos may have one
            together: what was measured on one of them is not measured again on another
        device: default the GPU where there is one
        load: from a registry name to an attacker, default the registry's
        progress: called while the evaluation goes on
        cancel: asked while it goes on

    Returns:
        the report, as :func:`fiftyone_dp2vl.store.load_report` gives it back: its answers name
        their photos by sample id

    Raises:
        ConfigError: if a field, a choice of photos or the configuration will not do
        RunError: if the evaluation exists already, or there is no such run
        ModelNotFoundError: if an attacker or encoder is not here
        Cancelled: if ``cancel`` said so; what was measured is kept
    """
    from ..attack.evaluate import evaluate_attack
    from ..encoders import default_device

    config = config or AttackConfig()
    require_photos(view)
    dataset = view._root_dataset
    evaluation = evaluation or next_evaluation_name(dataset)
    problem = evaluation_problem(dataset, evaluation)
    if problem is not None:
        raise RunError(problem)
    folder = _folder(dataset, evaluation, output_dir)
    problem = report_problem(dataset, evaluation, output_dir)
    if problem is not None:
        raise RunError(problem)
    mapping: dict[str, Any] = {
        "identity": identity,
        "affiliation": affiliation,
        "scenario": scenario,
        "description": description,
        "query": query,
        "others": others,
        "face": face,
        "seed": seed,
    }
    found = attack_album(view, **mapping, run=run, questions=questions, distractors=distractors)
    album, protected = found.album, found.protected
    record = load_run(dataset, run) if run is not None else None
    report = evaluate_attack(
        album,
        config,
        protected=protected if record is not None else None,
        protection=_protection(record),
        facts=_facts(view, record, [found.samples[key] for key in protected])
        if record is not None
        else None,
        source=f"FiftyOne dataset {dataset.name}",
        cache=Path(cache) if cache is not None else default_cache(dataset),
        device=device or default_device(),
        name=evaluation,
        load=load,
        progress=_steps(progress),
        cancel=cancel,
    )
    report = _with_left_out(report, view, album, scenario, affiliation)
    report = _with_sample_ids(report, found.samples)
    names = EvaluationNames(evaluation)
    arms = predicted_arms(report)
    stored = AttackEvaluation(
        evaluation=evaluation,
        state="writing",
        run=run,
        directory=str(folder),
        attackers=tuple(report.attackers),
        summary=tuple(verdict_sentences(report)),
        fields=(names.truth, *map(names.prediction, arms)),
        eval_keys=tuple(map(names.eval_key, arms)),
        mapping=mapping,
        config=config.to_dict(),
        fingerprint=config.fingerprint(),
        album=album.digest,
        created=report.created,
        seconds=report.seconds,
        worker=this_worker(),
    )
    _store(dataset, report, stored)
    return report


def plan_attack_dataset(
    view: Any,
    config: AttackConfig,
    *,
    run: str | None = None,
    cache: str | None = None,
    device: str | None = None,
    **mapping: Any,
) -> AttackPlan:
    """Returns what :func:`evaluate_attack_dataset` would do, and how long it would take.

    Each attacker is loaded and tried for a few steps, unless cells of it were measured before.

    Args:
        view: a FiftyOne dataset or view of photos
        config: as there
        run: as there
        cache: as there
        device: as there
        **mapping: fields and choices of photos, as there

    Raises:
        ConfigError: as there
    """
    from ..attack.plan import plan_attack
    from ..encoders import default_device

    record = load_run(view._root_dataset, run) if run is not None else None
    found = attack_album(view, run=run, **mapping)
    return plan_attack(
        found.album,
        config,
        protected=found.protected if record is not None else None,
        protection=_protection(record),
        cache=Path(cache) if cache is not None else default_cache(view._root_dataset),
        device=device or default_device(),
    )


def default_cache(dataset: Any) -> Path:
    """Returns where a dataset's measured cells are kept if nothing else is said."""
    return home_of(dataset) / "attack-cells"


def report_problem(dataset: Any, evaluation: str, output_dir: str | None) -> str | None:
    """Returns one sentence that says why a report cannot be written to a folder, or None.

    Args:
        dataset: a FiftyOne dataset
        evaluation: the evaluation's name
        output_dir: the folder, or None for the default one
    """
    folder = _folder(dataset, evaluation, output_dir)
    return folder_problem(dataset, EvaluationNames(evaluation).key, METHOD, folder)


def _folder(dataset: Any, evaluation: str, output_dir: str | None) -> Path:
    # a run's folder lies beside the default one, and no run's name has a hyphen
    chosen = output_dir or home_of(dataset) / f"attack-{evaluation}"
    return Path(chosen).expanduser().absolute()


def _store(dataset: Any, report: AttackReport, record: AttackEvaluation) -> None:
    """Writes files, fields, evaluations and the record; what an interruption leaves has a name."""
    folder = Path(record.directory)
    folder.mkdir(parents=True, exist_ok=True)
    report.save(folder / REPORT)
    write_page(report, record)
    store_results(dataset, report, record)


def write_page(report: AttackReport, record: AttackEvaluation) -> None:
    """Writes the page of HTML beside an evaluation's report."""
    write_atomically(record.page, report_html(report).encode(), replace=True)


def store_results(dataset: Any, report: AttackReport, record: AttackEvaluation) -> None:
    """Writes fields, FiftyOne evaluations and the record, in place of what is there of them."""
    for earlier in list_evaluations(dataset):
        if earlier.evaluation == record.evaluation:
            clear_results(dataset, earlier)
    save_evaluation(dataset, record)
    store_predictions(dataset, report, record.names)
    save_evaluation(dataset, replace(record, state="complete", worker=""))


def _protection(record: ProtectionRun | None) -> ProtectionConfig | None:
    """Returns how a run moved its photos, told by its folder: fields may have changed since."""
    if record is None:
        return None
    from ..runs.settled import settled_in

    return settled_in(Path(record.directory), record.protection)


def _facts(view: Any, record: Any, samples: Sequence[str]) -> dict[str, Any]:
    """Returns what a report says of a run: its configuration, encoders and visible cost.

    Args:
        view: a FiftyOne dataset or view
        record: of the run
        samples: ids of the shared photos that it protected
    """
    names, chosen = record.names, view.select(samples)
    linf, psnr, ssim = columns(chosen, [names.linf, names.psnr, names.ssim])
    return {
        "run": record.run,
        "config": record.protection.to_dict(),
        "fingerprint": record.fingerprints.get("protection", ""),
        "encoders": {entry["name"]: entry["weights_sha256"] for entry in record.encoders},
        "photos": len(samples),
        "quality": {
            **_spread("linf", linf, worst=max),
            **_spread("psnr", psnr, worst=min),
            **_spread("ssim", ssim, worst=min),
        },
    }


def _spread(name: str, values: list[float | None], worst: Callable[..., float]) -> dict[str, float]:
    """Returns the median and the worst photo's figure."""
    known = [value for value in values if value is not None]
    if not known:
        return {}
    return {
        f"median_{name}": round(statistics.median(known), 4),
        f"worst_{name}": round(worst(known), 4),
    }


def _with_left_out(
    report: AttackReport,
    view: Any,
    album: AttackAlbum,
    scenario: str | None,
    affiliation: str | None,
) -> AttackReport:
    """Returns the report with the scenarios named that allowed no choice."""
    if scenario is None or affiliation is None:
        return report
    told = {name for name in group_values(view, scenario) if name}
    missing = sorted(told - set(album.choices))
    if not missing:
        return report
    sentence = f"Scenarios with one phrase only allow no choice: {', '.join(missing)}."
    return replace(report, not_tested=(*report.not_tested, sentence))


def _with_sample_ids(report: AttackReport, samples: Mapping[str, str]) -> AttackReport:
    """Returns the report as it is kept with the dataset: answers name their photo by sample id.

    Args:
        report: as it was measured
        samples: photo's key -> sample id
    """
    answers = [replace(answer, photo=samples[answer.photo]) for answer in report.answers]
    return replace(report, answers=answers)


def _steps(
    progress: Callable[[Progress], None] | None,
) -> Callable[[AttackProgress], None] | None:
    if progress is None:
        return None
    tell = progress

    def told(step: AttackProgress) -> None:
        done = min(round(step.done * _STEPS), step.total * _STEPS)
        label = f"{step.label}, {step.doing}"
        tell(Progress(done, step.total * _STEPS, "attack", label, step.eta_seconds))

    return told
