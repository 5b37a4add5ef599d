"""The ``compute_embeddings`` operator: pooled embeddings of photos, as a field."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import fiftyone.operators as foo
import fiftyone.operators.types as types

from fiftyone_dp2vl.config import require_count
from fiftyone_dp2vl.errors import ConfigError, DP2VLError
from fiftyone_dp2vl.store.names import clean_field
from fiftyone_dp2vl.store.photos import field_kind, view_problem

from .forms import awaited, choices, encoder_problem, said, tell_fetching, tell_problem
from .streaming import stream

_DEFAULT_ENCODER = "embedded"


class ComputeEmbeddings(foo.Operator):
    """Stores an encoder's embedding of every photo of a view."""

    @property
    def config(self) -> foo.OperatorConfig:
        """The operator's configuration."""
        return foo.OperatorConfig(
            name="compute_embeddings",
            label="Compute photo embeddings",
            description="Stores an encoder's embedding of every photo in a field",
            icon="/assets/embeddings.svg",
            dynamic=True,
            execute_as_generator=True,
            allow_immediate_execution=True,
            allow_delegated_execution=True,
            risk_level="low",
        )

    def resolve_input(self, ctx: foo.ExecutionContext) -> types.Property:
        """Returns the form."""
        inputs = types.Object()
        inputs.view_target(ctx, action_description="Embed")
        form = types.Property(inputs, view=types.View(label="Compute photo embeddings"))
        if tell_problem(inputs, "view", view_problem(ctx.target_view())):
            return form
        encoder = said(ctx.params, "encoder", _DEFAULT_ENCODER)
        inputs.str(
            "encoder",
            default=_DEFAULT_ENCODER,
            label="Encoder",
            description="A name, or a prefix and a model: hf:google/siglip2-so400m-patch14-384",
            view=choices([_DEFAULT_ENCODER], own=True),
        )
        only_here = bool(ctx.params.get("local_files_only"))
        problem = encoder_problem(encoder, local_files_only=only_here)
        if not tell_problem(inputs, "encoder", problem):
            tell_fetching(inputs, [encoder])
        inputs.str(
            "field",
            label="Field",
            description=f"Where to store them; {clean_field(encoder)} if left empty",
        )
        field = said(ctx.params, "field", clean_field(encoder))
        tell_problem(inputs, "field", _field_problem(ctx.target_view(), field))
        inputs.int("batch_size", default=32, min=1, label="Photos in one forward pass, at most")
        tell_problem(inputs, "batch_size", _size_problem(said(ctx.params, "batch_size", None)))
        inputs.bool(
            "overwrite",
            default=False,
            label="Compute again",
            description="By default photos that have an embedding already are skipped",
        )
        inputs.bool("local_files_only", default=False, label="Never fetch models from the hub")
        if not any(prop.invalid for prop in inputs.properties.values()):
            overwrite = bool(ctx.params.get("overwrite"))
            cost = _estimate(ctx.target_view(), encoder, field=field, overwrite=overwrite)
            inputs.view("estimate", types.Notice(label=cost))
        return form

    def execute(self, ctx: foo.ExecutionContext) -> Iterator[Any]:
        """Computes the embeddings."""
        from fiftyone_dp2vl.store import compute_embeddings

        view, params = ctx.target_view(), ctx.params
        try:
            done = yield from stream(
                ctx,
                lambda report, cancel: compute_embeddings(
                    view,
                    said(params, "encoder", _DEFAULT_ENCODER),
                    field=said(params, "field", None),
                    batch_size=said(params, "batch_size", 32),
                    overwrite=bool(params.get("overwrite")),
                    local_files_only=bool(params.get("local_files_only")),
                    progress=report,
                    cancel=cancel,
                ),
            )
        except DP2VLError as error:
            yield ctx.ops.notify(str(error), variant="error")
            raise
        message = f"{done.computed} photos embedded in field {done.field}"
        if done.failed:
            message += f"; {len(done.failed)} could not be read: {next(iter(done.failed.values()))}"
        yield ctx.ops.notify(message, variant="warning" if done.failed else "success")
        yield ctx.ops.reload_dataset()

    def __call__(
        self,
        samples: Any,
        encoder: str = _DEFAULT_ENCODER,
        field: str | None = None,
        batch_size: int = 32,
        overwrite: bool = False,
        delegate: bool = False,
        local_files_only: bool = False,
    ) -> Any:
        """Computes embeddings from Python.

        Args:
            samples: a FiftyOne dataset or view
            encoder ("embedded"): an encoder's name
            field (None): where to store them, ``dp2vl_<encoder>_clean`` by default
            batch_size (32): photos in one forward pass, at most
            overwrite (False): whether to compute again what is there
            delegate (False): whether to schedule the operation instead
            local_files_only (False): whether to load the encoder from this machine's files only

        Returns:
            the field's name; with ``delegate``, FiftyOne's execution result; in a notebook, where
            an event loop runs already, a task to ``await`` for it

        Raises:
            ConfigError: if the view, the encoder, the field or the batch's size will not do
        """
        problem = (
            view_problem(samples)
            or encoder_problem(encoder, local_files_only=local_files_only)
            or _field_problem(samples, field or clean_field(encoder))
            or _size_problem(batch_size)
        )
        if problem is not None:
            raise ConfigError(problem)
        params = {
            "encoder": encoder,
            "batch_size": batch_size,
            "overwrite": overwrite,
            "local_files_only": local_files_only,
        }
        if field is not None:
            params["field"] = field
        result = foo.execute_operator(
            self.uri, view=samples.view(), params=params, request_delegation=delegate
        )
        stored = field or clean_field(encoder)
        return awaited(result, lambda done: done if delegate else stored)


def _estimate(view: Any, encoder: str, *, field: str, overwrite: bool) -> str:
    from fiftyone_dp2vl.store.embedding_estimates import estimate_embeddings

    return estimate_embeddings(view, encoder, field=field, overwrite=overwrite)


def _field_problem(view: Any, name: str) -> str | None:
    """Returns one sentence if a field holds something else than vectors, or None."""
    # a view may hide the field, which is there nevertheless
    kind = field_kind(view._root_dataset, name)
    if kind in (None, "VectorField"):
        return None
    return f"field {name!r} holds {kind} values: choose another field"


def _size_problem(batch_size: Any) -> str | None:
    """Returns one sentence if photos cannot be taken by so many, or None."""
    try:
        require_count("batch_size", batch_size)
    except ConfigError as error:
        return str(error)
    return None
