"""``dp2vl protect`` on a plain folder."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

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
        (["nowhere"], "is not a folder"),
        (["empty"], "there are no photos"),
        (["originals", "--out", "originals/out"], "beside the originals"),
        (["originals", "--epsilon", "loud"], "epsilon is 'loud'"),
        (["originals", "--ratio", "2"], "ratio is 2"),
        (["originals", "--stratify"], "needs groups"),
        (["originals", "--strategy", "pray"], "pray"),
        (["originals", "--format", "gif"], "format is 'gif'"),
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
