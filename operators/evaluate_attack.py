"""The ``evaluate_attack`` operator: what a model learns from the photos, before and after."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import fiftyone as fo
import fiftyone.operators as foo
import fiftyone.operators.types as types

from fiftyone_dp2vl.errors import ConfigError, DP2VLError
from fiftyone_dp2vl.store.evaluations import load_evaluation, next_evaluation_name
from fiftyone_dp2vl.store.photos import view_problem

from .evaluate_attack_form import (
    add_inputs,
    arguments_of,
    config_of,
    estimate,
    fine_tunes,
    first_problem,
)
from .forms import awaited, said, tell_problem
from .streaming import stream


class EvaluateAttack(foo.Operator):
    """Plays the attacker on a view's photos and shows what leaks."""

    @property
    def config(self) -> foo.OperatorConfig:
        """The operator's configuration."""
        return foo.OperatorConfig(
            name="evaluate_attack",
            label="Attack photos and report what leaks",
            description="Trains attackers on clean and protected photos and asks them about others",
            icon="/assets/evaluate_attack.svg",
            dynamic=True,
            execute_as_generator=True,
            allow_immediate_execution=True,
            allow_delegated_execution=True,
            resolve_execution_options_on_change=True,
            risk_level="low",
        )

    def resolve_execution_options(self, ctx: foo.ExecutionContext) -> foo.ExecutionOptions:
        """Proposes to schedule what fine-tunes a model, where the App can schedule."""
        long = fine_tunes(ctx.target_view(), ctx.params)
        return foo.ExecutionOptions(
            allow_immediate_execution=True,
            allow_delegated_execution=True,
            default_choice_to_delegated=long and bool(fo.config.allow_legacy_orchestrators),
        )

    def resolve_run_name(self, ctx: foo.ExecutionContext) -> str:
        """Returns the operation's name in FiftyOne's list of delegated operations."""
        return f"attack {said(ctx.params, 'evaluation', '')}".strip()

    def resolve_input(self, ctx: foo.ExecutionContext) -> types.Property:
        """Returns the form."""
        inputs = types.Object()
        form = types.Property(
            inputs,
            view=types.PromptView(
                label="Attack photos and report what leaks", submit_button_label="Attack"
            ),
        )
        inputs.view_target(ctx, action_description="Attack")
        view = ctx.target_view()
        if tell_problem(inputs, "view", view_problem(view)):
            return form
        add_inputs(inputs, view, ctx.params)
        name, problem = first_problem(view, ctx.params) or (None, None)
        if not tell_problem(inputs, "settings", problem, below=name):
            inputs.view("estimate", types.Notice(label=estimate(view, ctx.params)))
        return form

    def execute(self, ctx: foo.ExecutionContext) -> Iterator[Any]:
        """Attacks the photos."""
        from fiftyone_dp2vl.store import evaluate_attack_dataset

        view = ctx.target_view()
        try:
            arguments = arguments_of(view, ctx.params)
            config = config_of(view, ctx.params)
            yield from stream(
                ctx,
                lambda report, cancel: evaluate_attack_dataset(
                    view, config, progress=report, cancel=cancel, **arguments
                ),
            )
        except DP2VLError as error:
            yield ctx.ops.notify(str(error), variant="error")
            raise
        record = load_evaluation(view, arguments["evaluation"])
        summary = " ".join(record.summary)
        message = f"Evaluation {record.evaluation}: {summary} The report: {record.page}"
        yield ctx.ops.notify(message, variant="info")
        yield ctx.ops.reload_dataset()

    def __call__(
        self,
        samples: Any,
        identity: str | None = None,
        *,
        run: str | None = None,
        evaluation: str | None = None,
        delegate: bool = False,
        **settings: Any,
    ) -> Any:
        """Attacks photos from Python.

        Args:
            samples: a FiftyOne dataset or view
            identity (None): the field that says who is on a photo, by default guessed by name
            run (None): the protection to attack, by default none
            evaluation (None): a name, by default ``eval1``, ``eval2``, ...
            delegate (False): whether to schedule the operation instead
            **settings: fields and choices of photos, folders and device as
                :func:`fiftyone_dp2vl.store.evaluate_attack_dataset` takes them, but no
                ``questions`` and ``distractors``; and whatever
                :class:`~fiftyone_dp2vl.attack.settings.AttackConfig` takes, for example
                ``attackers=["embedded"]``; proxies may stand among the attackers

        Returns:
            the evaluation's record as a dictionary, in a notebook a task to ``await`` for it; with
            ``delegate``, FiftyOne's execution result

        Raises:
            ConfigError: if the view or a setting will not do
        """
        view = samples.view()
        params = {"evaluation": evaluation or next_evaluation_name(samples), **settings}
        if identity is not None:
            params["identity"] = identity
        if run is not None:
            params["run"] = run
        if "query" in params:  # in the form it is a text, so that it may be a share or a name
            params["query"] = str(params["query"])
        for name in ("attackers", "arms"):
            if isinstance(params.get(name), str):
                params[name] = [params[name]]
        # FiftyOne would say it too, as a traceback in an ExecutionError
        problem = view_problem(view)
        if problem is None:
            _, problem = first_problem(view, params) or (None, None)
        if problem is not None:
            raise ConfigError(problem)
        result = foo.execute_operator(
            self.uri, view=view, params=params, request_delegation=delegate
        )
        if delegate:
            return result
        return awaited(
            result, lambda done: load_evaluation(samples, params["evaluation"]).to_dict()
        )
