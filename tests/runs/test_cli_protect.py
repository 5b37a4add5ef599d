"""``dp2vl protect`` on a plain folder."""

from __future__ import annotations

import io
import os
import shutil
import sys
from pathlib import Path

import pytest
from PIL import Image

from fiftyone_dp2vl.cli import main
from fiftyone_dp2vl.encoders import Encoder, registry
from fiftyone_dp2vl.media import read_photo
from fiftyone_dp2vl.runs import Manifest, PhotoItem
from fiftyone_dp2vl.runs.plain import photos_in


@pytest.fixture(autouse=True)
def toy(monkeypatch: pytest.MonkeyPatch, encoder: Encoder) -> None:
    monkeypatch.setattr(registry, "_entries", dict(registry._entries))
    monkeypatch.setattr(registry, "_loaded", {})
    registry.register_encoder("toy", lambda request: encoder)
    return


def _protect(*arguments: str | Path) -> int:
    return main(["protect", *map(str, arguments), "--encoder", "toy", "--steps", "2"])


def test_folder_in_folder_out(
    tmp_path: Path, items: list[PhotoItem], capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "originals"
    (folder / "anna/day 1").mkdir(parents=True)
    (folder / "photo00.png").rename(folder / "anna/day 1/a.png")
    (folder / "notes.txt").touch()
    (folder / ".hidden.jpg").touch()
    assert _protect(folder) == 0
    out = tmp_path / "originals-protected"
    written = sorted(path.relative_to(out / "photos").as_posix() for path in out.rglob("*.png"))
    assert written == ["anna/day 1/a.png", *(f"photo{number:02d}.png" for number in range(1, 10))]
    captured = capsys.readouterr()
    assert "passed over what is no photo: 1 .txt" in captured.out
    assert "10 photos, about 1 min" in captured.out
    for words in ("protected", "L-inf, largest", " grey levels\n", "worst", "cosine to clean, toy"):
        assert words in captured.out
    assert "10 of 10" in captured.err
    assert _protect(folder) == 0
    assert "going on with the run" in capsys.readouterr().out


@pytest.mark.skipif(sys.platform != "linux", reason="names are bytes here")
def test_a_name_that_is_not_utf_8(
    tmp_path: Path, items: list[PhotoItem], capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "album"
    folder.mkdir()
    photo = os.fsencode(folder) + b"/caf\xe9.jpg"
    with open(photo, "wb") as stream, Image.open(items[0].path) as image:
        image.convert("RGB").save(stream, "JPEG")
    assert _protect(folder) == 0
    (written,) = (tmp_path / "album-protected/photos").iterdir()
    assert written.name.isascii()
    assert read_photo(written).width == 80
    assert "(caf\\udce9.jpg)" in capsys.readouterr().out
    assert _protect(folder) == 0
    os.truncate(photo, 100)
    shutil.copy(items[1].path, folder)
    assert _protect(folder, "--out", tmp_path / "second") == 1
    assert "caf\\udce9.jpg is cut short" in capsys.readouterr().err


def test_settings_reach_the_run(tmp_path: Path, items: list[PhotoItem]) -> None:
    out = tmp_path / "out"
    options = ["--out", out, "--epsilon", "subtle", "--ratio", "0.5", "--seed", "3"]
    options += ["--format", "webp", "--metadata", "keep-no-gps", "--strategy", "repel", "--yes"]
    assert _protect(tmp_path / "originals", *options) == 0
    manifest = Manifest.load(out)
    assert (manifest.protection.epsilon, manifest.protection.steps) == (4, 2)
    assert manifest.selection.ratio == 0.5
    assert manifest.output.metadata == "keep-no-gps"
    assert len(list(out.rglob("*.webp"))) == 5
    assert read_photo(next(out.rglob("*.webp"))).width > 0


def test_failed_photo_is_said(
    tmp_path: Path, items: list[PhotoItem], capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "originals/broken.jpg").write_text("no photo")
    assert _protect(tmp_path / "originals") == 1
    assert "failed: broken.jpg: broken.jpg is not an image" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nowhere"], "is neither a folder nor a file"),
        (["empty"], "there are no photos"),
        (["originals", "--out", "originals/out"], "beside the originals"),
        (["originals", "--epsilon", "loud"], "epsilon is 'loud'"),
        (["originals", "--ratio", "2"], "ratio is 2"),
        (["originals", "--stratify"], "needs groups"),
        (["originals", "--strategy", "pray"], "pray"),
        (["originals", "--format", "gif"], "format is 'gif'"),
        (["originals", "--format", "jpeg", "--jpeg-quality", "0"], "give 1 to 100"),
        (["originals", "--run", "mine"], "--run goes with --dataset"),
        (["originals", "--dataset", "mine"], "give a folder with photos, or --dataset NAME"),
        ([], "give a folder with photos, or --dataset NAME"),
    ],
)
def test_polite_refusals(
    tmp_path: Path,
    items: list[PhotoItem],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    words: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    assert _protect(*arguments) == 1
    error = capsys.readouterr().err
    assert words in error
    assert error.startswith("dp2vl: ")
    assert error.count("\n") == 1


@pytest.mark.parametrize("out", ["album/x", "album", "album/anna/x", "link/x"])
def test_an_output_folder_inside_an_album_of_sub_folders_is_refused(
    tmp_path: Path, items: list[PhotoItem], capsys: pytest.CaptureFixture[str], out: str
) -> None:
    def load(request: registry.EncoderRequest) -> Encoder:
        raise AssertionError("loaded before the folder was looked at")

    album = tmp_path / "album"
    album.mkdir()
    (tmp_path / "originals").rename(album / "anna")
    (tmp_path / "link").symlink_to(album)
    registry.register_encoder("never", load)
    assert main(["protect", str(album), "--out", str(tmp_path / out), "--encoder", "never"]) == 1
    error = capsys.readouterr().err
    assert "choose a folder beside the originals" in error
    assert error.count("\n") == 1
    assert list(album.iterdir()) == [album / "anna"]
    through = ["protect", str(tmp_path / "link"), "--out", str(album / "x"), "--encoder", "never"]
    assert main(through) == 1
    assert not (album / "x").exists()


def test_a_link_that_leads_nowhere_fails_as_one_photo(
    tmp_path: Path, items: list[PhotoItem], capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "originals/gone.jpg").symlink_to("/no-such-photo.jpg")
    assert _protect(tmp_path / "originals") == 1
    captured = capsys.readouterr()
    assert captured.err.count("failed: ") == 1
    assert "gone.jpg does not exist: put it back, or leave it out" in captured.err
    assert len(list((tmp_path / "originals-protected/photos").iterdir())) == 10


def test_what_jpeg_cannot_hold_is_said_of_the_photo(
    tmp_path: Path, items: list[PhotoItem], capsys: pytest.CaptureFixture[str]
) -> None:
    assert _protect(tmp_path / "originals", "--format", "jpeg") == 1
    assert "photo04.png: photo04.png has transparency, which" in capsys.readouterr().err


def test_asks_on_a_terminal(
    tmp_path: Path, items: list[PhotoItem], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr("sys.stdin", Terminal("n\n"))
    monkeypatch.setattr("sys.stdout", Terminal())
    assert _protect(tmp_path / "originals") == 0
    assert not (tmp_path / "originals-protected").exists()


def test_folders_as_people(tmp_path: Path, items: list[PhotoItem]) -> None:
    folder = tmp_path / "originals"
    (folder / "anna").mkdir()
    (folder / "photo00.png").rename(folder / "anna/a.png")
    found, others = photos_in(folder, group_by_folder=True)
    assert {item.key: item.group for item in found}["anna/a.png"] == "anna"
    assert len(found) == 10
    assert not others


def test_photos_outside_of_any_sub_folder_are_of_nobody_known(
    tmp_path: Path, items: list[PhotoItem]
) -> None:
    folder = tmp_path / "originals"
    (folder / "anna").mkdir()
    (folder / "photo00.png").rename(folder / "anna/a.png")
    found, _ = photos_in(folder, group_by_folder=True)
    assert {item.group for item in found if item.key != "anna/a.png"} == {None}


def test_a_single_photo(
    tmp_path: Path, items: list[PhotoItem], capsys: pytest.CaptureFixture[str]
) -> None:
    photo = tmp_path / "originals/photo00.png"
    assert _protect(photo, "--strategy", "swap") == 1
    error = capsys.readouterr().err
    assert "found only one" in error
    assert "'erase'" in error
    assert not (tmp_path / "photo00-protected").exists()
    assert _protect(photo) == 0
    assert (tmp_path / "photo00-protected/photos/photo00.png").is_file()
    assert "note: " not in capsys.readouterr().out


def test_one_person_is_refused_before_anything_is_made(
    tmp_path: Path, items: list[PhotoItem], capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "album"
    (tmp_path / "originals").rename(tmp_path / "anna")
    folder.mkdir()
    (tmp_path / "anna").rename(folder / "anna")
    assert _protect(folder, "--group-by-folder", "--strategy", "swap") == 1
    captured = capsys.readouterr()
    assert "choose 'erase', which needs nobody else" in captured.err
    assert "about" not in captured.out
    assert not (tmp_path / "album-protected").exists()
    assert _protect(folder, "--group-by-folder") == 0
    assert len(list((tmp_path / "album-protected/photos/anna").iterdir())) == 10


def test_advice_after_the_first_pass_can_be_followed_in_the_same_folder(
    tmp_path: Path, items: list[PhotoItem], capsys: pytest.CaptureFixture[str]
) -> None:
    # two people by name, but all photos of one of them turn out to be unreadable
    folder = tmp_path / "album"
    (folder / "bob").mkdir(parents=True)
    (tmp_path / "originals").rename(folder / "anna")
    (folder / "bob/broken.png").write_text("no photo")
    assert _protect(folder, "--group-by-folder", "--strategy", "swap") == 1
    assert "'erase'" in capsys.readouterr().err
    assert _protect(folder, "--group-by-folder") == 1
    captured = capsys.readouterr()
    assert "going on with" not in captured.out
    assert captured.err.count("failed: ") == 1
    assert Manifest.load(tmp_path / "album-protected").protection.strategy == "auto"


def test_nameless_photos_are_told_what_to_choose(
    tmp_path: Path, items: list[PhotoItem], capsys: pytest.CaptureFixture[str]
) -> None:
    assert _protect(tmp_path / "originals", "--strategy", "swap") == 0
    told = capsys.readouterr().out
    assert "note: without names photos are grouped by likeness" in told
    assert told.index("note: ") < told.index("about 1 min")
    out = str(tmp_path / "second")
    assert _protect(tmp_path / "originals", "--out", out) == 0
    told = capsys.readouterr().out
    assert "note: nobody is named" in told
    assert "with their names: give each person a sub-folder and --group-by-folder" in told


def test_jpeg_quality(tmp_path: Path, items: list[PhotoItem]) -> None:
    (tmp_path / "originals/photo04.png").unlink()  # one has alpha, which JPEG has not
    (tmp_path / "originals/photo09.png").unlink()
    assert _protect(tmp_path / "originals", "--format", "jpeg", "--jpeg-quality", "70") == 0
    assert Manifest.load(tmp_path / "originals-protected").output.jpeg_quality == 70


@pytest.mark.parametrize("device", ["gpu", "cuda:99", "meta", "mps:7"])
def test_a_device_that_is_not_there(
    tmp_path: Path, items: list[PhotoItem], capsys: pytest.CaptureFixture[str], device: str
) -> None:
    assert _protect(tmp_path / "originals", "--device", device) == 1
    error = capsys.readouterr().err
    assert error.startswith(f"dp2vl: device '{device}' is not usable here: this machine has cpu")
    assert error.count("\n") == 1
    assert not (tmp_path / "originals-protected").exists()


def test_local_files_only_reaches_the_loader(
    tmp_path: Path, items: list[PhotoItem], encoder: Encoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def load(request: registry.EncoderRequest) -> Encoder:
        asked.append(request.local_files_only)
        return encoder

    registry.register_encoder("noting", load)
    common = ["protect", str(tmp_path / "originals"), "--encoder", "noting", "--steps", "1"]
    assert main([*common, "--local-files-only"]) == 0
    registry.unload_encoders()
    assert main([*common, "--out", str(tmp_path / "second")]) == 0
    assert asked == [True, False]
