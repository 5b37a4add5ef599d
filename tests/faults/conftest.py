"""Makes the scripts beside these tests importable, and a world of originals for each test."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture
def world(tmp_path: Path, tiny_encoder: str) -> Iterator[Any]:
    from worlds import World, tree

    made = World(tmp_path, tiny_encoder)
    yield made
    made.close()
    assert tree(tmp_path / "originals") == made.before
