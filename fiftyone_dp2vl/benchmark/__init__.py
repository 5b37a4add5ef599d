"""The identity-affiliation benchmark: synthetic people, seven scenarios, photos of both.

Importing this needs neither torch nor FiftyOne; drawing needs the ``benchmark`` extra.
"""

from __future__ import annotations

from fiftyone_dp2vl.benchmark.art import ArtMissingError
from fiftyone_dp2vl.benchmark.generate import (
    Benchmark,
    PhotoRecord,
    generate_benchmark,
    load_benchmark,
)
from fiftyone_dp2vl.benchmark.people import Identity, sample_identities
from fiftyone_dp2vl.benchmark.photos import PhotoSpec, plan_photos, render_photo
from fiftyone_dp2vl.benchmark.scenarios import SCENARIOS, captions, sample_facts

__all__ = [
    "SCENARIOS",
    "ArtMissingError",
    "Benchmark",
    "Identity",
    "PhotoRecord",
    "PhotoSpec",
    "captions",
    "generate_benchmark",
    "load_benchmark",
    "plan_photos",
    "render_photo",
    "sample_facts",
    "sample_identities",
]
