"""Run by test_faults.py: protects a dataset with a server of its own, and kills that server.

Arguments: a folder with originals, the tiny encoder's name, and ``die`` (kill it in mid-run),
``again`` (start it again and go on, then make a release and kill it in the middle of that) or
``fresh`` (an unbroken run and release to compare with, and the broken release once more).
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
                fo.Sample(filepath=str(path), identity=f"person{'ab'[number % 2]}", scene="beach")
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
            progress=_kill_at("protect", told) if phase == "die" else None,
        )
    except Exception as error:
        told["error"] = f"{type(error).__name__}: {error}"[:500]
    else:
        paths = [path for path in dataset.values(record.names.path) if path]
        files = _tree(run / "photos")
        told |= {
            "state": record.state,
            "counts": record.counts,
            "in_database": len(paths),
            "on_disk": len(files),
            "tree": files,
        }
    if phase == "again":
        told |= _release(dataset, folder / "dying-out", _kill_at("audit", told))
    elif phase == "fresh":
        told |= _release(fo.load_dataset("dying"), folder / "dying-out")
        calm = _release(dataset, folder / "fresh-out")
        told["released_calmly"] = calm["released"]
    print(json.dumps(told), flush=True)
    os._exit(0 if told["killed"] else _ended())


def _release(dataset: Any, out: Path, progress: Any = None) -> dict[str, Any]:
    import campaign

    error = None
    try:
        campaign.release(dataset, out, progress=progress)
    except Exception as raised:
        error = f"{type(raised).__name__}: {raised}"[:500]
    return {"release_error": error, "released": _tree(out)}


def _tree(folder: Path) -> dict[str, str]:
    return {
        str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest()
        for p in folder.rglob("*")
        if p.is_file()
    }


def _kill_at(phase: str, told: dict[str, Any]) -> Any:
    """Returns a progress callback that kills the server once, when a phase is at work."""

    def meddle(progress: Any) -> None:
        if progress.phase == phase and progress.done and not told["killed"]:
            told["killed"] = True
            for pid in _children():
                os.kill(pid, signal.SIGKILL)

    return meddle


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
