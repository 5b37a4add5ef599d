"""The ``export_release`` operator: a folder that can be shared, and that was audited before."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import fiftyone as fo
import fiftyone.operators as foo
import fiftyone.operators.types as types

from fiftyone_dp2vl.errors import ConfigError, DP2VLError
from fiftyone_dp2vl.release import read_passphrase
from fiftyone_dp2vl.store.photos import view_problem
from fiftyone_dp2vl.store.records import list_runs
from fiftyone_dp2vl.store.release.records import list_releases

from .export_release_form import (
    add_inputs,
    add_plan,
    arguments_of,
    default_directory,
    first_problem,
    plan_of,
)
from .forms import awaited, said, tell_problem
from .streaming import stream

_PHASES = {"copy": (0.0, 0.2), "seal": (0.2, 0.4), "index": (0.4, 0.6), "audit": (0.6, 1.0)}


class ExportRelease(foo.Operator):
    """Exports the protected photos of a run, and nothing else."""

    @property
    def config(self) -> foo.OperatorConfig:
        """The operator's configuration."""
        return foo.OperatorConfig(
            name="export_release",
            label="Export a release",
            description="Writes a folder to share: protected photos, chosen fields, nothing else",
            icon="/assets/release.svg",
            dynamic=True,
            execute_as_generator=True,
            allow_immediate_execution=True,
            allow_delegated_execution=True,
            # where the App cannot schedule, a default of scheduling would lead to a dead button
            default_choice_to_delegated=bool(fo.config.allow_legacy_orchestrators),
            # what was shared cannot be taken back
            risk_level="high",
        )

    def resolve_run_name(self, ctx: foo.ExecutionContext) -> str:
        """Returns the operation's name in FiftyOne's list of delegated operations."""
        return f"export_release {said(ctx.params, 'directory', '')}".strip()

    def resolve_input(self, ctx: foo.ExecutionContext) -> types.Property:
        """Returns the form."""
        inputs = types.Object()
        form = types.Property(
            inputs, view=types.PromptView(label="Export a release", submit_button_label="Export")
        )
        inputs.view_target(ctx, action_description="Release")
        view = ctx.target_view()
        if tell_problem(inputs, "view", view_problem(view) or _run_problem(view)):
            return form
        add_inputs(inputs, view, ctx.params)
        try:
            plan = plan_of(view, ctx.params)
        except DP2VLError as error:
            tell_problem(inputs, "settings", str(error), below="fields")
            return form
        add_plan(inputs, plan, ctx.params)
        name, problem = first_problem(view, plan, ctx.params) or (None, None)
        if not tell_problem(inputs, "settings", problem, below=name):
            inputs.view("about", types.Notice(label=_sentence(len(plan.protected))))
        return form

    def execute(self, ctx: foo.ExecutionContext) -> Iterator[Any]:
        """Makes the release."""
        from fiftyone_dp2vl.store import export_release

        view = ctx.target_view()
        try:
            plan = plan_of(view, ctx.params)
            if ctx.params.get("unprotected") == "show":
                yield ctx.ops.set_view(view.select(list(plan.unprotected)))
                yield ctx.ops.notify(
                    f"These {len(plan.unprotected)} photos are not protected by run "
                    f"{plan.record.run}; nothing was released",
                    variant="info",
                )
                return
            arguments = arguments_of(view, plan, ctx.params)
            if ctx.params.get("restoration"):
                arguments["passphrase"] = read_passphrase(
                    said(ctx.params, "passphrase_file", None), ask=False
                )
            release = yield from stream(
                ctx,
                lambda report, cancel: export_release(
                    view, progress=report, cancel=cancel, **arguments
                ),
                phases=_PHASES,
            )
        except DP2VLError as error:
            yield ctx.ops.notify(str(error), variant="error")
            raise
        message = (
            f"{release.photos} photos released in {release.directory}; the audit found nothing"
        )
        if release.unprotected:
            message += f"; {release.unprotected} of them are not protected, as was confirmed"
        message = "; ".join((message, *plan.notes))
        careful = release.unprotected or plan.notes
        yield ctx.ops.notify(message, variant="warning" if careful else "success")

    def __call__(
        self, samples: Any, directory: str | None = None, *, delegate: bool = False, **settings: Any
    ) -> Any:
        """Exports a release from Python.

        Args:
            samples: a FiftyOne dataset or view
            directory (None): a new folder, by default below FiftyOne's dataset directory
            delegate (False): whether to schedule the operation instead
            **settings: anything that :func:`fiftyone_dp2vl.store.export_release` takes, but no
                passphrase; ``restoration=True`` with ``passphrase_file`` or the variable
                ``DP2VL_PASSPHRASE`` writes a sidecar

        Returns:
            the release's record as a dictionary, in a notebook a task to ``await`` for it; with
            ``delegate``, FiftyOne's execution result

        Raises:
            ConfigError: if the view or a setting will not do, or something is to be decided
        """
        view = samples.view()
        params = {"directory": str(directory or default_directory(view)), **settings}
        problem = view_problem(view) or _run_problem(view)
        if problem is None:
            _, problem = first_problem(view, plan_of(view, params), params) or (None, None)
        if problem is not None:
            raise ConfigError(problem)
        result = foo.execute_operator(
            self.uri, view=view, params=params, request_delegation=delegate
        )
        if delegate:
            return result
        return awaited(result, lambda done: vars(list_releases(samples)[-1]))


def _run_problem(view: Any) -> str | None:
    if any(record.state == "complete" for record in list_runs(view)):
        return None
    return "this dataset has no complete protection run: protect photos first"


def _sentence(protected: int) -> str:
    return (
        f"{protected} protected photos go under neutral names, without metadata. The folder is "
        "audited before it appears; what was shared cannot be taken back"
    )
