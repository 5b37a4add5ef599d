"""Evaluations that are killed at any point end with the figures of an unbroken one."""

from __future__ import annotations

import json
import os
import random
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from reports import figures
from scale import DEATHS_OF_ATTACK, SEEDS, SOAK, tell

from fiftyone_dp2vl.attack import AttackAlbum
from fiftyone_dp2vl.attack.evaluate import evaluate_attack
from fiftyone_dp2vl.attack.settings import AttackConfig
from fiftyone_dp2vl.errors import RunError
from fiftyone_dp2vl.measure.report import AttackReport

HERE = Path(__file__).parent

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")


class World:
    """An evaluation that can be killed."""

    def __init__(
        self, album: AttackAlbum, protected: dict[str, Path], config: AttackConfig, folder: Path
    ) -> None:
        self.album, self.protected, self.config = album, protected, config
        self.folder = folder
        self.folder.mkdir()
        self.unbroken = figures(self.evaluate(folder / "unbroken"))

    def evaluate(self, cache: Path) -> AttackReport:
        return evaluate_attack(self.album, self.config, protected=self.protected, cache=cache)

    def kill(self, points: list[str], *, apart: bool) -> list[tuple[bool, int]]:
        """Returns for each point whether it was killed there, and how many cells it left."""
        album = self.album
        job = {
            "photos": [[p.key, str(p.path), p.person, p.role] for p in album.photos],
            "described": [[p.scenario, p.affiliation, list(p.descriptions)] for p in album.photos],
            "facts": album.facts,
            "choices": album.choices,
            "questions": album.questions,
            "protected": {key: str(path) for key, path in self.protected.items()},
            "config": self.config.to_dict(),
            "cache": str(self.folder),
            "points": points,
            "apart": apart,
        }
        done = subprocess.run(
            [sys.executable, str(HERE / "killed_attacks.py")],
            input=json.dumps(job),
            env={**os.environ, "PYTHONPATH": str(HERE.parents[1]), "OMP_NUM_THREADS": "1"},
            capture_output=True,
            text=True,
            check=True,
        )
        return [(killed, cells) for killed, cells in json.loads(done.stdout.splitlines()[-1])]


@pytest.fixture
def world(
    album: AttackAlbum, protected: dict[str, Path], config: AttackConfig, tmp_path: Path
) -> World:
    return World(album, protected, config, tmp_path / "killed")


def test_killed_again_and_again_the_figures_are_the_same(world: World) -> None:
    # in a fine-tuning, and at a rename that would make a cell known
    deaths = world.kill(["step:3", "step:9", "replace:5", "replace:9"], apart=False)
    assert [killed for killed, _ in deaths] == [True] * 4
    counts = [cells for _, cells in deaths]
    assert counts == sorted(counts)
    assert counts[0] < counts[-1] < 7
    assert figures(world.evaluate(world.folder)) == world.unbroken


def test_a_full_disk_is_answered_with_a_sentence_and_a_rerun_goes_on(world: World) -> None:
    limit, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (4000, most))
        with pytest.raises(RunError, match="finished cells are kept"):
            world.evaluate(world.folder)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, most))
        signal.signal(signal.SIGXFSZ, handler)
    assert list(world.folder.rglob(".dp2vl-*")) == []
    assert figures(world.evaluate(world.folder)) == world.unbroken


@pytest.mark.skipif(not SOAK, reason="minutes of one core: make soak")
@pytest.mark.parametrize("seed", SEEDS)
def test_killed_anywhere_the_figures_are_the_same(world: World, seed: int) -> None:
    world.kill(["never:0"], apart=True)
    counts = json.loads((world.folder / "counts.json").read_text())
    assert min(counts["step"], counts["replace"]) >= DEATHS_OF_ATTACK / 2
    rng = random.Random(seed)
    points = [
        f"{event}:{number}"
        for event in ("step", "replace")
        for number in sorted(rng.sample(range(1, counts[event] + 1), DEATHS_OF_ATTACK // 2))
    ]
    deaths = world.kill(points, apart=True)
    assert [killed for killed, _ in deaths] == [True] * DEATHS_OF_ATTACK
    for point in points:
        assert figures(world.evaluate(world.folder / point.replace(":", "-"))) == world.unbroken
    tell(f"attack, seed {seed}: {len(points)} of {DEATHS_OF_ATTACK} deaths survived")
