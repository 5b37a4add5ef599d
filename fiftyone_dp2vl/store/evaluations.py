"""What a dataset remembers of an attack on it, as one of FiftyOne's custom runs."""

from __future__ import annotations

import contextlib
import json
import keyword
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import ConfigError, RunError
from ..measure.cards import CardError
from ..measure.report import AttackReport
from .folders import delete_own_files
from .names import PREFIX

__all__ = [
    "METHOD",
    "ARMS",
    "AttackEvaluation",
    "EvaluationNames",
    "delete_evaluation",
    "evaluation_problem",
    "list_evaluations",
    "load_evaluation",
    "load_report",
    "next_evaluation_name",
    "own_report",
    "save_evaluation",
]

METHOD = "dp2vl/attack"

ARMS = ("clean", "protected")
"""Arms whose answers become predictions."""

REPORT, PAGE = "report.json", "report.html"

_MADE_BY = "Made by fiftyone_dp2vl from "
"""Stands at the foot of every page."""

_MAX_NAME = 40


class EvaluationNames:
    """Every name that an evaluation uses on its dataset.

    Args:
        evaluation: its name

    Attributes:
        key: of the custom run
        truth: field with who is on a query photo
    """

    def __init__(self, evaluation: str) -> None:
        if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", evaluation) or keyword.iskeyword(evaluation):
            raise ConfigError(
                f"evaluation name {evaluation!r} cannot name a field: begin with a letter and use "
                "letters, digits and underscores"
            )
        if len(evaluation) > _MAX_NAME:
            raise ConfigError(
                f"evaluation name {evaluation!r} is longer than {_MAX_NAME} characters: shorten it"
            )
        self.evaluation = evaluation
        self.key = f"{PREFIX}attack_{evaluation}"
        self.truth = f"{self.key}_truth"

    def prediction(self, arm: str) -> str:
        """Field with who the attacker takes a query photo for, after training on ``arm``."""
        return f"{self.key}_{arm}"

    def eval_key(self, arm: str) -> str:
        """Key of FiftyOne's evaluation of :meth:`prediction`, which is a field's name too."""
        return f"{self.key}_eval_{arm}"

    def fields(self) -> list[str]:
        """Returns every sample field of the evaluation but those that its keys name."""
        return [self.truth, *map(self.prediction, ARMS)]


@dataclass(frozen=True)
class AttackEvaluation:
    """An evaluation on a dataset.

    Args:
        evaluation: its name
        state: ``"complete"``, or ``"writing"`` where its results were not all stored
        run: the protection that was attacked, or None
        directory: where the report's files are
        attackers: their registry names
        summary: what the report says, in sentences
        fields: sample fields that belong to it
        eval_keys: FiftyOne evaluations that belong to it
        mapping: which fields and photos were used, as given
        config: the :class:`~fiftyone_dp2vl.attack.settings.AttackConfig` as a dictionary
        fingerprint: of the configuration
        album: digest of the photos and what was said of them
        created: ISO date and time, UTC
        seconds: that it took
        worker: the process that is storing it, as
            :func:`~fiftyone_dp2vl.store.workers.this_worker` names it, or ``""``
    """

    evaluation: str
    state: str
    run: str | None
    directory: str
    attackers: tuple[str, ...] = ()
    summary: tuple[str, ...] = ()
    fields: tuple[str, ...] = ()
    eval_keys: tuple[str, ...] = ()
    mapping: dict[str, Any] = field(default_factory=dict)
    config: dict[str, Any] = field(default_factory=dict)
    fingerprint: str = ""
    album: str = ""
    created: str = ""
    seconds: float = 0.0
    worker: str = ""

    @property
    def names(self) -> EvaluationNames:
        """The names that it uses on its dataset."""
        return EvaluationNames(self.evaluation)

    @property
    def report(self) -> Path:
        """The report card's file."""
        return Path(self.directory) / REPORT

    @property
    def page(self) -> Path:
        """The report card as one HTML page."""
        return Path(self.directory) / PAGE

    def to_dict(self) -> dict[str, Any]:
        """Returns the record as plain JSON values."""
        data: dict[str, Any] = json.loads(json.dumps(vars(self)))
        return data

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> AttackEvaluation:
        """Returns the record that :meth:`to_dict` described."""
        # through JSON: what comes from the database are documents that only look like dictionaries
        data = json.loads(json.dumps(data))
        lists = ("attackers", "summary", "fields", "eval_keys")
        return cls(**{**data, **{name: tuple(data[name]) for name in lists}})


def save_evaluation(dataset: Any, record: AttackEvaluation) -> AttackEvaluation:
    """Stores a record, new or changed, and returns it."""
    key = record.names.key
    config = dataset.init_run(method=METHOD, record=record.to_dict())
    if dataset.has_run(key):
        dataset.update_run_config(key, config)
    else:
        dataset.register_run(key, config)
    return record


def list_evaluations(dataset: Any) -> list[AttackEvaluation]:
    """Returns the records of a dataset's evaluations, oldest first."""
    dataset = dataset._root_dataset
    runs = [dataset.get_run_info(key) for key in dataset.list_runs(method=METHOD)]
    # a report's own time is in whole seconds
    runs.sort(key=lambda run: run.timestamp)
    return [AttackEvaluation.from_dict(run.config.record) for run in runs]


