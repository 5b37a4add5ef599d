"""Run by test_killed.py: forks a run for each point and kills it there with SIGKILL.

Arguments: a folder with originals, a folder for the runs, then points as ``event:number``. Events
are the moments at which something becomes durable or is about to: each fsync, each rename, each
link, each removal, each step of the engine.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import conftest  # the folder of this script

from fiftyone_dp2vl.config import OutputConfig, SelectionConfig
from fiftyone_dp2vl.protection import statistics
from fiftyone_dp2vl.runs import protect_photos, runner

sys.path.append(str(Path(__file__).resolve().parents[1] / "support"))
from dying import before


def main() -> None:
    originals, runs, *points = sys.argv[1:]
    statistics.reference_bank = conftest._bank
    conftest._bank()
    for point in points:
        pid = os.fork()
        if pid == 0:
            _run(Path(originals), Path(runs) / point.replace(":", "-"), point)
            os._exit(0)
        status = os.waitpid(pid, 0)[1]
        print(json.dumps([point, os.WIFSIGNALED(status), os.waitstatus_to_exitcode(status)]))


def _run(originals: Path, directory: Path, point: str) -> None:
    event, number = point.split(":")
    counts: Counter[str] = Counter()

    def happens(name: str) -> None:
        counts[name] += 1
        if (name, counts[name]) == (event, int(number)):
            os.kill(os.getpid(), signal.SIGKILL)

    for name in ("fsync", "replace", "link", "unlink"):
        setattr(os, name, before(happens, name, getattr(os, name)))
    engine = runner.protect
    log = os.open(directory.with_suffix(".log"), os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def counted(*arguments: Any, on_step: Callable[[int, int], None], **keywords: Any) -> Any:
        os.write(log, "".join(f"{key}\n" for key in keywords["keys"]).encode())

        def step(done: int, total: int) -> None:
            happens("step")
            on_step(done, total)

        return engine(*arguments, on_step=step, **keywords)

    runner.protect = counted
    protect_photos(
        conftest.make_photos(originals),
        directory,
        conftest.CONFIG,
        SelectionConfig(),
        OutputConfig(),
        encoders=[conftest.ToyEncoder()],
        workers=2,
    )
    directory.with_suffix(".counts").write_text(json.dumps(counts))


if __name__ == "__main__":
    main()
