"""What each arm gives an attacker."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fiftyone_dp2vl.attack import AlbumPhoto, AttackAlbum
from fiftyone_dp2vl.attack.arms import ALWAYS, PRESETS, chosen_arms, list_arms
from fiftyone_dp2vl.attack.settings import AttackConfig
from fiftyone_dp2vl.attack.workbench import Material, Workbench
from fiftyone_dp2vl.config import ProtectionConfig
from fiftyone_dp2vl.errors import ConfigError
from fiftyone_dp2vl.measure.features import read_rgb

Bench = Callable[..., Workbench]


@pytest.fixture
def protected(album: AttackAlbum, tmp_path: Path) -> dict[str, Path]:
    """The shared photos, each a little brighter or darker."""
    folder = tmp_path / "protected"
    folder.mkdir()
    files = {}
    for photo in album.of("share"):
        pixels = read_rgb(photo.path).astype(int)
        files[photo.key] = folder / f"{photo.key}.png"
        moved = np.where(pixels < 128, pixels + 6, pixels - 6).astype(np.uint8)
        Image.fromarray(moved).save(files[photo.key])
    return files


@pytest.fixture
def bench(
    album: AttackAlbum, protected: dict[str, Path], tiny_encoder: str, tmp_path: Path
) -> Bench:
    """Makes a workbench on the toy album."""

    def make(changed: AttackAlbum = album, repetition: int = 0) -> Workbench:
        protection = ProtectionConfig(encoders=(tiny_encoder,))
        cache = tmp_path / "cache"
        config = AttackConfig()
        return Workbench(changed, protected, protection, config, cache, repetition=repetition)

    return make


def made(bench: Workbench, name: str) -> Material:
    return list_arms()[name].make(bench)


def moved_keys(bench: Workbench, material: Material) -> set[str]:
    clean = {photo.key: read_rgb(photo.path) for photo in bench.shared}
    return {p.key for p in material.photos if (read_rgb(p.path) != clean[p.key]).any()}


def test_every_preset_holds_the_controls() -> None:
    for preset in PRESETS:
        ids = [option.id for option in chosen_arms([preset])]
        assert set(ALWAYS) <= set(ids)
        assert ids == [option for option in list_arms() if option in ids]
    assert [option.id for option in chosen_arms(["quick"])] == list(ALWAYS)
    assert len(chosen_arms(["full"])) == len(list_arms())
    assert {option.id for option in chosen_arms(["a2"])} == {*ALWAYS, "a2"}
    with pytest.raises(ConfigError, match="no arm 'nonsense'"):
        chosen_arms(["nonsense"])


def test_arms_say_what_they_need() -> None:
    options = list_arms()
    names = [option.arm.name for option in options.values()]
    assert len(set(names)) == len(names)
    for option in options.values():
        assert option.arm.needs.endswith(".")
        assert option.id == option.id.lower()
        assert " " not in option.id


def test_none_trains_on_nothing(bench: Bench) -> None:
    assert made(bench(), "none").photos == ()


def test_clean_and_protected(bench: Bench, protected: dict[str, Path]) -> None:
    workbench = bench()
    assert made(workbench, "clean").photos == workbench.shared
    given = made(workbench, "protected").photos
    assert {photo.key: photo.path for photo in given} == protected
    assert [replace(p, path=q.path) for p, q in zip(given, workbench.shared, strict=True)] == list(
        workbench.shared
    )


def test_a_photo_that_was_left_clean_stays_clean(
    album: AttackAlbum, protected: dict[str, Path], tmp_path: Path
) -> None:
    first, *rest = protected
    some = {key: protected[key] for key in rest}
    workbench = Workbench(album, some, None, AttackConfig(), tmp_path / "cache")
    assert moved_keys(workbench, made(workbench, "protected")) == set(rest)
    assert first not in some


def test_random_signs_are_as_strong_as_asked(bench: Bench) -> None:
    workbench = bench()

    def moves(name: str) -> list[np.ndarray]:
        return [
            read_rgb(photo.path).astype(float) - read_rgb(clean.path)
            for photo, clean in zip(made(workbench, name).photos, workbench.shared, strict=True)
        ]

    assert {np.abs(off).max() for off in moves("random-signs")} == {8.0}
    # as strong as the fixture's protection is, although the grid is coarser than the photos
    for off in moves("random-signs-equal-rmse"):
        assert np.sqrt((off**2).mean()) == pytest.approx(6.0, rel=0.1)
    one = made(bench(), "random-signs").photos[0]
    other = made(bench(repetition=1), "random-signs").photos[0]
    assert (read_rgb(one.path) != read_rgb(other.path)).any()


@pytest.mark.parametrize("of", ["photos", "people"])
def test_ratios_are_nested_and_seeded(bench: Bench, of: str) -> None:
    workbench = bench()
    person = {photo.key: photo.person for photo in workbench.shared}
    sets = [
        moved_keys(workbench, made(workbench, f"ratio-{of}-{percent}")) for percent in (25, 50, 75)
    ]
    assert sets[0] < sets[1] < sets[2] if of == "photos" else sets[0] <= sets[1] <= sets[2]
    for keys, percent in zip(sets, (25, 50, 75), strict=True):
        if of == "photos":
            for name in set(person.values()):
                assert sum(person[key] == name for key in keys) == percent // 25
        else:
            whole = {key for key, name in person.items() if name in {person[k] for k in keys}}
            assert keys == whole
    again = moved_keys(bench(), made(bench(), f"ratio-{of}-50"))
    assert again == sets[1]
    others = {
        frozenset(moved_keys(bench(), made(bench(repetition=k), f"ratio-{of}-50")))
        for k in range(6)
    }
    assert len(others) > 1


def test_post_processing_is_done_to_the_protected_photos(
    bench: Bench, protected: dict[str, Path]
) -> None:
    workbench = bench()
    for photo in made(workbench, "after-grayscale").photos:
        gray = np.array(Image.open(protected[photo.key]).convert("L").convert("RGB"))
        np.testing.assert_array_equal(read_rgb(photo.path), gray)


def test_faces_are_hidden_where_they_are_known(bench: Bench, album: AttackAlbum) -> None:
    assert "faces" not in bench().has
    box = (0.25, 0.25, 0.75, 0.75)
    known = album.of("share")[0].key
    photos: list[AlbumPhoto] = [
        replace(photo, face=box) if photo.key == known else photo for photo in album.photos
    ]
    workbench = bench(replace(album, photos=tuple(photos)))
    assert "faces" in workbench.has
    for name in ("blurred-faces", "pixelated-faces"):
        assert moved_keys(workbench, made(workbench, name)) == {known}


def test_what_a_bench_can_do(
    album: AttackAlbum, protected: dict[str, Path], tiny_encoder: str, tmp_path: Path
) -> None:
    def has(files: dict[str, Path] | None, protection: ProtectionConfig | None) -> set[str]:
        return set(Workbench(album, files, protection, AttackConfig(), tmp_path).has)

    asked = {"queries of two people"}
    assert has(None, None) == asked
    assert has(protected, None) == {"protected", "all protected", *asked}
    plain = ProtectionConfig(encoders=(tiny_encoder,), transforms=())
    assert has(None, plain) == {"protected", "all protected", "tool", *asked}
    assert has(None, ProtectionConfig()) == {
        *("protected", "all protected", "tool", "jpeg in the loop", *asked),
    }


def test_shares_are_drawn_only_where_all_photos_are_protected(
    album: AttackAlbum, protected: dict[str, Path], tmp_path: Path
) -> None:
    some = dict(list(protected.items())[1:])
    for files, left in ((protected, 0), (some, 1)):
        bench = Workbench(album, files, None, AttackConfig(), tmp_path)
        assert bench.left_clean == left
        assert ("all protected" in bench.has) == (left == 0)
    for option in list_arms().values():
        assert ("all protected" in option.requires) == (option.arm.group == "ratio")
