"""Parts that the operators' forms share."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, TypeVar

import fiftyone.operators as foo
import fiftyone.operators.types as types

from fiftyone_dp2vl.store.photos import fields_of

__all__ = [
    "awaited",
    "choices",
    "chosen_record",
    "encoder_problem",
    "fields_of",
    "said",
    "tell_deleted",
    "tell_fetching",
    "tell_problem",
    "unknown_setting",
]

T = TypeVar("T")

_OF_THE_APP = frozenset(("panel_id", "panel_state", "view_target"))
"""What the App puts among a form's parameters, the first two where a panel opened the form."""


def unknown_setting(params: Iterable[str], known: Collection[str]) -> str | None:
    """Returns the name of a parameter that is none of an operator's, or None.

    Args:
        params: names of the parameters
        known: the operator's
    """
    return min(set(params) - set(known) - _OF_THE_APP, default=None)


def tell_problem(
    inputs: types.Object, name: str, problem: str | None, *, below: str | None = None
) -> bool:
    """Shows a problem in the form and keeps it from being executed.

    Args:
        inputs: the form
        name: a distinct name of the message
        problem: one sentence, or None where all is well
        below: the input that it is about, if the form has it; else it comes last

    Returns:
        whether there is a problem
    """
    if problem is None:
        return False
    shown = problem[:1].upper() + problem[1:]
    prop = inputs.view(f"problem_{name}", types.Error(label=shown))
    prop.invalid = True
    prop.error_message = problem
    if below in inputs.properties:
        order = [key for key in inputs.properties if inputs.properties[key] is not prop]
        order.insert(order.index(below) + 1, f"problem_{name}")
        inputs.properties = {key: inputs.properties[key] for key in order}
    return True


def choices(values: Iterable[str], *, own: bool = False) -> types.AutocompleteView:
    """Returns a text input with suggestions.

    Args:
        values: the suggestions
        own: whether other values may be typed too
    """
    view = types.AutocompleteView(allow_user_input=own, allow_duplicates=False)
    for value in values:
        view.add_choice(value, label=value)
    return view


def chosen_record(
    inputs: types.Object, params: dict[str, Any], name: str, records: Mapping[str, T], none: str
) -> T | None:
    """Adds the choice of a record to a form.

    Args:
        inputs: the form
        params: what the form holds
        name: of the input, what a record is called
        records: by name
        none: one sentence for a dataset without any

    Returns:
        the chosen one, by default the first; None after the form was told why there is none
    """
    if tell_problem(inputs, name, None if records else none):
        return None
    first = next(iter(records))
    inputs.str(name, default=first, required=True, label=name.capitalize(), view=choices(records))
    chosen = params.get(name, first)
    if chosen not in records:
        tell_problem(inputs, name, f"no {name} {chosen!r}: there are {', '.join(records)}")
    return records.get(chosen)


def said(params: dict[str, Any], name: str, default: Any) -> Any:
    """Returns a parameter, or its default where it is absent or was emptied in the form."""
    value = params.get(name)
    return default if value is None or value == "" else value


def tell_deleted(ctx: foo.ExecutionContext, what: str, kept: str | None) -> None:
    """Notifies of a deletion, and shows the dataset without what was deleted.

    Args:
        ctx: the operator's
        what: was deleted, the beginning of a sentence
        kept: one sentence that says why files were kept, or None
    """
    text, variant = f"{what} was deleted", "success"
    if kept is not None:
        text, variant = f"{text}; {kept}", "warning"
    ctx.ops.notify(text, variant=variant)
    ctx.ops.reload_dataset()


def encoder_problem(name: str, *, local_files_only: bool = False) -> str | None:
    """Returns one sentence that says why an encoder cannot be used, as far as names and files tell.

    Loading it is left to the run: a form must answer at once.

    Args:
        name: the encoder's
        local_files_only: whether a model that would have to be fetched will not do
    """
    from fiftyone_dp2vl.encoders.beforehand import hub_is_off, missing_model, name_problem

    problem = name_problem(name)
    if problem is None and (local_files_only or hub_is_off()):
        problem = missing_model(name)
    return problem


def tell_fetching(inputs: types.Object, encoders: Iterable[str]) -> None:
    """Says in the form which encoders the run would fetch from the hub.

    Args:
        inputs: the form
        encoders: names of which :func:`encoder_problem` knows nothing bad
    """
    from fiftyone_dp2vl.encoders.beforehand import missing_model

    missing = [name for name in encoders if missing_model(name)]
    if missing:
        label = f"Not on this machine, to be fetched from the model hub: {', '.join(missing)}"
        inputs.view("fetching", types.Notice(label=label))


def awaited(result: Any, shape: Callable[[Any], T]) -> T | asyncio.Task[T]:
    """Returns what an execution came to.

    Args:
        result: what ``foo.execute_operator`` returned; where an event loop runs already, as in a
            notebook, that is a task
        shape: from the execution's result to what the operator returns

    Returns:
        what ``shape`` returns, or in a notebook a task to ``await`` for it
    """
    if not isinstance(result, asyncio.Task):
        return shape(result)

    async def wait() -> T:
        done = await result
        done.raise_exceptions()
        return shape(done)

    return asyncio.get_running_loop().create_task(wait())
