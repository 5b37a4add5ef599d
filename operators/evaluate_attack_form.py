"""The form of the ``evaluate_attack`` operator: its inputs, and what is wrong with them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields
from pathlib import Path
from typing import Any

import fiftyone.operators.types as types

from fiftyone_dp2vl.attack.settings import AttackConfig
from fiftyone_dp2vl.errors import ConfigError, DP2VLError
from fiftyone_dp2vl.store.albums import FACE_KINDS, QUERY_SHARE, TEXT_KINDS, attack_album
from fiftyone_dp2vl.store.evaluations import evaluation_problem, next_evaluation_name
from fiftyone_dp2vl.store.photos import GROUP_KINDS
from fiftyone_dp2vl.store.records import list_runs

from .forms import choices, encoder_problem, fields_of, unknown_setting

__all__ = ["add_inputs", "arguments_of", "config_of", "estimate", "first_problem", "fine_tunes"]

DEFAULT_PROXY = "proxy:linear@embedded"

_CONFIG = frozenset(field.name for field in fields(AttackConfig))
_MAPPING = (
    *("identity", "affiliation", "scenario", "description"),
    *("query", "others", "face", "run", "seed"),
)
_CALL = frozenset((*_MAPPING, "evaluation", "output_dir", "cache", "device"))
"""Parameters of ``evaluate_attack_dataset`` beside the configuration's."""

_FORM_ONLY = frozenset(("advanced",))

_NO_RUN = "no protection"

_GUESSES = {
    "identity": ("identity", "person", "people", "name", "who", "subject", "ground_truth"),
    "affiliation": ("affiliation", "fact", "belonging"),
    "scenario": ("scenario", "kind", "category"),
    "description": ("descriptions", "description", "caption", "captions"),
    "face": ("face", "faces"),
}


def add_inputs(inputs: types.Object, view: Any, params: dict[str, Any]) -> None:
    """Adds the inputs for a view."""
    guessed = defaults_of(view)
    inputs.str(
        "evaluation",
        default=guessed["evaluation"],
        label="Evaluation",
        description="A name for this attack; its fields are named after it",
    )
    runs = [record.run for record in list_runs(view) if record.state == "complete"]
    inputs.str(
        "run",
        default=guessed.get("run", _NO_RUN),
        label="Protection to attack",
        description="The attacker trains on this run's files, and on the clean photos to compare",
        view=choices([*runs, _NO_RUN]),
    )
    texts = fields_of(view, GROUP_KINDS)
    inputs.str(
        "identity",
        default=guessed.get("identity"),
        label="Who is on a photo",
        description="The field that names the person; the attacker tries to learn these names",
        view=choices(texts),
    )
    inputs.str(
        "affiliation",
        default=guessed.get("affiliation"),
        label="What a photo tells of that person",
        description="For example “a red car”; leave empty to ask for names only",
        view=choices(texts),
    )
    if params.get("affiliation", guessed.get("affiliation")):
        inputs.str(
            "scenario",
            default=guessed.get("scenario"),
            label="What kind of fact that is",
            description="For example “vehicle”; answers are chosen among phrases of one kind",
            view=choices(texts),
        )
    dataset = view._root_dataset
    named = [f"tag:{tag}" for tag in view.distinct("tags")]
    named += [f"view:{name}" for name in dataset.list_saved_views()]
    inputs.str(
        "query",
        default=guessed["query"],
        label="Clean photos to ask about",
        description="tag:NAME, view:NAME or FIELD=VALUE: photos that nobody shared. Or a share "
        "from 0 to 0.5 of each person's photos, which is then held out",
        view=choices([*named, str(QUERY_SHARE)], own=True),
    )
    inputs.list(
        "attackers",
        types.String(),
        default=guessed["attackers"],
        label="Attackers",
        description="Models are fine-tuned, which takes minutes to hours; proxies are probes on "
        "frozen features, which take seconds and can understate what fine-tuning learns",
        view=choices(_attacker_choices(), own=True),
    )
    _add_arms(inputs)
    inputs.int(
        "seeds",
        default=1,
        min=1,
        label="Repetitions",
        description="With other adapters and other order; figures to rely on need three or more",
    )
    inputs.bool("advanced", default=False, label="More settings")
    if params.get("advanced"):
        _add_more(inputs, view, guessed)


