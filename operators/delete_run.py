"""The ``delete_run`` operator: one run's fields, plots, record and files, and nothing else."""

from __future__ import annotations

from typing import Any

import fiftyone.operators as foo
import fiftyone.operators.types as types

from fiftyone_dp2vl.store.folders import files_kept
from fiftyone_dp2vl.store.records import METHOD, ProtectionRun, list_runs, load_run

from .forms import awaited, chosen_record, tell_deleted


class DeleteRun(foo.Operator):
    """Deletes a run from the dataset."""

    @property
    def config(self) -> foo.OperatorConfig:
        """The operator's configuration."""
        return foo.OperatorConfig(
            name="delete_run",
            label="Delete a protection run",
            description="Removes one run's fields, plots and protected files, and nothing else",
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
            view=types.PromptView(label="Delete a protection run", submit_button_label="Delete"),
        )
        runs = {record.run: record for record in list_runs(ctx.dataset)}
        none = "this dataset has no protection run"
        record = chosen_record(inputs, ctx.params, "run", runs, none)
        if record is None:
            return form
        inputs.bool(
            "delete_files",
            default=True,
            label="Delete the protected files too",
            description=files_kept(ctx.dataset, record, METHOD)
            or f"Only what the run wrote in {record.directory}",
        )
        inputs.md(_summary(record), name="summary")
        return form

    def execute(self, ctx: foo.ExecutionContext) -> dict[str, Any]:
        """Deletes the run."""
        from fiftyone_dp2vl.store import delete_run

        run, delete_files = ctx.params["run"], ctx.params.get("delete_files", True)
        record = load_run(ctx.dataset, run)
        kept = files_kept(ctx.dataset, record, METHOD) if delete_files else None
        record = delete_run(ctx.dataset, run, delete_files=delete_files and kept is None)
        tell_deleted(ctx, f"Run {record.run}", kept)
        return {"run": record.run, "fields": list(record.fields), "directory": record.directory}

    def __call__(self, samples: Any, run: str, delete_files: bool = True) -> Any:
        """Deletes a run from Python.

        Args:
            samples: a FiftyOne dataset or view
            run: the run's name
            delete_files (True): whether to delete the protected files too

        Returns:
            what was deleted; in a notebook, a task to ``await`` for it
        """
        params = {"run": run, "delete_files": delete_files}
        result = foo.execute_operator(self.uri, dataset=samples._root_dataset, params=params)
        return awaited(result, lambda done: done.result)


def _summary(record: ProtectionRun) -> str:
    counts = record.counts
    protected = counts.get("protected", 0)
    return (
        f"**{record.run}** ({record.state}, {record.started or 'no date'}): {protected} of "
        f"{record.photos} photos protected, ε = {record.protection.epsilon:g}/255, strategy "
        f"{record.protection.strategy}. {len(record.fields)} fields and "
        f"{len(record.brain_keys)} plots will be removed."
    )
