"""Run by test_killed.py: forks an evaluation for each point and kills it there with SIGKILL.

Reads a JSON job from standard input. Points are ``event:number``; events are optimiser steps and
the renames by which files become known. ``never:0`` kills nothing and counts the events. Each
point has the job's cache, or with ``apart`` one of its own in it.
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

from fiftyone_dp2vl.attack import AlbumPhoto, AttackAlbum, finetune
from fiftyone_dp2vl.attack.evaluate import evaluate_attack
from fiftyone_dp2vl.attack.settings import AttackConfig

sys.path.append(str(Path(__file__).resolve().parents[1] / "support"))
from dying import before


def main() -> None:
    job = json.load(sys.stdin)
    deaths = []
    for point in job["points"]:
        cache = Path(job["cache"])
        if job["apart"]:
            cache /= point.replace(":", "-")
        pid = os.fork()
        if pid == 0:
            _run(job, point, cache)
            os._exit(0)
        status = os.waitpid(pid, 0)[1]
        cells = cache / "cells" / "attack"
        count = len(list(cells.glob("[0-9a-f]*.json"))) if cells.is_dir() else 0
        deaths.append([os.WIFSIGNALED(status), count])
    print(json.dumps(deaths))


def _run(job: dict[str, Any], point: str, cache: Path) -> None:
    event, number = point.split(":")
    counts: Counter[str] = Counter()

    def happens(name: str) -> None:
        counts[name] += 1
        if (name, counts[name]) == (event, int(number)):
            os.kill(os.getpid(), signal.SIGKILL)

    os.replace = before(happens, "replace", os.replace)
    train = finetune.train

    def counted(*arguments: Any, on_step: Callable[[float], None], **keywords: Any) -> Any:
        def step(share: float) -> None:
            happens("step")
            on_step(share)

        return train(*arguments, on_step=step, **keywords)

    from fiftyone_dp2vl.attack import hf

    hf.train = counted
    photos = [
        AlbumPhoto(key, Path(path), person, role, scenario, fact, tuple(told))
        for (key, path, person, role), (scenario, fact, told) in zip(
            job["photos"], job["described"], strict=True
        )
    ]
    choices = {name: tuple(values) for name, values in job["choices"].items()}
    asked = {name: tuple(values) for name, values in job["questions"].items()}
    evaluate_attack(
        AttackAlbum(tuple(photos), job["facts"], choices, asked),
        AttackConfig.from_dict(job["config"]),
        protected={key: Path(path) for key, path in job["protected"].items()},
        cache=cache,
    )
    Path(job["cache"], "counts.json").write_text(json.dumps(counts))


if __name__ == "__main__":
    main()
