"""Run by the tests: does a job on a real dataset, and dies where it is told to.

Arguments: a job (``protect``, ``release`` or ``both``), a folder, the tiny encoder's name, then
points as ``event:number``. Each point is a child that is killed with SIGKILL at the n-th such
event: an fsync, a rename, a link, a removal, a new folder, a command to the database, a step of the
engine or of the release. ``never:0`` dies nowhere and writes down how many events there are. A
point ``full:N`` may write no file larger than N bytes, as on a full disk. The job ``both`` is two
protections of one dataset at once, each under a run's name of its own.

Prints a line of JSON a point: the point, how the child ended, and what it said.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

import fiftyone as fo
from pymongo.synchronous import pool

from fiftyone_dp2vl.errors import DP2VLError
from fiftyone_dp2vl.release.steps import Steps
from fiftyone_dp2vl.runs import runner
from fiftyone_dp2vl.store import export_release, protect_dataset
from fiftyone_dp2vl.store.release import records

sys.path.append(str(Path(__file__).resolve().parents[1] / "support"))
from dying import before

OS_EVENTS = ("fsync", "rename", "replace", "link", "unlink", "mkdir")
SETTINGS = {"steps": 3, "lanes": 4, "transforms": []}
PASSPHRASE = "correct horse battery"


def dataset_name(folder: Path, point: str) -> str:
    """The dataset of a point: each has its own, so that one death does not touch another's."""
    return f"faults-{folder.name}-{point.replace(':', '-')}"


def do(job: str, dataset: Any, folder: Path, encoder: str, run: str = "one") -> None:
    """The job itself; called again it goes on, or begins again."""
    if job == "release":
        release(dataset, folder / "out")
        return
    protect_dataset(
        dataset,
        run,
        output_dir=str(folder / ("run" if run == "one" else run)),
        group_field="identity",
        encoders=[encoder],
        **SETTINGS,
    )


def release(dataset: Any, target: Path, **more: Any) -> None:
    """Makes a release with a sidecar, in an order that is the same for every release."""
    told = SimpleNamespace(token_hex=lambda size: "5a" * size)
    with mock.patch.object(records, "secrets", told):
        export_release(
            dataset,
            target,
            "one",
            format="fiftyone",
            fields=["scene"],
            passphrase=PASSPHRASE,
            **more,
        )


def main() -> None:
    job, folder, encoder, *points = sys.argv[1:]
    if job == "both":
        (point,) = points
        started = [_start(Path(folder), job, encoder, point, run) for run in ("one", "two")]
        for pid, stream in started:
            _tell(point, pid, stream)
        return
    for point in points:
        _tell(point, *_start(Path(folder), job, encoder, point, "one"))


def _start(folder: Path, job: str, encoder: str, point: str, run: str) -> tuple[int, Any]:
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reader)
        said = _child(job, folder, encoder, point, run)
        os.write(writer, said.encode()[:4000])
        os._exit(0)
    os.close(writer)
    return pid, open(reader)


def _tell(point: str, pid: int, stream: Any) -> None:
    with stream:
        said = stream.read()
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    print(json.dumps([point, status, said]), flush=True)


def _child(job: str, folder: Path, encoder: str, point: str, run: str) -> str:
    event, number = point.split(":")
    counts: Counter[str] = Counter()

    def happens(name: str) -> None:
        counts[name] += 1
        if (name, counts[name]) == (event, int(number)):
            os.kill(os.getpid(), signal.SIGKILL)

    place = folder / point.replace(":", "-")
    dataset = fo.load_dataset(dataset_name(folder, point))
    if event == "full":
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(number), int(number)))
    _watch(happens)
    try:
        do(job, dataset, place, encoder, run)
    except (DP2VLError, OSError) as error:
        return str(error)
    finally:
        if event == "never":
            (folder / f"{job}.counts").write_text(json.dumps(counts))
    return ""


def _watch(happens: Callable[[str], None]) -> None:
    for name in OS_EVENTS:
        setattr(os, name, before(happens, name, getattr(os, name)))
    Steps.at = before(happens, "step", Steps.at)  # type: ignore[method-assign]
    engine = runner.protect

    def stepped(*arguments: Any, on_step: Callable[[int, int], None], **keywords: Any) -> Any:
        return engine(*arguments, on_step=before(happens, "step", on_step), **keywords)

    runner.protect = stepped

    # every command to the database goes through this one method of a connection
    pool.Connection.command = before(  # type: ignore[method-assign]
        happens, "database", pool.Connection.command
    )


if __name__ == "__main__":
    main()
