"""The ``doctor`` operator: what is missing or wrong, and how to mend it."""

from __future__ import annotations

from typing import Any

import fiftyone.operators as foo
import fiftyone.operators.types as types

from fiftyone_dp2vl import doctor

from .forms import awaited


class Doctor(foo.Operator):
    """Shows what ``dp2vl doctor`` says about the process that runs the App."""

    @property
    def config(self) -> foo.OperatorConfig:
        """The operator's configuration."""
        return foo.OperatorConfig(
            name="doctor",
            label="Check the photo protection plugin",
            description="Says what is missing or wrong on this machine and how to mend it",
            icon="/assets/doctor.svg",
            dynamic=True,
            risk_level="medium",
            view_target=False,
        )

    def resolve_input(self, ctx: foo.ExecutionContext) -> types.Property:
        """Returns the form, with what a repair would do once it is asked for."""
        inputs = types.Object()
        inputs.md(
            "Looks at the database, torch and its device, the plugin's registration, the models, "
            "the disk, and whether datasets and their files agree. Nothing is changed unless you "
            "ask for a repair.",
            name="about",
        )
        inputs.bool(
            "repair",
            default=False,
            label="Make the dataset and its files agree" if ctx.dataset else _ALL,
            description="Deletes no original and no protected file",
        )
        if ctx.params.get("repair"):
            inputs.view("plan", types.Notice(label=_plan(ctx)))
        return types.Property(
            inputs, view=types.PromptView(label="Check this machine", submit_button_label="Check")
        )

    def execute(self, ctx: foo.ExecutionContext) -> dict[str, Any]:
        """Repairs where that is asked for, and returns the findings after it."""
        done = []
        if ctx.params.get("repair"):
            from fiftyone_dp2vl.store import repair_datasets

            done = repair_datasets(_datasets(ctx))
            if ctx.dataset is not None:
                ctx.ops.reload_dataset()
        checks = doctor.examine()
        return {
            "done": [{"line": line} for line in done],
            "healthy": doctor.healthy(checks),
            "checks": [check.to_dict() for check in checks],
        }

    def resolve_output(self, ctx: foo.ExecutionContext) -> types.Property:
        """Returns the findings as a table."""
        outputs = types.Object()
        table = types.TableView()
        for key, label in (
            ("state", "State"),
            ("name", "What"),
            ("finding", "Finding"),
            ("remedy", "How to mend it"),
        ):
            table.add_column(key, label=label)
        if ctx.results.get("done"):
            repairs = types.TableView()
            repairs.add_column("line", label="What was repaired")
            outputs.list("done", types.Object(), view=repairs)
        outputs.list("checks", types.Object(), view=table)
        healthy = ctx.results.get("healthy")
        label = "All is well" if healthy else "Something is to be mended"
        return types.Property(outputs, view=types.View(label=label))

    def __call__(self, samples: Any = None, repair: bool = False) -> Any:
        """Returns the findings, after a repair where that is asked for.

        In a notebook, where an event loop runs already, it is a task to ``await`` for them.

        Args:
            samples (None): the dataset to repair, or a view of it; default every dataset with
                anything of ours
            repair (False): whether to make datasets and files agree
        """
        context = {} if samples is None else {"dataset": samples._root_dataset}
        params = {"repair": repair}
        result = foo.execute_operator(self.uri, params=params, **context)
        return awaited(result, lambda done: done.result)


_ALL = "Make all datasets and their files agree"


def _datasets(ctx: foo.ExecutionContext) -> list[str] | None:
    return None if ctx.dataset is None else [ctx.dataset.name]


def _plan(ctx: foo.ExecutionContext) -> str:
    """Returns what a repair would do, as far as it shows without reading the files."""
    from fiftyone_dp2vl.store import check_datasets

    found = [one for one in check_datasets(_datasets(ctx)) if one.mend is not None]
    if not found:
        return "Nothing is to be repaired, unless a file's content was altered"
    return "A repair does this: " + "; ".join(one.action for one in found)
