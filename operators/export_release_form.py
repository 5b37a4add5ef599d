"""The form of ``export_release``: what would leave, what speaks against it, what is decided."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import fiftyone as fo
import fiftyone.operators.types as types

from fiftyone_dp2vl.errors import ConfigError, DP2VLError
from fiftyone_dp2vl.store.photos import GROUP_KINDS, field_problem
from fiftyone_dp2vl.store.records import list_runs
from fiftyone_dp2vl.store.release.fields import release_fields
from fiftyone_dp2vl.store.release.formats import FORMATS
from fiftyone_dp2vl.store.release.plan import (
    ReleasePlan,
    plan_release,
    settle_unprotected,
    target_problem,
)
from fiftyone_dp2vl.store.release.text import TextChoices, TextListing

from .forms import choices, fields_of, said, unknown_setting

__all__ = [
    "add_inputs",
    "add_plan",
    "arguments_of",
    "default_directory",
    "first_problem",
    "plan_of",
]

_CALL = frozenset(
    (
        *("directory", "run", "format", "fields", "unprotected", "confirm_unprotected", "text"),
        *("identity_field", "sidecar", "signed_off_by", "device"),
    )
)
"""Parameters of ``export_release``; what is done with words may also be said one by one."""

_FORM_ONLY = frozenset(("restoration", "passphrase_file"))
_WORDS = "words_"
_DROP = "Drop what carries it"


def add_inputs(inputs: types.Object, view: Any, params: dict[str, Any]) -> None:
    """Adds what can be asked before anything is looked at."""
    runs = [record.run for record in list_runs(view) if record.state == "complete"]
    inputs.str("run", default=runs[-1], label="Protection run", view=choices(runs))
    form = types.DropdownView()
    for made in FORMATS.values():
        form.add_choice(made.name, label=made.name, description=made.description)
    inputs.enum("format", form.values(), default="directory", label="Format", view=form)
    made = FORMATS.get(said(params, "format", "directory"))
    if made is None or made.fields != "none":
        inputs.list(
            "fields",
            types.String(),
            label="Fields that go with the photos",
            description="Everything else stays; of a label only its class and its geometry go",
            view=choices(release_fields(view)),
        )
        people = fields_of(view, GROUP_KINDS)
        if people:
            inputs.str(
                "identity_field",
                label="Who is on a photo",
                description="These names are looked for in the chosen fields; default the run's",
                view=choices(people),
            )
    inputs.str(
        "directory",
        default=default_directory(view),
        label="New folder for the release",
        description="Beside the originals' folder, never inside it",
    )


def add_plan(inputs: types.Object, plan: ReleasePlan, params: dict[str, Any]) -> None:
    """Adds what is to be decided about the photos and words that were found."""
    count, total = len(plan.unprotected), len(plan.unprotected) + len(plan.protected)
    if count:
        view = types.RadioGroup()
        view.add_choice("refuse", label="Release nothing")
        view.add_choice("leave-out", label=f"Leave these {count} out")
        view.add_choice("show", label=f"Show these {count} in the grid, release nothing yet")
        view.add_choice("include", label=f"Include these {count} as they are, clean")
        inputs.enum(
            "unprotected",
            view.values(),
            default="refuse",
            label=f"{count} of {total} photos are not protected by this run",
            view=view,
        )
        if params.get("unprotected") == "include":
            inputs.int(
                "confirm_unprotected",
                label="How many photos go without protection",
                description=f"Type {count} to confirm that you have looked at them",
            )
    for words in plan.words:
        view = types.DropdownView()
        if not words.named:
            view.add_choice("mask", label="Mask: say what it was instead")
        view.add_choice("drop", label="Leave the field out" if words.named else _DROP)
        view.add_choice("keep", label="Keep it on purpose")
        inputs.enum(
            _input_of(words),
            view.values(),
            label=words.label,
            description=", ".join(words.examples),
            view=view,
        )
    for number, note in enumerate(plan.notes):
        inputs.view(f"note_{number}", types.Warning(label=note[:1].upper() + note[1:]))
    if plan.fields:
        inputs.view("pixels", types.Notice(label=plan.sentence))
    inputs.bool(
        "restoration",
        default=False,
        label="Write a sealed sidecar that restores the originals",
        description="For partners with the passphrase; it is written beside the release",
    )
    if params.get("restoration"):
        inputs.str(
            "passphrase_file",
            label="File with the passphrase, on the App's machine",
            description="Its first line; default the variable DP2VL_PASSPHRASE. A form is stored "
            "in the database, so a passphrase is never typed into one",
        )
    inputs.str("signed_off_by", label="Who answers for this release")


def default_directory(view: Any) -> str:
    """Returns a folder that is not there yet, below FiftyOne's dataset directory."""
    folder = Path(fo.config.default_dataset_dir) / "dp2vl-releases" / view._root_dataset.name
    number = 1
    while (folder / f"release{number}").exists():
        number += 1
    return str(folder / f"release{number}")