def load_evaluation(dataset: Any, evaluation: str) -> AttackEvaluation:
    """Returns an evaluation's record.

    Raises:
        RunError: if the dataset has no such evaluation
    """
    records = list_evaluations(dataset)
    for record in records:
        if record.evaluation == evaluation:
            return record
    known = ", ".join(record.evaluation for record in records) or "none"
    raise RunError(
        f"no evaluation {evaluation!r} on dataset {dataset.name!r}: its evaluations are {known}"
    )


def load_report(dataset: Any, evaluation: str) -> AttackReport:
    """Returns an evaluation's report card.

    Raises:
        RunError: if the dataset has no such evaluation
        CardError: if the report's file is gone or damaged
    """
    return AttackReport.load(load_evaluation(dataset, evaluation).report)


def own_report(record: AttackEvaluation) -> AttackReport:
    """Returns the report in an evaluation's folder, which must be of that very evaluation.

    The folder comes from the database, and so perhaps from a dataset that somebody else made:
    before files in it are changed they must be what the evaluation wrote.

    Raises:
        CardError: if it is gone, damaged, or another evaluation's
    """
    report = AttackReport.load(record.report)
    if report.name != record.evaluation:
        raise CardError(
            f"{record.report} is the report of evaluation {report.name!r}, not of "
            f"{record.evaluation!r}"
        )
    return report


def next_evaluation_name(dataset: Any) -> str:
    """Returns the first of ``eval1``, ``eval2``, ... that the dataset does not have yet."""
    taken = set(dataset._root_dataset.list_runs())
    number = 1
    while EvaluationNames(f"eval{number}").key in taken:
        number += 1
    return f"eval{number}"


def evaluation_problem(dataset: Any, evaluation: str) -> str | None:
    """Returns one sentence that says why an evaluation cannot have its name, or None."""
    dataset = dataset._root_dataset
    try:
        names = EvaluationNames(evaluation)
    except ConfigError as error:
        return str(error)
    earlier = {record.evaluation: record for record in list_evaluations(dataset)}.get(evaluation)
    if earlier is not None and earlier.state == "complete":
        return f"evaluation {evaluation!r} is there already: choose another name, or delete it"
    if earlier is not None:
        return None
    keys = [names.eval_key(arm) for arm in ARMS]
    taken = [name for name in (*names.fields(), *keys) if dataset.has_sample_field(name)]
    taken += [key for key in keys if dataset.has_evaluation(key)]
    if dataset.has_run(names.key):
        taken.append(names.key)
    if taken:
        return f"{taken[0]!r} exists on the dataset already: choose another name"
    return None


def delete_evaluation(
    dataset: Any, evaluation: str, *, delete_files: bool = True
) -> AttackEvaluation:
    """Deletes an evaluation: its fields, FiftyOne evaluations, record and report, nothing else.

    What was measured stays in the folder of cells, so that the same evaluation can be made again
    at once.

    Args:
        dataset: a FiftyOne dataset
        evaluation: its name
        delete_files: whether to delete the report's files too. Where another evaluation names
            their folder too, as a cloned dataset's does, they are kept, with a warning

    Returns:
        the record of what was deleted

    Raises:
        RunError: if there is no such evaluation, or what lies in the place of its report is not
            its report
    """
    dataset = dataset._root_dataset
    record = load_evaluation(dataset, evaluation)
    if delete_files:
        delete_own_files(dataset, record, METHOD, lambda: _delete_files(record))
    clear_results(dataset, record)
    dataset.delete_run(record.names.key)
    return record


def _delete_files(record: AttackEvaluation) -> None:
    """Deletes an evaluation's report and page, and their folder when nothing else is in it."""
    if record.report.exists():
        try:
            report = own_report(record)
        except (CardError, OSError) as error:
            raise RunError(
                f"the files of evaluation {record.evaluation!r} are not deleted, because {error}: "
                "look at them, and delete the evaluation without its files"
            ) from error
        # the report last: as long as it is there, the call can be repeated
        if _is_page_of(record.page, report):
            record.page.unlink()
        record.report.unlink()
    with contextlib.suppress(OSError):  # something else is in it, or it is gone
        Path(record.directory).rmdir()


def _is_page_of(path: Path, report: AttackReport) -> bool:
    """Returns whether a file is the page of a report, as any version drew it."""
    if path.is_symlink() or not path.is_file():
        return False
    text = path.read_text(encoding="utf-8", errors="replace")
    return text.startswith("<!doctype html>") and _MADE_BY in text and report.name in text


def clear_results(dataset: Any, record: AttackEvaluation) -> None:
    """Removes an evaluation's fields and FiftyOne evaluations, as far as they are there."""
    for key in record.eval_keys:
        if dataset.has_evaluation(key):
            dataset.delete_evaluation(key)
    fields = [*record.fields, *record.eval_keys]
    present = [name for name in fields if dataset.has_sample_field(name)]
    if present:
        dataset.delete_sample_fields(present)
