"""A release that is killed, out of room or disturbed: whole or not there, and again the same."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from scale import DEATHS_OF_RELEASE, SEEDS, tell
from worlds import PHOTOS, World, deaths, protected_copies, tree

from fiftyone_dp2vl.errors import DP2VLError
from fiftyone_dp2vl.release import restore
from fiftyone_dp2vl.store import check_datasets, list_releases

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")

BESIDE = {"out.audit.html", "out.audit.json", "out.restore"}


def visible(place: Path) -> set[str]:
    return {p.name for p in place.iterdir() if p.name[0] != "."} if place.exists() else set()


def killed_while_releasing(world: World, points_wanted: int, seed: int) -> int:
    """Kills releases of a protected dataset; returns at how many points."""
    import campaign
    import fiftyone as fo

    # the last of these are: the sidecar's, the folder's, and the one that makes both lasting
    last = ("replace", "rename", "fsync")
    copies = protected_copies(world)
    killed = deaths(world, "release", points_wanted, seed, copies, last)
    whole = tree(world.folder / "never-0" / "out")
    assert len([name for name in whole if name.endswith(".png")]) == PHOTOS
    for point, dataset in killed.items():
        place = world.folder / point.replace(":", "-")
        seen = visible(place)
        if "out" in seen:  # then it is whole, and so is all that belongs to it
            assert seen == BESIDE | {"out"}, point
            assert tree(place / "out") == whole, point
        assert seen <= BESIDE | {"out"}, point
        assert world.finish("release", point, dataset) == whole, point
        assert {p.name for p in place.iterdir()} == BESIDE | {"out"}, point
        back = place / "back"
        assert restore(place / "out", place / "out.restore", back, campaign.PASSPHRASE) == PHOTOS
        (record,) = [r for r in list_releases(dataset) if r.directory == str(place / "out")]
        assert record.state == "complete"
        assert check_datasets([dataset.name]) == []
    assert [n for n in fo.list_datasets() if n.startswith("release-")] == []
    return len(killed)


@pytest.mark.parametrize("seed", SEEDS)
def test_killed_while_releasing(world, seed):
    survived = killed_while_releasing(world, DEATHS_OF_RELEASE, seed)
    assert survived == DEATHS_OF_RELEASE
    tell(f"release, seed {seed}: {survived} of {DEATHS_OF_RELEASE} deaths survived")


def test_a_full_disk_leaves_no_half_release(world):
    copies = protected_copies(world)
    # no photo fits; the photos fit, but not the sidecar; the sidecar too, but not what follows
    points = [f"full:{size}" for size in (2000, 20_000)]
    datasets = {point: copies(point) for point in points}
    told = world.campaign("release", ["never:0", *points])
    whole = tree(world.folder / "never-0" / "out")
    for point, dataset in datasets.items():
        status, said = told[point]
        assert status == 0
        assert said
        assert "\n" not in said
        place = world.folder / point.replace(":", "-")
        assert not place.exists() or list(place.iterdir()) == []
        assert world.finish("release", point, dataset) == whole


def test_an_original_that_is_changed_or_deleted_meanwhile(world):
    import campaign

    copies = protected_copies(world)
    campaign.release(copies("calm"), world.folder / "calm")
    whole = tree(world.folder / "calm")
    kept = {path: path.read_bytes() for path in world.paths[-2:]}
    dataset, out = copies("disturbed"), world.folder / "disturbed" / "out"
    for what in ("changed", "of another size", "deleted"):

        def meddle(what: str = what) -> None:
            for path in kept:
                if what == "deleted":
                    path.unlink()
                else:
                    size = (64, 48) if what == "changed" else (80, 60)
                    Image.new("RGB", size, (9, 99, 200)).save(path)

        try:
            with pytest.raises(DP2VLError) as caught:
                campaign.release(dataset, out, progress=at_phase("copy", meddle))
        finally:
            for path, data in kept.items():
                path.write_bytes(data)
        assert "\n" not in str(caught.value)
        assert visible(out.parent) == set()
    campaign.release(dataset, out)
    assert tree(out) == whole


def at_phase(phase: str, act: Callable[[], None]) -> Callable[[Any], None]:
    """Returns a progress callback that does something once, when a phase has begun."""
    left = [act]

    def tell(progress: Any) -> None:
        if progress.phase == phase and left:
            left.pop()()

    return tell