def plan_of(view: Any, params: dict[str, Any]) -> ReleasePlan:
    """Returns what the release would hold.

    Raises:
        ConfigError: if a parameter is unknown or will not do
        RunError: if there is no such run
    """
    plain = [name for name in params if not name.startswith(_WORDS)]
    unknown = unknown_setting(plain, _CALL | _FORM_ONLY)
    if unknown is not None:
        raise ConfigError(
            f"unknown setting {unknown!r}: the settings are {', '.join(sorted(_CALL))}"
        )
    return plan_release(
        view,
        said(params, "run", None),
        format=said(params, "format", "directory"),
        fields=fields_in(params),
        identity_field=said(params, "identity_field", None),
    )


def fields_in(params: dict[str, Any]) -> list[str]:
    """Returns the chosen fields; a format for photos alone has none, whatever was chosen before."""
    made = FORMATS.get(said(params, "format", "directory"))
    if made is not None and made.fields == "none":
        return []
    return list(params.get("fields") or ())


def arguments_of(view: Any, plan: ReleasePlan, params: dict[str, Any]) -> dict[str, Any]:
    """Returns the arguments of ``export_release`` that parameters stand for, but the passphrase."""
    given = {n: v for n, v in params.items() if n in _CALL and v not in (None, "", [])}
    given.setdefault("directory", default_directory(view))
    given["text"] = _text_of(plan.words, params)
    given["fields"] = fields_in(params)
    return given


def first_problem(view: Any, plan: ReleasePlan, params: dict[str, Any]) -> tuple[str, str] | None:
    """Returns what keeps the release from being made: an input's name and one sentence; or None."""
    arguments = arguments_of(view, plan, params)
    problem = field_problem(view, arguments.get("identity_field"), GROUP_KINDS)
    if problem is not None:
        return "identity_field", problem
    problem = target_problem(view, plan.record, arguments["directory"])
    if problem is not None:
        return "directory", problem
    chosen = arguments.get("unprotected", "refuse")
    if chosen == "show":
        return None
    try:
        settle_unprotected(plan, chosen, arguments.get("confirm_unprotected"))
    except DP2VLError as error:
        asked = "confirm_unprotected" if chosen == "include" else "unprotected"
        return asked, str(error)
    try:
        decided = TextChoices(arguments["text"])
        decided.check(plan.words)
        plan.without(decided)
    except DP2VLError as error:
        return _input_of(plan.words[0]) if plan.words else "fields", str(error)
    return None


def _text_of(listed: tuple[TextListing, ...], params: dict[str, Any]) -> Any:
    """Returns what is done with words: what was said for all, or listing by listing."""
    text = params.get("text")
    if text:
        return text
    return {words.key: params[_input_of(words)] for words in listed if params.get(_input_of(words))}


def _input_of(words: TextListing) -> str:
    """Returns the name of the input that decides about words."""
    # by what they are, not where they stand: when the fields are chosen anew, a place would hand
    # what was said of one field's words to another's
    return _WORDS + hashlib.sha256(words.key.encode()).hexdigest()[:8]
