"""Run by test_memory.py: prints the peak of resident memory after a short and a long run, in kB.

Arguments: a photo, a folder for the runs, then the numbers of photos.
"""

from __future__ import annotations

import resource
import sys
from dataclasses import replace
from pathlib import Path

import conftest  # the folder of this script

from fiftyone_dp2vl.config import OutputConfig, SelectionConfig
from fiftyone_dp2vl.runs import PhotoItem, protect_photos

photo, runs, *counts = sys.argv[1:]
for count in counts:
    result = protect_photos(
        [PhotoItem(f"k{number}", photo, group=str(number % 2)) for number in range(int(count))],
        Path(runs) / f"run{count}",
        replace(conftest.CONFIG, steps=1, transforms=()),
        SelectionConfig(),
        OutputConfig(),
        encoders=[conftest.ToyEncoder()],
        workers=2,
    )
    assert len(result.with_status("protected")) == int(count), result.records[0]
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
