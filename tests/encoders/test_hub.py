"""What is fetched from the hub, with a hub of our own in place of the network."""

from __future__ import annotations

import fnmatch
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from fiftyone_dp2vl.encoders.weights import find_model
from fiftyone_dp2vl.errors import ModelNotFoundError

huggingface_hub = pytest.importorskip("huggingface_hub")


class Hub:
    """Repositories in a folder, and a note of every file that was fetched."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.fetched, self.error = folder, [], None  # type: ignore[var-annotated]

    def model_info(self, model: str, timeout: float) -> Any:
        assert timeout <= 10
        if self.error is not None:
            raise self.error
        names = [file.name for file in (self.folder / "remote" / model).iterdir()]
        return SimpleNamespace(siblings=[SimpleNamespace(rfilename=name) for name in names])

    def snapshot_download(
        self, model: str, *, allow_patterns: list[str], local_files_only: bool = False
    ) -> str:
        cache = self.folder / "cache" / model
        if local_files_only:
            if not cache.is_dir():
                raise huggingface_hub.errors.LocalEntryNotFoundError("not here")
            return str(cache)
        cache.mkdir(parents=True, exist_ok=True)
        for file in sorted((self.folder / "remote" / model).iterdir()):
            wanted = any(fnmatch.fnmatch(file.name, pattern) for pattern in allow_patterns)
            if wanted and not (cache / file.name).exists():
                shutil.copy(file, cache)
                self.fetched.append(file.name)
        return str(cache)


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Hub:
    fake = Hub(tmp_path)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(huggingface_hub, "HfApi", lambda: fake)
    monkeypatch.setattr(huggingface_hub, "snapshot_download", fake.snapshot_download)
    return fake


@pytest.fixture
def put(hub: Hub) -> Callable[..., None]:
    def put(model: str, *names: str, **index: dict[str, str]) -> None:
        from safetensors.torch import save_file

        folder = hub.folder / "remote" / model
        folder.mkdir(parents=True)
        (folder / "config.json").write_text("{}")
        for name in names:
            save_file({"weight": torch.ones(1)}, folder / name)
        for weight_map in index.values():
            text = json.dumps({"weight_map": weight_map})
            (folder / "model.safetensors.index.json").write_text(text)

    return put


def test_safetensors_are_fetched_and_torch_files_are_not(hub: Hub, put: Any) -> None:
    put("org/model", "model.safetensors", "pytorch_model.bin", "flax_model.msgpack")
    folder = find_model("org/model")
    assert (folder / "model.safetensors").is_file()
    assert hub.fetched == ["config.json", "model.safetensors"]


def test_torch_files_are_fetched_where_there_is_nothing_else(hub: Hub, put: Any) -> None:
    put("org/model", "pytorch_model.bin")
    find_model("org/model")
    assert hub.fetched == ["config.json", "pytorch_model.bin"]


def test_only_the_shards_with_the_tower_are_fetched(hub: Hub, put: Any) -> None:
    shards = [f"model-0000{i}-of-00003.safetensors" for i in (1, 2, 3)]
    names = {"language.a": shards[0], "tower.a": shards[1], "language.b": shards[2]}
    put("org/model", *shards, index=names)

    def wanted(name: str) -> bool:
        return name.startswith("tower.")

    find_model("org/model", wanted=wanted)
    assert [name for name in hub.fetched if name.endswith(".safetensors")] == [shards[1]]
    hub.error = RuntimeError("the hub must not be asked for what is here")
    find_model("org/model", wanted=wanted)
    find_model("org/model", wanted=wanted, local_files_only=True)
    with pytest.raises(ModelNotFoundError, match="is not in this machine's cache"):
        find_model("org/model", local_files_only=True)  # now the whole model is wanted


def test_the_best_of_several_named_files_is_fetched(hub: Hub, put: Any) -> None:
    put("timm/model", "model.safetensors", "open_clip_model.safetensors", "open_clip_model.bin")
    find_model("timm/model", files=("open_clip_model.safetensors", "open_clip_model.bin"))
    assert hub.fetched == ["config.json", "open_clip_model.safetensors"]


def _answer(kind: str) -> Exception:
    """Returns an error of the hub without the HTTP response that it is usually made from."""
    error_class = getattr(huggingface_hub.errors, kind)
    error: Exception = error_class.__new__(error_class)
    return error


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("GatedRepoError", "asks for its licence to be accepted"),
        ("RepositoryNotFoundError", "is not on the hub, or not open to you"),
        ("HfHubHTTPError", "the hub cannot be reached: run `hf download org/model"),
    ],
)
def test_each_refusal_has_its_sentence(hub: Hub, kind: str, message: str) -> None:
    hub.error = _answer(kind)
    with pytest.raises(ModelNotFoundError, match=message):
        find_model("org/model")


def test_the_hubs_own_offline_switch(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(ModelNotFoundError, match="HF_HUB_OFFLINE is set"):
        find_model("org/model")
