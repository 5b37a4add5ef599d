"""The form of the ``protect`` operator: its inputs, what is wrong with them, what they cost."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import fiftyone.operators.types as types

from fiftyone_dp2vl.config import BUDGETS, OutputConfig, ProtectionConfig, SelectionConfig
from fiftyone_dp2vl.errors import ConfigError, DP2VLError
from fiftyone_dp2vl.store.names import RunNames, check_run_name
from fiftyone_dp2vl.store.photos import (
    GROUP_KINDS,
    MASK_KINDS,
    field_problem,
    fields_of,
    obvious_group_field,
)
from fiftyone_dp2vl.store.records import list_runs, next_run_name
from fiftyone_dp2vl.store.settings import Settings, check_means, split_settings

from .forms import choices, encoder_problem, tell_fetching, unknown_setting

__all__ = [
    "add_inputs",
    "add_notes",
    "arguments_of",
    "estimate_run",
    "first_problem",
]

_SETTINGS = frozenset(
    field.name
    for kind in (ProtectionConfig, SelectionConfig, OutputConfig)
    for field in fields(kind)
)
_MEANS = ("device", "batch_size", "workers")
_CALL = frozenset(
    (
        *("run", "output_dir", "filepath_field", "group_field", "mask_field"),
        *(*_MEANS, "local_files_only"),
    )
)
"""Parameters of ``protect_dataset`` beside the settings."""

_FORM_ONLY = frozenset(("advanced", "own_photos"))


def photos_of(view: Any, params: dict[str, Any]) -> Any:
    """Returns the photos that parameters ask for: a view's, or those that a run was begun with.

    Args:
        view: the grid's
        params: what the form holds
    """
    from fiftyone_dp2vl.store.unfinished import begun_photos

    own = begun_photos(view, params.get("run")) if params.get("own_photos") else None
    return view if own is None else own


def offer_own_photos(inputs: types.Object, view: Any, params: dict[str, Any]) -> None:
    """Adds the choice of :func:`photos_of`, where there is one.

    A run may have been begun with a selection that nobody remembers.
    """
    from fiftyone_dp2vl.store.unfinished import begun_photos

    own = begun_photos(view, params.get("run"))
    if own is not None:
        label = f"Go on with the {len(own)} photos that run {params['run']} was begun with"
        inputs.bool("own_photos", default=False, label=label)


def add_inputs(
    inputs: types.Object, view: Any, params: dict[str, Any], *, problem_of: str | None = None
) -> None:
    """Adds the inputs for a view.

    Args:
        inputs: the form
        view: the photos
        params: what the form holds
        problem_of: the input that something is wrong with, which is then shown
    """
    defaults = ProtectionConfig()
    obvious = obvious_group_field(view)
    inputs.str(
        "run",
        # a form that opens holds nothing yet, and then at once what it proposes here
        default=_proposed_run(view, {"group_field": obvious, **params}),
        label="Run",
        description="A name for this protection; its fields are named after it",
    )
    inputs.float(
        "ratio",
        default=1.0,
        min=0,
        max=1,
        label="Share of the photos to protect",
        description="From 0 to 1. A few clean photos can be enough to learn a person from",
    )
    budget = choices(BUDGETS, own=True)
    inputs.str(
        "epsilon",
        default="standard",
        label="Budget",
        description="Largest change of a pixel: "
        + ", ".join(f"{name} ({size:g}/255)" for name, size in BUDGETS.items())
        + ", or a number in 1/255",
        view=budget,
    )
    group_fields = fields_of(view, GROUP_KINDS)
    group_field = params.get("group_field")
    if group_fields:
        inputs.str(
            "group_field",
            default=obvious,
            label="Who is on a photo",
            description="The field that names the person; several people are protected better with "
            "their names",
            view=choices(group_fields),
        )
        if group_field:
            inputs.bool(
                "stratify", default=False, label="Protect the same share of every person's photos"
            )
    inputs.bool("advanced", default=False, label="More settings")
    own_strategy = params.get("strategy") not in (None, "", defaults.strategy)
    if not params.get("advanced"):
        if own_strategy or problem_of == "strategy":
            _add_strategy(inputs)
        return
    inputs.list(
        "encoders",
        types.String(),
        default=list(defaults.encoders),
        label="Surrogate encoders",
        description="Photos are moved in these encoders' eyes; name the attacker's if you know it",
        view=choices(["embedded"], own=True),
    )
    _add_strategy(inputs)
    inputs.int("steps", default=defaults.steps, min=1, label="Optimisation steps")
    mask_fields = fields_of(view, MASK_KINDS)
    if mask_fields:
        inputs.str(
            "mask_field",
            label="Only change what is marked by",
            description="Detections or segmentations; empty for whole photos",
            view=choices(mask_fields),
        )
    output = types.RadioGroup(orientation="horizontal")
    output.add_choice("png", label="PNG")
    output.add_choice("webp", label="WebP, lossless")
    output.add_choice("jpeg", label="JPEG, which weakens the protection")
    inputs.enum("format", output.values(), default="png", label="Files", view=output)
    policy = types.RadioGroup(orientation="horizontal")
    policy.add_choice("strip", label="Remove all")
    policy.add_choice("keep-no-gps", label="Keep all but the place")
    policy.add_choice("keep", label="Keep all")
    inputs.enum("metadata", policy.values(), default="strip", label="Metadata", view=policy)
    inputs.str(
        "output_dir",
        label="Folder for the protected files",
        description="Beside the originals' folder, never inside it; chosen for you if empty",
    )
    inputs.int("seed", default=0, label="Seed", description="Of all that is random")
    inputs.bool("local_files_only", default=False, label="Never fetch models from the hub")


def _add_strategy(inputs: types.Object) -> None:
    from fiftyone_dp2vl.protection import list_strategies

    strategy, default = types.DropdownView(), ProtectionConfig().strategy
    for name, text in sorted(list_strategies().items(), key=lambda entry: entry[0] != default):
        strategy.add_choice(name, label=name, description=text)
    inputs.enum(
        "strategy",
        strategy.values(),
        default=default,
        label="Strategy",
        view=strategy,
    )


def add_notes(inputs: types.Object, view: Any, params: dict[str, Any]) -> None:
    """Adds what is worth knowing about parameters with which nothing is wrong."""
    from fiftyone_dp2vl.runs.beforehand import nameless_note
    from fiftyone_dp2vl.store.chosen import groups_chosen

    arguments, settings = arguments_of(view, params), settings_of(view, params)
    groups = groups_chosen(view, settings.selection, arguments.get("group_field"))
    how = "choose a field that says who is on a photo"
    note = nameless_note(settings.protection, groups, how)
    if note is not None:
        inputs.view("nameless", types.Notice(label=note[:1].upper() + note[1:]))
    tell_fetching(inputs, settings.protection.encoders)
    earlier = {record.run: record for record in list_runs(view)}.get(arguments["run"])
    if earlier is not None:
        label = f"Run {earlier.run} was not finished: this goes on with it"
        inputs.view("unfinished", types.Notice(label=label))


def arguments_of(view: Any, params: dict[str, Any]) -> dict[str, Any]:
    """Returns the arguments of ``protect_dataset`` that parameters stand for.

    Raises:
        ConfigError: if a parameter is unknown
    """
    unknown = unknown_setting(params, _SETTINGS | _CALL | _FORM_ONLY)
    if unknown is not None:
        known = ", ".join(sorted(_SETTINGS | _CALL))
        raise ConfigError(f"unknown setting {unknown!r}: the settings are {known}")
    arguments = {
        name: value
        for name, value in params.items()
        if name in _SETTINGS | _CALL and value not in (None, "", [])
    }
    arguments.setdefault("run", _proposed_run(view, params))
    return arguments


def _proposed_run(view: Any, params: dict[str, Any]) -> str:
    """Returns the name of a run that is not named."""
    from fiftyone_dp2vl.store.unfinished import proposed_run

    given = {name: value for name, value in params.items() if value not in (None, "", [])}
    try:
        settings = split_settings({name: given[name] for name in given if name in _SETTINGS})
    except DP2VLError:
        return next_run_name(view)
    asked = ("output_dir", "filepath_field", "group_field", "mask_field")
    return proposed_run(view, settings, **{name: given[name] for name in asked if name in given})


def settings_of(view: Any, params: dict[str, Any]) -> Settings:
    """Returns the configurations that parameters stand for.

    Raises:
        ConfigError: if one is out of range
    """
    return split_settings(
        {k: v for k, v in params.items() if k in _SETTINGS and v not in (None, "", [])}
    )


def first_problem(view: Any, params: dict[str, Any]) -> tuple[str, str] | None:
    """Returns what is wrong with the parameters: an input's name and one sentence; or None."""
    from fiftyone_dp2vl.runs.beforehand import strategy_problem
    from fiftyone_dp2vl.store.protect import output_problem, run_problem
    from fiftyone_dp2vl.store.unfinished import is_begun

    try:
        arguments = arguments_of(view, params)
        run = check_run_name(arguments["run"])
    except DP2VLError as error:
        return "run", str(error)
    try:
        settings = settings_of(view, params)
        check_means(**{name: arguments.get(name) for name in _MEANS})
    except DP2VLError as error:
        # these sentences begin with the setting's name
        return str(error).split()[0], str(error)
    encoders = settings.protection.encoders
    only_here = bool(arguments.get("local_files_only"))
    names = RunNames(run, encoders)
    asked = (_filepath(arguments), arguments.get("group_field"), arguments.get("mask_field"))
    about_encoders = (encoder_problem(name, local_files_only=only_here) for name in encoders)
    group_problem = field_problem(view, arguments.get("group_field"), GROUP_KINDS)
    begun = any(record.run == run and is_begun(record) for record in list_runs(view))
    found = (
        ("run", run_problem(view, run, names, settings, asked)),
        ("encoders", next(filter(None, about_encoders), None)),
        ("group_field", group_problem),
        ("strategy", strategy_problem(settings.protection)),
        *(
            ()
            if group_problem or begun
            else _about_people(view, settings, arguments.get("group_field"))
        ),
        ("mask_field", field_problem(view, arguments.get("mask_field"), MASK_KINDS)),
        (
            "output_dir",
            output_problem(view, run, arguments.get("output_dir"), _filepath(arguments)),
        ),
    )
    return next(((name, problem) for name, problem in found if problem), None)


