"""Run by test_faults.py and soak.py: does a job on a real dataset, and dies where it is told to.

Arguments: a job (``protect`` or ``release``), a folder, the tiny encoder's name, then points as
``event:number``. Each point is a child that is killed with SIGKILL at the n-th such event: an
fsync, a rename, a link, a removal, a new folder, a command to the database, a step of the engine
or of the release. ``never:0`` dies nowhere and writes down how many events there are. A point
``full:N`` may write no file larger than N bytes, as on a full disk.

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
from typing import Any

import fiftyone as fo
from pymongo.synchronous import pool

from fiftyone_dp2vl.errors import DP2VLError
from fiftyone_dp2vl.release.steps import Steps
from fiftyone_dp2vl.runs import runner
from fiftyone_dp2vl.store import export_release, protect_dataset

sys.path.append(str(Path(__file__).resolve().parents[1] / "support"))
from dying import before

OS_EVENTS = ("fsync", "rename", "replace", "link", "unlink", "mkdir")
SETTINGS = {"steps": 3, "lanes": 4, "transforms": []}


def dataset_name(folder: Path, point: str) -> str:
    """The dataset of a point: each has its own, so that one death does not touch another's."""
    return f"faults-{folder.name}-{point.replace(':', '-')}"


def do(job: str, dataset: Any, folder: Path, encoder: str) -> None:
    """The job itself; called again it goes on, or begins again."""
    if job == "protect":
        protect_dataset(
            dataset,
            "one",
            output_dir=str(folder / "run"),
            group_field="identity",
            encoders=[encoder],
            **SETTINGS,
        )
    else:
        export_release(dataset, folder / "out", "one", format="fiftyone", fields=["scene"])


def main() -> None:
    job, folder, encoder, *points = sys.argv[1:]
    for point in points:
        reader, writer = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.close(reader)
            said = _child(job, Path(folder), encoder, point)
            os.write(writer, said.encode()[:4000])
            os._exit(0)
        os.close(writer)
        with open(reader) as stream:
            said = stream.read()
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        print(json.dumps([point, status, said]), flush=True)


def _child(job: str, folder: Path, encoder: str, point: str) -> str:
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
        do(job, dataset, place, encoder)
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
