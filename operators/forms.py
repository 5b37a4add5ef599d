"""Parts that the operators' forms share."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import fiftyone.operators.types as types

from fiftyone_dp2vl.store.photos import field_kind

__all__ = [
    "choices",
    "chosen_record",
    "encoder_problem",
    "fields_of",
    "said",
    "tell_problem",
    "unset_to_none",
]

T = TypeVar("T")


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


def fields_of(view: Any, kinds: tuple[str, ...]) -> list[str]:
    """Returns a view's top-level fields of given classes that are not the plugin's own."""
    hidden = ("dp2vl_", "_")
    names = [name for name in view.get_field_schema() if not name.startswith(hidden)]
    own = ("filepath", "id", "media_type")
    return [name for name in names if name not in own and field_kind(view, name) in kinds]


def said(params: dict[str, Any], name: str, default: Any) -> Any:
    """Returns a parameter, or its default where it is absent or was emptied in the form."""
    value = params.get(name)
    return default if value is None or value == "" else value


def unset_to_none(value: Any) -> Any:
    """Returns None for what an emptied input leaves behind."""
    return None if value in ("", [], {}) else value


def encoder_problem(name: str) -> str | None:
    """Returns one sentence that says why an encoder cannot be used, as far as names tell.

    Loading it is left to the run: a form must answer at once.
    """
    from fiftyone_dp2vl.encoders import list_encoders

    body = name.partition("?")[0]
    prefix, colon, target = body.partition(":")
    listing = {entry.name: entry for entry in list_encoders()}.get(prefix + colon)
    if listing is None:
        known = ", ".join(entry.name for entry in list_encoders())
        return f"no encoder is called {name!r}: the names are {known}"
    if not listing.ready:
        return f"encoder {name!r} is not installed: the doctor operator says how to bring it"
    if colon and not target:
        return f"{name!r} names no model: give {listing.description} after the colon"
    looks_local = target.startswith(("/", "~", ".")) or prefix == "local"
    if looks_local and not Path(target).expanduser().exists():
        return f"encoder {name!r} names a folder that does not exist"
    return None
