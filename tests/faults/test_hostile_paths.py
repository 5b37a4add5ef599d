"""Paths and names from datasets, journals and labels are not trusted."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from fiftyone_dp2vl.config import OutputConfig, ProtectionConfig, SelectionConfig
from fiftyone_dp2vl.errors import DP2VLError, RunError
from fiftyone_dp2vl.runs import PhotoItem, protect_photos
from fiftyone_dp2vl.runs.names import file_names

EVIL = [
    "../../evil",
    "/evil",
    "..\\..\\evil",
    "a/../../evil",
    "evil\n\x1b[31m.png",
    "CON",
    ".hidden/.lock",
    "../run.json",
    "x" * 4000,
    "a/./b",
    "a\x00b",
    "C:\\evil",
]


@pytest.fixture
def photo(tmp_path: Path, photo_folder: Path) -> Path:
    return photo_folder / "photo00.png"


@pytest.fixture
def config(tiny_encoder: str) -> ProtectionConfig:
    return ProtectionConfig(encoders=(tiny_encoder,), steps=1, lanes=4, grid_pixels=4096)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[None]:
    """Fails a test that wrote anywhere in its folder but where it may."""
    (tmp_path / "deep" / "deeper").mkdir(parents=True)
    yield
    names = {p.name for p in tmp_path.iterdir()}
    assert names <= {"originals", "deep", "run", "outside"}, names
    assert {p.name for p in (tmp_path / "deep").iterdir()} == {"deeper"}


@pytest.mark.usefixtures("world", "originals_untouched")
def test_keys_name_files_inside_the_runs_folder_alone(tmp_path, photo, photo_folder, config):
    others = sorted(photo_folder.iterdir())
    items = [
        PhotoItem(key, others[number], group=f"p{number % 3}") for number, key in enumerate(EVIL)
    ]
    folder = tmp_path / "deep" / "deeper" / "run"
    result = protect_photos(items, folder, config, SelectionConfig(), OutputConfig())
    root = (folder / "photos").resolve()
    for record in result.records:
        assert record.status == "protected", record.error
        assert root in record.path.resolve().parents
        assert record.path.name.isprintable()
    assert len({record.path for record in result.records}) == len(EVIL)


def test_no_character_of_a_name_turns_what_a_person_reads():
    (name,) = file_names(["\u202egnp.exe"], ".png").values()
    assert name.isprintable()


@pytest.mark.usefixtures("world")
def test_a_journal_that_was_changed_leads_nowhere(tmp_path, photo_folder, config):
    items = [
        PhotoItem(p.name, p, group=f"p{n % 3}")
        for n, p in enumerate(sorted(photo_folder.iterdir()))
    ]
    folder = tmp_path / "run"
    protect_photos(items, folder, config, SelectionConfig(), OutputConfig())
    journal = folder / "journal.jsonl"
    lines = journal.read_text().splitlines()
    victim = tmp_path / "outside"
    victim.write_text("mine")
    (folder / "photos" / "link").symlink_to(tmp_path)
    for evil in ("../outside", str(victim), "photos/../../outside", "photos/link/outside", "C:/x"):
        entry = {**json.loads(lines[-1]), "path": evil, "status": "protected"}
        journal.write_text("\n".join([*lines, json.dumps(entry)]) + "\n")
        with pytest.raises(RunError, match="tampered with"):
            protect_photos(items, folder, config, SelectionConfig(), OutputConfig())
        assert victim.read_text() == "mine"


def test_targets_that_would_run_code_are_not_unpickled(tmp_path, photo_folder, config):
    items = [
        PhotoItem(p.name, p, group=f"p{n % 3}")
        for n, p in enumerate(sorted(photo_folder.iterdir()))
    ]
    folder = tmp_path / "run"
    protect_photos(items, folder, config, SelectionConfig(), OutputConfig())
    marker = tmp_path / "executed"
    code = f"cos\nsystem\n(S'touch {marker}'\ntR.".encode()
    (folder / "targets.safetensors").write_bytes(code)
    for pending in (folder / "pending").glob("*"):
        pending.write_bytes(code)
    with pytest.raises(RunError):
        protect_photos(items, folder, config, SelectionConfig(), OutputConfig())
    assert not marker.exists()


def test_weights_that_would_run_code_are_not_unpickled(tmp_path, tiny_encoder):
    import shutil

    from fiftyone_dp2vl.encoders import load_encoder

    marker = tmp_path / "executed"
    folder = tmp_path / "model"
    shutil.copytree(tiny_encoder.partition(":")[2], folder)
    (folder / "model.safetensors").unlink()
    code = f"cos\nsystem\n(S'touch {marker}'\ntR.".encode()
    (folder / "pytorch_model.bin").write_bytes(code)
    with pytest.raises(DP2VLError):
        load_encoder(f"hf:{folder}")
    assert not marker.exists()


def test_an_original_is_only_read_never_followed_to_be_written(tmp_path, photo_folder, quick):
    """A dataset's path that is a link, a folder or a device becomes a refusal or a copy."""
    import fiftyone as fo

    from fiftyone_dp2vl.store import protect_dataset

    (tmp_path / "links").mkdir()
    (tmp_path / "links" / "a.png").symlink_to(photo_folder / "photo00.png")
    (tmp_path / "links" / "folder").mkdir()
    paths = [tmp_path / "links" / "a.png", Path("/etc/passwd"), tmp_path / "links" / "folder"]
    paths += sorted(photo_folder.iterdir())[1:5]
    dataset: Any = fo.Dataset()
    dataset.add_samples(
        [
            fo.Sample(filepath=str(path), media_type="image", who=f"p{n % 2}")
            for n, path in enumerate(paths)
        ]
    )
    before = Image.open(photo_folder / "photo00.png").tobytes()
    try:
        record = protect_dataset(
            dataset, "one", output_dir=str(tmp_path / "run"), group_field="who", **quick
        )
        assert record.counts == {"protected": 5, "clean": 0, "failed": 2}
        assert Image.open(photo_folder / "photo00.png").tobytes() == before
    finally:
        dataset.delete()
