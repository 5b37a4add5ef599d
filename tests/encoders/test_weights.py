from __future__ import annotations

import pickle
from pathlib import Path

import pytest
import torch
from torch import nn

from fiftyone_dp2vl.encoders.weights import (
    load_strictly,
    load_weights_only,
    read_license,
    read_tensors,
    sha256,
)
from fiftyone_dp2vl.errors import DP2VLError, ModelNotFoundError


class Bomb:
    def __reduce__(self) -> tuple[object, ...]:
        return (Path.touch, (Path("pickle-was-run"),))


def test_a_pickle_is_never_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"weight": torch.ones(1), "other": Bomb()}, tmp_path / "model.bin")
    (tmp_path / "plain.pt").write_bytes(pickle.dumps(Bomb()))
    for name in ("model.bin", "plain.pt"):
        with pytest.raises(DP2VLError, match="bring the model as safetensors"):
            load_weights_only(tmp_path / name)
    assert not (tmp_path / "pickle-was-run").exists()


def test_a_torch_file_of_tensors_is_read(tmp_path: Path) -> None:
    torch.save({"state_dict": {"a.weight": torch.ones(2), "b": torch.zeros(1)}}, tmp_path / "m.bin")
    assert set(read_tensors(tmp_path)) == {"a.weight", "b"}
    assert set(read_tensors(tmp_path, lambda name: name.startswith("a."))) == {"a.weight"}


def test_only_the_files_with_wanted_tensors_are_opened(tmp_path: Path) -> None:
    import json

    from safetensors.torch import save_file

    save_file({"tower.weight": torch.ones(2)}, tmp_path / "one.safetensors")
    names = {"tower.weight": "one.safetensors", "language.weight": "two.safetensors"}
    index = tmp_path / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": names}))
    assert set(read_tensors(tmp_path, lambda name: "tower" in name)) == {"tower.weight"}
    with pytest.raises(ModelNotFoundError, match=r"two\.safetensors is missing"):
        read_tensors(tmp_path)


def test_a_folder_without_weights(tmp_path: Path) -> None:
    with pytest.raises(ModelNotFoundError, match="holds no weights"):
        read_tensors(tmp_path)


def test_half_precision_becomes_float32() -> None:
    layer = nn.Linear(2, 2)
    half = {name: value.half() for name, value in layer.state_dict().items()}
    load_strictly(layer, half, "model")
    assert layer.weight.dtype == torch.float32
    with pytest.raises(DP2VLError, match="weight has shape"):
        load_strictly(layer, {**half, "weight": torch.ones(3, 2)}, "model")


@pytest.mark.parametrize(
    ("card", "license"),
    [
        ("---\nlicense: apache-2.0\ntags: [a]\n---\n# Title\n", "apache-2.0"),
        ("---\nlicense: 'mit' # yes\n---\n", "mit"),
        ("---\nlicense: other\nlicense_name: llama3\n---\n", "llama3"),
        ("# Title\nlicense: mit\n", "unknown"),
        ("---\ntags: [a]\n---\nlicense: mit\n", "unknown"),
    ],
)
def test_the_licence_is_read_from_the_card(tmp_path: Path, card: str, license: str) -> None:
    (tmp_path / "README.md").write_text(card)
    assert read_license(tmp_path) == license


def test_the_hash_sees_names_shapes_types_and_single_bits() -> None:
    def hashed(**weights: torch.Tensor) -> str:
        module = nn.Module()
        for name, value in weights.items():
            module.register_buffer(name, value)
        return sha256(module)

    ones = torch.ones(4)
    last_bit = ones.clone()
    last_bit[2] = torch.nextafter(ones[2], torch.tensor(2.0))
    different = [
        hashed(a=ones),
        hashed(b=ones),
        hashed(a=ones.view(2, 2)),
        hashed(a=ones.double()),
        hashed(a=last_bit),
        hashed(a=ones, b=ones),
        hashed(),
    ]
    assert len(set(different)) == len(different)
    assert hashed(a=ones, b=last_bit) == hashed(b=last_bit, a=ones)
