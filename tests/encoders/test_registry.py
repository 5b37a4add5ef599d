from __future__ import annotations

import subprocess
import sys
import time
from typing import Any

import pytest
import torch
from torch import nn

from fiftyone_dp2vl.encoders import (
    Encoder,
    EncoderRequest,
    PreprocessSpec,
    list_encoders,
    load_encoder,
    register_encoder,
    registry,
    wrap_module,
)
from fiftyone_dp2vl.errors import ConfigError, ModelNotFoundError

SPEC = PreprocessSpec(size=(16, 16), mode="squash", mean=(0.5,) * 3, std=(0.5,) * 3)


def small(request: EncoderRequest) -> Encoder:
    width = int(request.take("width").get("width", "4"))
    return wrap_module(nn.Conv2d(3, width, 8, stride=8), SPEC, name=request.name)


@pytest.mark.usefixtures("own_registry")
def test_a_users_encoder_by_name_and_by_prefix() -> None:
    register_encoder("mine", small, description="a convolution")
    register_encoder("my:", small)
    assert load_encoder("mine").info.dim == 4
    assert load_encoder("my:own/path?width=6").info.dim == 6
    assert {"mine", "my:"} <= {listing.name for listing in list_encoders()}


@pytest.mark.usefixtures("own_registry")
def test_an_encoder_is_loaded_once() -> None:
    register_encoder("mine", small)
    assert load_encoder("mine") is load_encoder("mine")
    assert load_encoder("mine?width=6") is not load_encoder("mine")


@pytest.mark.usefixtures("own_registry")
def test_a_taken_name_is_refused() -> None:
    register_encoder("mine", small)
    for name in ("mine", "mine:", "embedded", "hf:", "hf"):
        with pytest.raises(ConfigError, match="is registered already"):
            register_encoder(name, small)


@pytest.mark.parametrize("name", ["", ":", "a b", "a?b", "a:b"])
def test_an_impossible_name_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match="cannot name an encoder"):
        register_encoder(name, small)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("embeded", r"no encoder is called 'embeded': did you mean 'embedded'"),
        ("open-clip:ViT-B-32/openai", r"did you mean 'open_clip:'"),
        ("something", r"the names are embedded, local:, hf:, open_clip:, llava:"),
        ("hf:", r"names no model"),
        ("hf:a/b?layer", r"give \?key=value"),
        ("hf:a/b?leyer=1", r"unknown option 'leyer'"),
        ("local:/nowhere", r"is no folder"),
        ("hf:/nowhere", r"is no folder on this machine and no id"),
    ],
)
def test_a_wrong_name_is_answered_with_one_sentence(name: str, message: str) -> None:
    with pytest.raises((ConfigError, ModelNotFoundError), match=message) as caught:
        load_encoder(name)
    assert "\n" not in str(caught.value)


def test_the_families_are_listed() -> None:
    listed = {listing.name: listing for listing in list_encoders()}
    expected = ["embedded", "local:", "hf:", "open_clip:", "llava:"]
    expected += ["qwen2_vl:", "qwen2_5_vl:", "qwen3_vl:"]
    assert [name for name in listed if name in expected] == expected
    assert all(listing.description for listing in listed.values())


def test_a_missing_embedded_model_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    monkeypatch.setattr(registry, "EMBEDDED", tmp_path)
    assert not next(listing.ready for listing in list_encoders() if listing.name == "embedded")
    with pytest.raises(ModelNotFoundError, match="install the package again"):
        load_encoder("embedded")


def test_the_embedded_model_is_a_clip_folder_in_the_package(
    monkeypatch: pytest.MonkeyPatch, saved: Any
) -> None:
    transformers = pytest.importorskip("transformers")
    from pathlib import Path

    vision = transformers.CLIPVisionConfig(
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=16,
        image_size=16,
        patch_size=8,
    )
    folder = saved(transformers.CLIPVisionModel(vision))
    monkeypatch.setattr(registry, "EMBEDDED", Path(folder))
    encoder = load_encoder("embedded")
    assert encoder.info.name == "embedded"
    assert load_encoder("embedded?layer=-1").info.name == "embedded?layer=-1"


def test_an_unreachable_hub_is_found_out_fast(monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    start = time.monotonic()
    with pytest.raises(ModelNotFoundError, match="hf download some/model --local-dir") as caught:
        load_encoder("hf:some/model")
    assert time.monotonic() - start < 10
    assert "\n" not in str(caught.value)


def test_local_files_only_never_asks_the_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    import socket

    from huggingface_hub import constants

    def refuse(*args: Any, **kwargs: Any) -> None:
        raise AssertionError("the network was asked")

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    for name in ("hf:some/model", "llava:some/model", "qwen2_vl:some/model"):
        with pytest.raises(ModelNotFoundError, match="is not in this machine's cache"):
            load_encoder(name, local_files_only=True)


def test_a_model_in_the_hubs_cache_is_found(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Any, saved: Any
) -> None:
    import shutil

    from huggingface_hub import constants

    transformers = pytest.importorskip("transformers")
    vision = transformers.CLIPVisionConfig(
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=16,
        image_size=16,
        patch_size=8,
    )
    folder = saved(transformers.CLIPVisionModel(vision))
    cached = tmp_path / "cache" / "models--some--model"
    commit = "0" * 40
    shutil.copytree(folder, cached / "snapshots" / commit)
    (cached / "refs").mkdir()
    (cached / "refs" / "main").write_text(commit)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    assert load_encoder("hf:some/model", local_files_only=True).info.family == "clip"


def test_the_core_needs_neither_fiftyone_nor_open_clip_nor_transformers() -> None:
    code = (
        "import sys\n"
        "for name in ('fiftyone', 'open_clip', 'timm', 'transformers', 'huggingface_hub', 'PIL'):\n"
        "    sys.modules[name] = None\n"
        "import torch\n"
        "from fiftyone_dp2vl.encoders import *\n"
        "spec = PreprocessSpec(size=(8, 8), mode='crop', mean=(0.5,) * 3, std=(0.5,) * 3)\n"
        "encoder = wrap_module(torch.nn.Conv2d(3, 4, 4, stride=4), spec, name='mine')\n"
        "assert encoder([torch.rand(3, 9, 12)]).tokens.shape == (1, 4, 4)\n"
        "assert encoder.info.parameters == 196\n"
        "assert not {e.name: e.ready for e in list_encoders()}['open_clip:']\n"
        "try: load_encoder('open_clip:ViT-B-32/openai')\n"
        "except Exception as error: assert 'pip install open_clip_torch' in str(error), error\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.usefixtures("own_registry")
def test_a_device_can_be_named() -> None:
    register_encoder("mine", small)
    assert load_encoder("mine", device=torch.device("cpu")).device.type == "cpu"
    assert load_encoder("mine", device="cpu") is load_encoder("mine")