def _about_people(
    view: Any, settings: Settings, group_field: str | None
) -> Iterator[tuple[str, str | None]]:
    """Yields what is wrong with drawing within groups and with a known strategy, if anything."""
    from fiftyone_dp2vl.protection import list_strategies
    from fiftyone_dp2vl.runs.beforehand import people_problem
    from fiftyone_dp2vl.store.chosen import groups_chosen

    try:
        groups = groups_chosen(view, settings.selection, group_field)
    except ConfigError as error:
        yield "stratify", str(error)
        return
    if settings.protection.strategy in list_strategies():
        yield "strategy", people_problem(settings.protection, groups)


def estimate_run(view: Any, params: dict[str, Any]) -> Any:
    """Returns what the run would cost; see :mod:`fiftyone_dp2vl.store.estimates`."""
    from fiftyone_dp2vl.store import estimates
    from fiftyone_dp2vl.store.protect import default_output_dir

    arguments = arguments_of(view, params)
    folder = arguments.get("output_dir") or default_output_dir(view._root_dataset, arguments["run"])
    return estimates.estimate_run(
        view,
        settings_of(view, params),
        directory=Path(folder).expanduser(),
        filepath_field=_filepath(arguments),
        group_field=arguments.get("group_field"),
    )


def _filepath(arguments: dict[str, Any]) -> str:
    return str(arguments.get("filepath_field", "filepath"))