def _add_arms(inputs: types.Object) -> None:
    from fiftyone_dp2vl.attack.arms import PRESETS

    view = types.DropdownView(multiple=True)
    for name, text in PRESETS.items():
        view.add_choice(name, label=f"{name}: {text}")
    inputs.list(
        "arms",
        types.String(),
        default=["quick"],
        label="What the attacker does",
        description="Controls and the protected photos are measured in any case",
        view=view,
    )


def _add_more(inputs: types.Object, view: Any, guessed: dict[str, Any]) -> None:
    inputs.str(
        "description",
        default=guessed.get("description"),
        label="Descriptions of photos",
        description="Sentences that the attacker trains on, too",
        view=choices(fields_of(view, TEXT_KINDS)),
    )
    inputs.str(
        "others",
        label="Photos of other people",
        description="tag:NAME, view:NAME or FIELD=VALUE: to see whether strangers are named",
        view=choices([f"tag:{tag}" for tag in view.distinct("tags")], own=True),
    )
    inputs.str(
        "face",
        default=guessed.get("face"),
        label="Faces",
        description="Detections, for the controls with blurred and pixelated faces",
        view=choices(fields_of(view, FACE_KINDS)),
    )
    setting = types.RadioGroup(orientation="horizontal")
    setting.add_choice("all", label="All facts of the person, the worst case")
    setting.add_choice("shown", label="Only what it shows")
    setting.add_choice("both", label="Both")
    inputs.enum(
        "setting", setting.values(), default="all", label="What each photo tells", view=setting
    )
    inputs.int(
        "max_questions",
        default=0,
        min=0,
        label="Questions of a kind, at most",
        description="Spread over people; 0 asks about every query photo",
    )
    inputs.str(
        "output_dir",
        label="Folder for the report",
        description="JSON and HTML; chosen for you if empty",
    )


def _attacker_choices() -> Iterable[str]:
    from fiftyone_dp2vl.attack.registry import list_attackers

    ready = [entry.name for entry in list_attackers() if entry.ready]
    yield from ready
    yield from (f"proxy:{kind}@embedded" for kind in ("linear", "prototype", "knn"))


def defaults_of(view: Any) -> dict[str, Any]:
    """Returns what the form proposes for a view: fields guessed by name, the last run."""
    texts = fields_of(view, GROUP_KINDS)
    kinds = {"description": fields_of(view, TEXT_KINDS), "face": fields_of(view, FACE_KINDS)}
    guessed: dict[str, Any] = {}
    for role, names in _GUESSES.items():
        # a field tells one thing: what names the person tells no fact besides
        free = [name for name in kinds.get(role, texts) if name not in guessed.values()]
        found = next((name for name in names if name in free), None)
        if found is not None:
            guessed[role] = found
    if "affiliation" not in guessed:
        guessed.pop("scenario", None)
    runs = [record for record in list_runs(view) if record.state == "complete"]
    if runs:
        guessed["run"] = runs[-1].run
        if runs[-1].group_field in texts:
            guessed["identity"] = runs[-1].group_field
    tags = set(view.distinct("tags"))
    ready = [name for name in _attacker_choices() if name == "embedded"]
    return {
        **guessed,
        "evaluation": next_evaluation_name(view),
        "query": "tag:query" if "query" in tags else str(QUERY_SHARE),
        "attackers": [*ready, DEFAULT_PROXY],
    }


def arguments_of(view: Any, params: dict[str, Any]) -> dict[str, Any]:
    """Returns the arguments of ``evaluate_attack_dataset`` that parameters stand for.

    Raises:
        ConfigError: if a parameter is unknown, or nothing says who is on the photos
    """
    unknown = unknown_setting(params, _CONFIG | _CALL | _FORM_ONLY)
    if unknown is not None:
        known = ", ".join(sorted(_CONFIG | _CALL))
        raise ConfigError(f"unknown setting {unknown!r}: the settings are {known}")
    arguments = {
        name: value
        for name, value in params.items()
        if name in _CALL and value not in (None, "", [], _NO_RUN)
    }
    if "affiliation" not in arguments:
        arguments.pop("scenario", None)
    guessed = defaults_of(view)
    for name in ("evaluation", "query", "identity"):
        if name in guessed:
            arguments.setdefault(name, guessed[name])
    if "identity" not in arguments:
        raise ConfigError("identity is empty: name the field that says who is on a photo")
    return arguments


