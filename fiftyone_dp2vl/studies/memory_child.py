"""The process whose memory is measured: reads a task from standard input, prints a JSON line."""

from __future__ import annotations

import json
import resource
import sys
import time
from pathlib import Path
from typing import Any

from ..config import OutputConfig, ProtectionConfig, SelectionConfig

__all__ = ["main"]


def _peak_mib() -> float:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 2**10)  # Linux counts in KiB


def main(task: dict[str, Any]) -> dict[str, float]:
    """Protects a folder of photos and returns what memory it took.

    Args:
        task: ``photos`` and ``out``, folders; ``config``, a protection; ``device``
    """
    from ..encoders import load_encoder
    from ..runs import PhotoItem, protect_photos

    config = ProtectionConfig.from_dict(task["config"])
    encoders = [load_encoder(name, device=task["device"]) for name in config.encoders]
    paths = sorted(Path(task["photos"]).glob("*.jpg"))
    before, began = _peak_mib(), time.monotonic()
    result = protect_photos(
        # some people, so that strategies that need them have them
        [PhotoItem(path.name, path, f"person {i % 7}") for i, path in enumerate(paths)],
        Path(task["out"]),
        config,
        SelectionConfig(),
        OutputConfig(),
        device=task["device"],
        encoders=encoders,
    )
    failed = [record for record in result.records if record.status != "protected"]
    if failed:
        raise SystemExit(f"{failed[0].key}: {failed[0].error}")
    seconds = (time.monotonic() - began) / len(paths)
    return {"before_mib": before, "peak_mib": _peak_mib(), "seconds_per_photo": seconds}


if __name__ == "__main__":
    print(json.dumps(main(json.load(sys.stdin))))
