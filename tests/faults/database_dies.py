"""Run by test_faults.py: protects a dataset with a server of its own, and kills that server.

Arguments: a folder with originals, the tiny encoder's name, and ``die`` (kill it in mid-run),
``again`` (start it again and go on) or ``fresh`` (an unbroken run to compare with).
"""

from __future__ import annotations

import hashlib
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any


def main() -> None:
    folder, encoder, phase = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
    from fiftyone_dp2vl.store.database import VARIABLE, start_database

    start_database(folder / "mongod")
    os.environ[VARIABLE] += "/?serverSelectionTimeoutMS=3000"
    import fiftyone as fo

    from fiftyone_dp2vl.store import protect_dataset

    if not fo.dataset_exists("base"):
        base = fo.Dataset("base", persistent=True)
        base.add_samples(
            [
                fo.Sample(filepath=str(path), identity=f"person{'ab'[number % 2]}")
                for number, path in enumerate(sorted((folder / "originals").iterdir()))
            ],
            progress=False,
        )
    name = "fresh" if phase == "fresh" else "dying"
    # a clone: a photo's id counts in what becomes of it
    known = fo.dataset_exists(name)
    dataset = fo.load_dataset(name if known else "base")
    dataset = dataset if known else dataset.clone(name, persistent=True)
    told: dict[str, Any] = {"killed": False, "error": None}

    def meddle(progress: Any) -> None:
        if phase == "die" and progress.phase == "protect" and progress.done and not told["killed"]:
            told["killed"] = True
            for pid in _children():
                os.kill(pid, signal.SIGKILL)

    run = folder / f"{name}-run"
    try:
        record = protect_dataset(
            dataset,
            "one",
            output_dir=str(run),
            group_field="identity",
            encoders=[encoder],
            steps=3,
            lanes=2,
            transforms=[],
            progress=meddle,
        )
    except Exception as error:
        told["error"] = f"{type(error).__name__}: {error}"[:500]
    else:
        paths = [path for path in dataset.values(record.names.path) if path]
        files = sorted((run / "photos").iterdir())
        told |= {
            "state": record.state,
            "counts": record.counts,
            "in_database": len(paths),
            "on_disk": len(files),
            "tree": {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in files},
        }
    print(json.dumps(told), flush=True)
    os._exit(0 if phase == "die" else _ended())


def _children() -> list[int]:
    text = Path(f"/proc/self/task/{os.getpid()}/children").read_text()
    found = [int(pid) for pid in text.split()]
    return [p for p in found if "mongod" in Path(f"/proc/{p}/comm").read_text()]


def _ended() -> int:
    """Ends the server in order, which ``os._exit`` does not."""
    for pid in _children():
        os.kill(pid, signal.SIGTERM)
        os.waitpid(pid, 0)
    return 0


if __name__ == "__main__":
    main()
