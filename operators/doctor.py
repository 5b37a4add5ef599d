"""The ``doctor`` operator: what is missing or wrong, and how to mend it."""

from __future__ import annotations

from typing import Any

import fiftyone.operators as foo
import fiftyone.operators.types as types

from fiftyone_dp2vl import doctor


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
            risk_level="low",
            view_target=False,
        )

    def resolve_input(self, ctx: foo.ExecutionContext) -> types.Property:
        """Returns the form, which asks for nothing."""
        inputs = types.Object()
        inputs.md(
            "Looks at the database, torch and its device, the plugin's registration, the models "
            "and the disk. Nothing is changed.",
            name="about",
        )
        return types.Property(
            inputs, view=types.PromptView(label="Check this machine", submit_button_label="Check")
        )

    def execute(self, ctx: foo.ExecutionContext) -> dict[str, Any]:
        """Returns the findings."""
        checks = doctor.run_checks()
        return {
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
        outputs.list("checks", types.Object(), view=table)
        healthy = ctx.results.get("healthy")
        label = "All is well" if healthy else "Something is to be mended"
        return types.Property(outputs, view=types.View(label=label))

    def __call__(self) -> dict[str, Any]:
        """Returns the findings."""
        result: dict[str, Any] = foo.execute_operator(self.uri, {}).result
        return result
