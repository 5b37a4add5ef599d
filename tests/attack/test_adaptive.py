"""Attackers who know of the protection, on a protection that can be undone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from fiftyone_dp2vl.attack import AlbumPhoto, AttackAlbum, FineTuneConfig
from fiftyone_dp2vl.attack.adaptive import LONGER
from fiftyone_dp2vl.attack.arms import list_arms
from fiftyone_dp2vl.attack.cells import recipe_of
from fiftyone_dp2vl.attack.changes import Pixels
from fiftyone_dp2vl.attack.denoiser import train_denoiser
from fiftyone_dp2vl.attack.detector import train_detector
from fiftyone_dp2vl.attack.settings import AttackConfig
from fiftyone_dp2vl.attack.workbench import Material, Workbench
from fiftyone_dp2vl.config import ProtectionConfig
from fiftyone_dp2vl.measure.features import read_rgb

GRID = 40 * 40


def smooth(seed: int, size: tuple[int, int] = (40, 40)) -> Pixels:
    coarse = np.random.default_rng(seed).integers(60, 190, (5, 5, 3)).astype(np.uint8)
    image = Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC)
    return np.array(image)


def stripes(pixels: Pixels, strength: int = 8) -> Pixels:
    """A perturbation that is the same on every photo: fine stripes."""
    sign = np.where(np.arange(pixels.shape[1]) % 4 < 2, strength, -strength)
    return (pixels.astype(int) + sign[None, :, None]).clip(0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def pairs() -> list[tuple[Pixels, Pixels]]:
    return [(smooth(seed), stripes(smooth(seed))) for seed in range(12)]


def rmse(a: Pixels, b: Pixels) -> float:
    return float(np.sqrt(np.mean((a.astype(float) - b) ** 2)))


def test_a_denoiser_learns_from_other_photos(pairs: list[tuple[Pixels, Pixels]]) -> None:
    steps: list[int] = []
    denoiser = train_denoiser(pairs, epsilon=8, grid_pixels=GRID, steps=120, on_step=steps.append)
    assert steps == list(range(120))
    clean = smooth(99)
    restored = denoiser(stripes(clean), "any")
    assert rmse(restored, clean) < 0.4 * rmse(stripes(clean), clean)
    # it never moves a pixel further than the budget
    assert np.abs(restored.astype(int) - stripes(clean)).max() <= 8


def test_a_denoiser_is_the_same_again(pairs: list[tuple[Pixels, Pixels]]) -> None:
    one, two = (train_denoiser(pairs, epsilon=8, grid_pixels=GRID, steps=3) for _ in range(2))
    np.testing.assert_array_equal(one(pairs[0][1], "a"), two(pairs[0][1], "a"))


def test_a_detector_learns_from_other_photos(pairs: list[tuple[Pixels, Pixels]]) -> None:
    detector = train_detector(pairs, grid_pixels=GRID)
    for seed in range(50, 56):
        assert detector(smooth(seed)) < 0.5 < detector(stripes(smooth(seed)))


@pytest.fixture
def crowded(album: AttackAlbum, tmp_path: Path) -> AttackAlbum:
    """The toy album with photos of two strangers, four each."""
    folder = tmp_path / "strangers"
    folder.mkdir()
    photos = []
    for number in range(8):
        path = folder / f"{number}.png"
        Image.fromarray(smooth(number, (64, 48))).save(path)
        photos.append(AlbumPhoto(f"other/{number}", path, ("Eve", "Fay")[number % 2], "other"))
    kept = [photo for photo in album.photos if photo.role != "other"]
    return replace(album, photos=(*kept, *photos))


@pytest.fixture
def bench(crowded: AttackAlbum, tiny_encoder: str, tmp_path: Path) -> Workbench:
    """A workbench that protects with our tool."""
    protection = ProtectionConfig(encoders=(tiny_encoder,), steps=2, lanes=4)
    config = AttackConfig(denoiser_steps=4, leaked=1, synthetic=2)
    return Workbench(crowded, None, protection, config, tmp_path / "cache")


def made(bench: Workbench, name: str) -> Material:
    return list_arms()[name].make(bench)


def same(a: Path, b: Path) -> bool:
    return bool(read_rgb(a).shape == read_rgb(b).shape and (read_rgb(a) == read_rgb(b)).all())


def test_the_tool_protects_what_an_album_shares(bench: Workbench) -> None:
    files = bench.protected
    assert set(files) == {photo.key for photo in bench.shared}
    for photo in bench.shared:
        off = read_rgb(files[photo.key]).astype(int) - read_rgb(photo.path)
        assert 0 < np.abs(off).max() <= 8
    again = Workbench(bench.album, None, bench.protection, bench.config, bench.cache)
    stamps = {key: path.stat().st_mtime_ns for key, path in files.items()}
    assert {key: path.stat().st_mtime_ns for key, path in again.protected.items()} == stamps


def test_files_of_the_tool_that_were_removed_are_made_again(bench: Workbench) -> None:
    files = bench.protected
    before = {key: path.read_bytes() for key, path in files.items()}
    next(iter(files.values())).unlink()
    again = Workbench(bench.album, None, bench.protection, bench.config, bench.cache)
    assert {key: path.read_bytes() for key, path in again.protected.items()} == before


def test_recipes_change_and_photos_stay(bench: Workbench) -> None:
    for name, changes in (
        ("a2", {"augment": True}),
        ("a6-lora", {"tower": "lora"}),
        ("a6-full", {"tower": "full"}),
    ):
        material = made(bench, name)
        assert material.changes == changes
        assert material.photos == bench.protected_photos


def test_longer_training_multiplies_the_recipes_epochs(bench: Workbench) -> None:
    material = made(bench, "longer")
    assert material.photos == bench.protected_photos
    recipe = FineTuneConfig(epochs=5)
    attacker = SimpleNamespace(defaults=recipe)
    assert recipe_of(attacker, material, bench.config).epochs == 5 * LONGER  # type: ignore[arg-type]
    plain = made(bench, "protected")
    assert recipe_of(attacker, plain, bench.config) == recipe  # type: ignore[arg-type]


def test_groups_of_queries_need_two_people(bench: Workbench) -> None:
    assert "queries of two people" in bench.has
    one = [p for p in bench.album.photos if p.role != "query" or p.person == "Ada"]
    alone = Workbench(
        replace(bench.album, photos=tuple(one)), None, bench.protection, bench.config, bench.cache
    )
    assert "queries of two people" not in alone.has
    assert "queries of two people" in list_arms()["a8-groups"].requires


def test_a_leak_adds_one_clean_photo_a_person(bench: Workbench) -> None:
    material = made(bench, "a4")
    extra = material.photos[len(bench.shared) :]
    assert [photo.person for photo in extra] == bench.album.people
    clean = {photo.key: photo.path for photo in bench.shared}
    assert all(clean[photo.key.removesuffix("~clean")] == photo.path for photo in extra)


def test_a_synthetic_set_holds_no_photo_itself(bench: Workbench) -> None:
    for name, originals in (
        ("clean-synthetic", bench.shared),
        ("synthetic", bench.protected_photos),
    ):
        photos = made(bench, name).photos
        assert len(photos) == 2 * len(originals)
        assert len({photo.key for photo in photos}) == len(photos)
        paths = [photo.path for photo in originals]
        assert not any(same(photo.path, path) for photo in photos[:4] for path in paths[:4])


def test_a7_learns_from_other_people_only(bench: Workbench) -> None:
    assert {pair.photo.person for pair in bench.pairs} == {"Eve", "Fay"}
    assert len(made(bench, "a7-map").pairs) == 8
    denoised = made(bench, "a7-denoiser").photos
    assert [photo.key for photo in denoised] == [photo.key for photo in bench.shared]
    for before, after in zip(bench.protected_photos, denoised, strict=True):
        off = read_rgb(after.path).astype(int) - read_rgb(before.path)
        assert np.abs(off).max() <= 8
    both = made(bench, "a7-others").photos
    assert len(both) == len(bench.shared) + 2 * 8
    assert {photo.role for photo in both} == {"share"}
    assert len({photo.key for photo in both}) == len(both)


def test_a7_detects_and_leaves_nobody_without_a_photo(bench: Workbench) -> None:
    material = made(bench, "a7-detector")
    assert {photo.person for photo in material.photos} == set(bench.album.people)
    values, people = material.facts["detector_accuracy"]
    assert len(values) == len(people) == len(bench.shared)
    assert set(values) <= {0.0, 0.5, 1.0}


def test_a8_asks_protected_queries(bench: Workbench) -> None:
    alone, grouped = made(bench, "a8"), made(bench, "a8-groups")
    asked = {photo.key: photo.path for photo in bench.album.of("query")}
    for material in (alone, grouped):
        assert set(material.queries) == set(asked)
        assert not any(same(path, asked[key]) for key, path in material.queries.items())
        assert material.photos == bench.protected_photos


def test_a_protection_without_jpeg_in_the_loop(bench: Workbench) -> None:
    plain = made(bench, "no-jpeg-loop").photos
    assert any(not same(a.path, b.path) for a, b in zip(plain, bench.protected_photos, strict=True))
    softened = made(bench, "no-jpeg-loop-after-jpeg-75").photos
    assert not any(same(a.path, b.path) for a, b in zip(plain, softened, strict=True))
