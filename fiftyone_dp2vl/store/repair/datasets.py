"""Do the datasets of the connected database and the disk agree, and making them agree again."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from ...errors import Cancelled, DP2VLError
from ...runs import Progress
from ..evaluations import list_evaluations
from ..names import PREFIX
from ..photos import require_dataset
from ..records import list_runs
from ..release.records import list_releases
from .disagreements import Disagreement, Tick
from .evaluations import check_evaluation
from .orphans import check_dataset_orphans, check_folder_orphans
from .releases import check_release
from .runs import check_run, photos_of

__all__ = ["check_datasets", "repair_datasets"]

ProgressCallback = Callable[[Progress], None]

_EVERY = 0.2  # seconds between two calls of the caller's function


def check_datasets(
    datasets: Sequence[str] | None = None,
    *,
    thorough: bool = False,
    progress: ProgressCallback | None = None,
    cancel: Callable[[], bool] | None = None,
) -> list[Disagreement]:
    """Returns on what datasets and the disk disagree; nothing is changed.

    What a process is at work on is left out.

    Args:
        datasets: names, default every dataset of the database with anything of ours
        thorough: whether every protected file is read and compared with what the run noted of it;
            otherwise its size must do
        progress: called while files are looked at
        cancel: asked meanwhile

    Raises:
        ConfigError: if there is no such dataset
        Cancelled: if ``cancel`` said so
    """
    return list(_look(datasets, thorough, progress, cancel))


def repair_datasets(
    datasets: Sequence[str] | None = None,
    *,
    progress: ProgressCallback | None = None,
    cancel: Callable[[], bool] | None = None,
) -> list[str]:
    """Makes datasets and the disk agree, and returns what was done, a line each.

    No original and no protected file is deleted. A photo whose protected file is gone or altered
    is no longer protected, and its run no longer complete: the same protection, started again,
    makes the very file again. What is not safe to mend is left to :func:`check_datasets` to tell.
    A second call finds nothing to do.

    Args:
        datasets: names, default every dataset of the database with anything of ours
        progress: called while files are looked at
        cancel: asked meanwhile; what was mended stays so

    Raises:
        ConfigError: if there is no such dataset
        Cancelled: if ``cancel`` said so
    """
    done = []
    for found in _look(datasets, True, progress, cancel):
        if found.mend is None:
            continue
        try:
            found.mend()
        except (DP2VLError, OSError, ValueError) as error:
            done.append(f"{found.dataset}: {found.finding}; it could not be mended: {error}")
        else:
            done.append(f"{found.dataset}: {found.finding}; {found.action}")
    return done


def _look(
    names: Sequence[str] | None,
    thorough: bool,
    progress: ProgressCallback | None,
    cancel: Callable[[], bool] | None,
) -> Iterator[Disagreement]:
    import fiftyone as fo

    ours, known = _ours()
    for name in names or ():
        require_dataset(name)
    chosen = list(names) if names is not None else ours
    for name in chosen:
        dataset = fo.load_dataset(name)
        dataset.reload()
        try:
            yield from _look_at(dataset, thorough, progress, cancel)
        except Cancelled:
            raise
        except Exception as error:  # one damaged record must not hide the other datasets
            first = str(error).strip().splitlines()[:1]
            yield Disagreement(
                name,
                "unreadable",
                f"it could not be checked ({type(error).__name__}: {''.join(first)})",
                "use the version of dp2vl that wrote its records",
            )
    yield from check_folder_orphans(known, chosen if names is not None else ())


def _look_at(
    dataset: Any,
    thorough: bool,
    progress: ProgressCallback | None,
    cancel: Callable[[], bool] | None,
) -> Iterator[Disagreement]:
    runs = list_runs(dataset)
    evaluations = list_evaluations(dataset)
    tick = _ticker(dataset.name, sum(map(photos_of, runs)), progress, cancel)
    for run in runs:
        yield from check_run(dataset, run, thorough=thorough, tick=tick)
    for evaluation in evaluations:
        yield from check_evaluation(dataset, evaluation)
    for release in list_releases(dataset):
        yield from check_release(dataset, release)
    yield from check_dataset_orphans(dataset, runs, evaluations)


def _ours() -> tuple[list[str], set[str]]:
    """Returns the datasets with anything of ours, and every folder that a record names."""
    import fiftyone.core.odm as foo

    database = foo.get_db_conn()
    columns = ("name", "runs", "brain_methods", "evaluations", "app_config", "sample_fields.name")
    names, keys = [], []
    # loading every dataset of a database would take minutes where there are many
    for found in database.datasets.find({}, dict.fromkeys(columns, 1)):
        told = [field["name"] for field in found.get("sample_fields") or ()]
        for kind in ("runs", "brain_methods", "evaluations"):
            told += list(found.get(kind) or ())
        told += list((found.get("app_config") or {}).get("media_fields") or ())
        if any(str(name).startswith(PREFIX) for name in told):
            names.append(found["name"])
            keys += list((found.get("runs") or {}).values())
    directories = database.runs.distinct("config.record.directory", {"_id": {"$in": keys}})
    return sorted(names), {str(path) for path in directories}


def _ticker(
    name: str,
    total: int,
    progress: ProgressCallback | None,
    cancel: Callable[[], bool] | None,
) -> Tick:
    started = time.monotonic()
    state = {"done": 0, "told": started}

    def tick() -> None:
        if cancel is not None and cancel():
            raise Cancelled("cancelled: what was mended stays so; the same command goes on")
        state["done"] += 1
        now, done = time.monotonic(), int(state["done"])
        if progress is not None and (now - state["told"] > _EVERY or done >= total):
            state["told"] = now
            left = (now - started) / done * max(0, total - done)
            label = f"checking files of {name}: {done} of {total}"
            progress(Progress(done, max(done, total), "check", label, left))

    return tick
