"""An attacker's answers as FiftyOne's predictions and evaluations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..measure.report import Answer, AttackReport
from .evaluations import ARMS, EvaluationNames
from .photos import all_photos
from .schema import changing

__all__ = ["identity_answers", "predicted_arms", "store_predictions"]


def identity_answers(report: AttackReport) -> list[Answer]:
    """Returns who the report's first attacker took each query photo for, in the first repetition.

    Repetitions ask the same photos again, and a photo can hold one prediction only.
    """
    first = next(iter(report.attackers))
    answers = [
        answer
        for answer in report.answers
        if answer.ask == "identity" and answer.truth and answer.attacker in ("", first)
    ]
    return [
        answer
        for answer in answers
        if (answer.seed, answer.setting) == (answers[0].seed, answers[0].setting)
    ]


def predicted_arms(report: AttackReport) -> list[str]:
    """Returns the arms of :data:`ARMS` that answered."""
    said = {arm for answer in identity_answers(report) for arm in answer.chosen}
    return [arm for arm in ARMS if arm in said]


def store_predictions(dataset: Any, report: AttackReport, names: EvaluationNames) -> None:
    """Writes truth and predictions to the query photos, and evaluates both arms alike.

    Args:
        dataset: a FiftyOne dataset whose sample ids name the report's photos
        report: the report
        names: where to write
    """
    import fiftyone as fo

    answers = identity_answers(report)
    truth = {answer.photo: fo.Classification(label=answer.truth) for answer in answers}
    _write(dataset, names.truth, truth)
    view = all_photos(dataset).select(list(truth))
    people = _people(answers)
    for arm in predicted_arms(report):
        said = {
            answer.photo: fo.Classification(
                label=answer.chosen[arm], confidence=answer.confidence.get(arm)
            )
            for answer in answers
            if arm in answer.chosen
        }
        _write(dataset, names.prediction(arm), said)
        # one list of classes and one truth, so that the App can compare the two
        view.evaluate_classifications(
            names.prediction(arm),
            gt_field=names.truth,
            eval_key=names.eval_key(arm),
            classes=people,
            progress=False,
        )


def _people(answers: Sequence[Answer]) -> list[str]:
    named = {answer.truth for answer in answers}
    return sorted(named.union(*(answer.chosen.values() for answer in answers)))


def _write(dataset: Any, field: str, values: dict[str, Any]) -> None:
    import fiftyone as fo

    with changing(dataset):
        if not dataset.has_sample_field(field):
            dataset.add_sample_field(
                field, fo.EmbeddedDocumentField, embedded_doc_type=fo.Classification
            )
    dataset.set_values(field, values, key_field="id")