def config_of(view: Any, params: dict[str, Any]) -> AttackConfig:
    """Returns the configuration that parameters stand for; proxies may stand among attackers.

    Raises:
        ConfigError: if a value is out of range
    """
    given = {
        name: value
        for name, value in params.items()
        if name in _CONFIG and value not in (None, "", [])
    }
    named = given.pop("attackers", None)
    if named is None and "proxies" not in given:
        named = defaults_of(view)["attackers"]
    everyone = [named] if isinstance(named, str) else list(named or ())
    proxies = [name for name in everyone if name.startswith("proxy:")]
    given["attackers"] = [name for name in everyone if name not in proxies]
    given["proxies"] = [*given.pop("proxies", ()), *proxies]
    return AttackConfig.from_dict(given)


def fine_tunes(view: Any, params: dict[str, Any]) -> bool:
    """Whether a model is fine-tuned, which takes long, and not only proxies are asked."""
    try:
        return bool(config_of(view, params).attackers)
    except ConfigError:
        return True


def first_problem(view: Any, params: dict[str, Any]) -> tuple[str, str] | None:
    """Returns what is wrong with the parameters: an input's name and one sentence; or None."""
    from fiftyone_dp2vl.attack.arms import chosen_arms
    from fiftyone_dp2vl.store.attack import report_problem

    try:
        arguments = arguments_of(view, params)
    except DP2VLError as error:
        return "identity", str(error)
    problem = evaluation_problem(view, arguments["evaluation"])
    if problem is not None:
        return "evaluation", problem
    problem = report_problem(
        view._root_dataset, arguments["evaluation"], arguments.get("output_dir")
    )
    if problem is not None:
        return "output_dir", problem
    try:
        config = config_of(view, params)
    except DP2VLError as error:
        # the configuration's sentences begin with the setting's name
        return str(error).split()[0], str(error)
    problem = next(filter(None, map(attacker_problem, config.everyone)), None)
    if problem is not None:
        return "attackers", problem
    try:
        chosen_arms(config.arms)
    except DP2VLError as error:
        return "arms", str(error)
    try:
        # a form asks at every change: too often to read the photos
        attack_album(view, **mapping_of(arguments), contents=False)
    except DP2VLError as error:
        return str(error).split()[0].rstrip(":"), str(error)
    return None


def attacker_problem(name: str) -> str | None:
    """Returns one sentence that says why an attacker cannot be used, as far as names tell."""
    from fiftyone_dp2vl.attack.proxies import list_features, parse_proxy
    from fiftyone_dp2vl.attack.registry import list_attackers

    if name.startswith("proxy:"):
        try:
            features = parse_proxy(name).features
        except ConfigError as error:
            return str(error)
        return None if features in list_features() else encoder_problem(features)
    prefix, colon, target = name.partition(":")
    listing = {entry.name: entry for entry in list_attackers()}.get(prefix + colon)
    if listing is None:
        known = ", ".join(entry.name for entry in list_attackers())
        return f"no attacker is called {name!r}: the names are {known}, or proxy:KIND@ENCODER"
    if not listing.ready:
        return f"attacker {name!r} is not installed: the doctor operator says how to bring it"
    if colon and not target:
        return f"{name!r} names no model: give {listing.description} after the colon"
    if target.startswith(("/", "~", ".")) and not Path(target).expanduser().exists():
        return f"attacker {name!r} names a folder that does not exist"
    return None


def mapping_of(arguments: dict[str, Any]) -> dict[str, Any]:
    """Returns the arguments that say which fields and photos are meant."""
    return {name: arguments[name] for name in _MAPPING if name in arguments}


def estimate(view: Any, params: dict[str, Any]) -> str:
    """Returns how long the evaluation would take, in one sentence."""
    from fiftyone_dp2vl.store.attack_estimates import estimate_attack

    mapping = mapping_of(arguments_of(view, params))
    return estimate_attack(view, config_of(view, params), mapping)
