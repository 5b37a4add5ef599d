"""The ``audit_release`` operator: what a released folder gives away of this dataset."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fiftyone.operators as foo
import fiftyone.operators.types as types

from fiftyone_dp2vl.errors import ConfigError, DP2VLError
from fiftyone_dp2vl.release import KINDS
from fiftyone_dp2vl.store.photos import GROUP_KINDS, field_problem
from fiftyone_dp2vl.store.records import list_runs
from fiftyone_dp2vl.store.release.records import list_releases

from .forms import awaited, choices, fields_of, said, tell_problem, unknown_setting
from .streaming import stream

_SETTINGS = frozenset(
    ("run", "identity_field", "allow_unprotected", "keep_text", "signed_off_by", "device")
)
"""Parameters of :func:`fiftyone_dp2vl.audit_release` beside the folder and the dataset."""


class AuditRelease(foo.Operator):
    """Audits a folder against the dataset's clean originals."""

    @property
    def config(self) -> foo.OperatorConfig:
        """The operator's configuration."""
        return foo.OperatorConfig(
            name="audit_release",
            label="Audit a release",
            description="Says what a released folder gives away of this dataset",
            icon="/assets/audit.svg",
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
            inputs, view=types.PromptView(label="Audit a release", submit_button_label="Audit")
        )
        runs = [record.run for record in list_runs(ctx.dataset) if record.state == "complete"]
        none = None if runs else "this dataset has no complete protection run: protect photos first"
        if tell_problem(inputs, "runs", none):
            return form
        made = [release.directory for release in list_releases(ctx.dataset)]
        inputs.str(
            "directory",
            default=made[-1] if made else None,
            label="Folder of the release, on the App's machine",
            view=choices(reversed(made), own=True),
        )
        inputs.str("run", default=runs[-1], label="Protection run", view=choices(runs))
        inputs.int(
            "allow_unprotected",
            default=0,
            min=0,
            label="Photos without protection that may be there",
        )
        people = fields_of(ctx.dataset, GROUP_KINDS)
        if people:
            inputs.str(
                "identity_field",
                label="Who is on a photo",
                description="These names are looked for in the folder; default the run's",
                view=choices(people),
            )
        inputs.list(
            "keep_text",
            types.String(),
            label="Words that may stand there",
            view=choices(KINDS),
        )
        inputs.str("signed_off_by", label="Who answers for this audit")
        folder = said(ctx.params, "directory", made[-1] if made else "")
        if not folder or not Path(folder).expanduser().is_dir():
            tell_problem(inputs, "directory", "give the folder of a release", below="directory")
        name, problem = _first_problem(ctx.dataset, ctx.params) or (None, None)
        tell_problem(inputs, "settings", problem, below=name)
        return form

    def execute(self, ctx: foo.ExecutionContext) -> Iterator[Any]:
        """Audits the folder and writes the report beside it."""
        from fiftyone_dp2vl.store import audit_release

        folder = Path(ctx.params["directory"]).expanduser().absolute()
        given = {k: v for k, v in ctx.params.items() if k in _SETTINGS and v not in (None, "", [])}
        try:
            _, problem = _first_problem(ctx.dataset, ctx.params) or (None, None)
            if problem is not None:
                raise ConfigError(problem)
            report = yield from stream(
                ctx,
                lambda tell, cancel: audit_release(
                    folder,
                    ctx.dataset,
                    progress=tell,
                    cancel=cancel,
                    **given,
                ),
                phases={"index": (0.0, 0.4), "audit": (0.4, 1.0)},
            )
        except DP2VLError as error:
            yield ctx.ops.notify(str(error), variant="error")
            raise
        path = folder.with_name(f"{folder.name}.audit.json")
        report.save(path)
        shown = "; ".join([report.summary(), *report.notes, f"see {path.with_suffix('.html')}"])
        yield ctx.ops.notify(
            shown[:1].upper() + shown[1:], variant="success" if report.passed else "error"
        )

    def __call__(self, samples: Any, directory: str | Path, **settings: Any) -> Any:
        """Audits a folder from Python; the report is written beside it.

        For the report itself call :func:`fiftyone_dp2vl.audit_release`.

        Args:
            samples: a FiftyOne dataset or view; all of the dataset counts
            directory: the folder
            **settings: ``run``, ``identity_field``, ``allow_unprotected``, ``keep_text``,
                ``signed_off_by`` and ``device``, as :func:`fiftyone_dp2vl.audit_release` takes them

        Returns:
            None; in a notebook, a task to ``await`` for the end

        Raises:
            ConfigError: if a setting is unknown or will not do
        """
        params = {"directory": str(directory), **settings}
        if "keep_text" in params:
            params["keep_text"] = list(params["keep_text"])
        # FiftyOne would say it too, as a traceback in an ExecutionError
        _, problem = _first_problem(samples, params) or (None, None)
        if problem is not None:
            raise ConfigError(problem)
        result = foo.execute_operator(self.uri, dataset=samples._root_dataset, params=params)
        return awaited(result, lambda done: None)


def _first_problem(dataset: Any, params: dict[str, Any]) -> tuple[str, str] | None:
    """Returns what is wrong with the parameters: an input's name and one sentence; or None."""
    unknown = unknown_setting(params, {"directory", *_SETTINGS})
    if unknown is not None:
        known = ", ".join(sorted(_SETTINGS))
        return unknown, f"unknown setting {unknown!r}: the settings are {known}"
    problem = field_problem(dataset, said(params, "identity_field", None), GROUP_KINDS)
    return ("identity_field", problem) if problem is not None else None
