"""The ``delete_evaluation`` operator: one attack's predictions, evaluations, record and report."""

from __future__ import annotations

from typing import Any

import fiftyone.operators as foo
import fiftyone.operators.types as types

from fiftyone_dp2vl.store.evaluations import (
    METHOD,
    AttackEvaluation,
    list_evaluations,
    load_evaluation,
)
from fiftyone_dp2vl.store.folders import files_kept

from .forms import awaited, chosen_record, tell_deleted


class DeleteEvaluation(foo.Operator):
    """Deletes an evaluation of an attack from the dataset."""

    @property
    def config(self) -> foo.OperatorConfig:
        """The operator's configuration."""
        return foo.OperatorConfig(
            name="delete_evaluation",
            label="Delete an attack's evaluation",
            description="Removes one attack's predictions, evaluations and report, nothing else",
            icon="/assets/delete.svg",
            dynamic=True,
            risk_level="high",
            view_target=False,
        )

    def resolve_input(self, ctx: foo.ExecutionContext) -> types.Property:
        """Returns the form."""
        inputs = types.Object()
        form = types.Property(
            inputs,
            view=types.PromptView(
                label="Delete an attack's evaluation", submit_button_label="Delete"
            ),
        )
        records = {record.evaluation: record for record in list_evaluations(ctx.dataset)}
        none = "this dataset has no evaluation of an attack"
        record = chosen_record(inputs, ctx.params, "evaluation", records, none)
        if record is None:
            return form
        inputs.bool(
            "delete_files",
            default=True,
            label="Delete the report too",
            description=files_kept(ctx.dataset, record, METHOD)
            or f"Only {record.report.name} and {record.page.name} in {record.directory}",
        )
        inputs.md(_summary(record), name="summary")
        return form

    def execute(self, ctx: foo.ExecutionContext) -> dict[str, Any]:
        """Deletes the evaluation."""
        from fiftyone_dp2vl.store import delete_evaluation

        name, delete_files = ctx.params["evaluation"], ctx.params.get("delete_files", True)
        record = load_evaluation(ctx.dataset, name)
        kept = files_kept(ctx.dataset, record, METHOD) if delete_files else None
        record = delete_evaluation(ctx.dataset, name, delete_files=delete_files and kept is None)
        tell_deleted(ctx, f"Evaluation {record.evaluation}", kept)
        return {
            "evaluation": record.evaluation,
            "fields": list(record.fields),
            "eval_keys": list(record.eval_keys),
            "directory": record.directory,
        }

    def __call__(self, samples: Any, evaluation: str, delete_files: bool = True) -> Any:
        """Deletes an evaluation from Python.

        Args:
            samples: a FiftyOne dataset or view
            evaluation: its name
            delete_files (True): whether to delete the report's files too

        Returns:
            what was deleted; in a notebook, a task to ``await`` for it
        """
        params = {"evaluation": evaluation, "delete_files": delete_files}
        result = foo.execute_operator(self.uri, dataset=samples._root_dataset, params=params)
        return awaited(result, lambda done: done.result)


def _summary(record: AttackEvaluation) -> str:
    attacked = f"an attack on run {record.run}" if record.run else "an attack on the clean photos"
    return (
        f"**{record.evaluation}** ({record.state}, {record.created or 'no date'}): {attacked} by "
        f"{', '.join(record.attackers) or 'nobody'}. {len(record.fields)} fields and "
        f"{len(record.eval_keys)} of FiftyOne's evaluations will be removed. What was measured "
        "stays in its cache, so that the same evaluation is made again at once."
    )
