"""The ``protect`` operator: protected copies of a view's photos, beside the originals."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import fiftyone as fo
import fiftyone.operators as foo
import fiftyone.operators.types as types

from fiftyone_dp2vl.errors import ConfigError, DP2VLError
from fiftyone_dp2vl.store.photos import require_photos, view_problem
from fiftyone_dp2vl.store.records import load_run

from .forms import awaited, said, tell_problem
from .protect_form import (
    add_inputs,
    add_notes,
    arguments_of,
    estimate_run,
    first_problem,
    offer_own_photos,
    photos_of,
)
from .streaming import stream

_PHASES = {"read": (0.0, 0.02), "survey": (0.02, 0.1), "protect": (0.1, 0.9), "embed": (0.9, 1.0)}


class Protect(foo.Operator):
    """Protects photos against identity-affiliation learning."""

    @property
    def config(self) -> foo.OperatorConfig:
        """The operator's configuration."""
        return foo.OperatorConfig(
            name="protect",
            label="Protect photos",
            description="Writes protected copies of photos and shows them beside the originals",
            icon="/assets/protect.svg",
            dynamic=True,
            execute_as_generator=True,
            allow_immediate_execution=True,
            allow_delegated_execution=True,
            # where the App cannot schedule, a default of scheduling would lead to a dead button
            default_choice_to_delegated=bool(fo.config.allow_legacy_orchestrators),
            risk_level="medium",
        )

    def resolve_placement(self, ctx: foo.ExecutionContext) -> types.Placement:
        """Returns a button above the grid."""
        return types.Placement(
            types.Places.SAMPLES_GRID_SECONDARY_ACTIONS,
            types.Button(label="Protect photos", icon="/assets/protect.svg", prompt=True),
        )

    def resolve_run_name(self, ctx: foo.ExecutionContext) -> str:
        """Returns the operation's name in FiftyOne's list of delegated operations."""
        return f"protect {said(ctx.params, 'run', '')}".strip()

    def resolve_input(self, ctx: foo.ExecutionContext) -> types.Property:
        """Returns the form."""
        inputs = types.Object()
        form = types.Property(
            inputs, view=types.PromptView(label="Protect photos", submit_button_label="Protect")
        )
        inputs.view_target(ctx, action_description="Protect")
        offer_own_photos(inputs, ctx.target_view(), ctx.params)
        view = photos_of(ctx.target_view(), ctx.params)
        filepath_field = said(ctx.params, "filepath_field", "filepath")
        if tell_problem(inputs, "view", view_problem(view, filepath_field)):
            return form
        name, problem = first_problem(view, ctx.params) or (None, None)
        add_inputs(inputs, view, ctx.params, problem_of=name)
        if not tell_problem(inputs, "settings", problem, below=name):
            cost = estimate_run(view, ctx.params)
            if not tell_problem(inputs, "disk", None if cost.fits else _too_little(cost)):
                add_notes(inputs, view, ctx.params)
                inputs.view("estimate", types.Notice(label=cost.sentence()))
        return form

    def execute(self, ctx: foo.ExecutionContext) -> Iterator[Any]:
        """Protects the photos."""
        from fiftyone_dp2vl.store import protect_dataset

        view = photos_of(ctx.target_view(), ctx.params)
        try:
            arguments = arguments_of(view, ctx.params)
            record = yield from stream(
                ctx,
                lambda report, cancel: protect_dataset(
                    view, progress=report, cancel=cancel, **arguments
                ),
                phases=_PHASES,
            )
        except DP2VLError as error:
            yield ctx.ops.notify(str(error), variant="error")
            raise
        counts = record.counts
        message = f"Run {record.run}: {counts['protected']} of {record.photos} photos protected"
        if counts["failed"]:
            message += f", {counts['failed']} failed: see field {record.names.error}"
        if record.output.format == "jpeg":
            message += f". JPEG is lossy: {record.names.linf} may exceed the budget"
        message += f". To see them, choose {record.names.path} as media field in the grid's options"
        yield ctx.ops.notify(message, variant="warning" if counts["failed"] else "success")
        yield ctx.ops.reload_dataset()

    def __call__(
        self, samples: Any, run: str | None = None, *, delegate: bool = False, **settings: Any
    ) -> Any:
        """Protects photos from Python.

        Args:
            samples: a FiftyOne dataset or view
            run (None): the run's name, by default that of an unfinished run of the same photos
                and settings, else ``run1``, ``run2``, ...
            delegate (False): whether to schedule the operation instead
            **settings: anything that :func:`fiftyone_dp2vl.store.protect_dataset` takes, for
                example ``ratio=0.5``; ``own_photos=True`` goes on with the photos that an
                unfinished run was begun with, whatever ``samples`` are

        Returns:
            the run's record as a dictionary; with ``delegate``, FiftyOne's execution result; in a
            notebook, where an event loop runs already, a task to ``await`` for it

        Raises:
            ConfigError: if the view or a setting will not do
        """
        params = {"run": run, **settings}
        filepath_field = said(params, "filepath_field", "filepath")
        # FiftyOne would say it too, as a traceback in an ExecutionError
        require_photos(samples, filepath_field)
        view = photos_of(samples.view(), params)
        if "epsilon" in params:  # in the form it is a text, so that it may be a name
            params["epsilon"] = str(params["epsilon"])
        _, problem = first_problem(view, params) or (None, None)
        if problem is not None:
            raise ConfigError(problem)
        params["run"] = name = arguments_of(view, params)["run"]
        result = foo.execute_operator(
            self.uri, view=view, params=params, request_delegation=delegate
        )
        if delegate:
            return awaited(result, lambda done: done)
        return awaited(result, lambda done: load_run(samples, name).to_dict())


def _too_little(cost: Any) -> str:
    return f"too little room: {cost.sentence()}; free some space or choose another folder"
