"""The ``analyse_run`` operator: a run as its surrogates and other encoders see it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import fiftyone.operators as foo
import fiftyone.operators.types as types

from fiftyone_dp2vl.errors import ConfigError, DP2VLError
from fiftyone_dp2vl.store.projection import has_umap
from fiftyone_dp2vl.store.records import ProtectionRun, list_runs

from .forms import awaited, choices, encoder_problem, said, tell_problem
from .streaming import stream


class AnalyseRun(foo.Operator):
    """Measures how far apart a run moved its photos."""

    @property
    def config(self) -> foo.OperatorConfig:
        """The operator's configuration."""
        return foo.OperatorConfig(
            name="analyse_run",
            label="Measure a protection run",
            description="Looks at a run through its surrogates or through other encoders",
            icon="/assets/clusters.svg",
            dynamic=True,
            execute_as_generator=True,
            allow_immediate_execution=True,
            allow_delegated_execution=True,
            risk_level="low",
            view_target=False,
        )

    def resolve_input(self, ctx: foo.ExecutionContext) -> types.Property:
        """Returns the form."""
        inputs = types.Object()
        form = types.Property(
            inputs,
            view=types.PromptView(label="Measure a protection run", submit_button_label="Measure"),
        )
        runs = _runs(ctx.dataset)
        if tell_problem(inputs, "runs", None if runs else "this dataset has no complete run"):
            return form
        inputs.str("run", default=next(reversed(runs)), label="Run", view=choices(runs))
        record = runs.get(said(ctx.params, "run", next(reversed(runs))))
        if record is None:
            tell_problem(inputs, "run", f"no such run: the runs are {', '.join(runs)}", below="run")
            return form
        inputs.list(
            "encoders",
            types.String(),
            default=list(record.protection.encoders),
            label="Encoders",
            description="The run's surrogates, or encoders it knew nothing of: whether the "
            "protection carries over to these is what an attacker with another model meets",
            view=choices(record.protection.encoders, own=True),
        )
        problems = map(encoder_problem, said(ctx.params, "encoders", None) or ())
        tell_problem(inputs, "encoders", next(filter(None, problems), None), below="encoders")
        if has_umap():
            inputs.bool("umap", default=False, label="Make UMAP plots too")
        return form

    def execute(self, ctx: foo.ExecutionContext) -> Iterator[Any]:
        """Measures the run."""
        from fiftyone_dp2vl.store.analysis import analyse_run

        params, dataset = ctx.params, ctx.dataset
        try:
            runs = _runs(dataset)
            if not runs:
                raise ConfigError("this dataset has no complete run")
            run = said(params, "run", next(reversed(runs)))
            measured = yield from stream(
                ctx,
                lambda report, cancel: analyse_run(
                    dataset,
                    run,
                    said(params, "encoders", None) or (),
                    umap=bool(params.get("umap")),
                    progress=report,
                    cancel=cancel,
                ),
            )
        except DP2VLError as error:
            yield ctx.ops.notify(str(error), variant="error")
            raise
        encoders = ", ".join(entry.encoder for entry in measured)
        yield ctx.ops.notify(f"Run {run} was measured with {encoders}", variant="success")
        yield ctx.ops.reload_dataset()

    def __call__(
        self,
        samples: Any,
        run: str,
        encoders: list[str] | None = None,
        umap: bool = False,
        delegate: bool = False,
    ) -> Any:
        """Measures a run from Python.

        Args:
            samples: a FiftyOne dataset or view
            run: the run's name
            encoders (None): registry names, by default the run's surrogates
            umap (False): whether to make UMAP plots too
            delegate (False): whether to schedule the operation instead

        Returns:
            a list of dictionaries, an encoder each; with ``delegate``, FiftyOne's execution result;
            in a notebook, where an event loop runs already, a task to ``await`` for it
        """
        from fiftyone_dp2vl.store.records import load_run
        from fiftyone_dp2vl.store.separation import load_separation

        params = {"run": run, "encoders": list(encoders or ()), "umap": umap}
        dataset = samples._root_dataset
        record = load_run(dataset, run)
        result = foo.execute_operator(
            self.uri, dataset=dataset, params=params, request_delegation=delegate
        )

        def stored(done: Any) -> list[dict[str, Any]]:
            found = load_separation(dataset, record)
            return [found[name].to_dict() for name in encoders or record.protection.encoders]

        return awaited(result, (lambda done: done) if delegate else stored)


def _runs(dataset: Any) -> dict[str, ProtectionRun]:
    return {record.run: record for record in list_runs(dataset) if record.state == "complete"}
