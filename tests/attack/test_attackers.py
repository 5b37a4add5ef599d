"""Attackers by name."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from PIL import Image

from fiftyone_dp2vl.attack import (
    AttackerRequest,
    Conversation,
    FineTuneConfig,
    list_attackers,
    load_attacker,
    register_attacker,
    registry,
)
from fiftyone_dp2vl.errors import ConfigError, ModelNotFoundError


def test_all_families_are_listed() -> None:
    names = [listing.name for listing in list_attackers()]
    families = ["llava:", "qwen_vl:", "qwen_vl_original:", "minigpt_v2:", "auto:"]
    assert names[:6] == ["embedded", *families]
    assert all(listing.description for listing in list_attackers())


def test_a_users_own_attacker(tiny_llava: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_entries", dict(registry._entries))
    asked: list[AttackerRequest] = []

    def load(request: AttackerRequest) -> Any:
        asked.append(request)
        return load_attacker(tiny_llava)

    register_attacker("mine:", load, description="my own")
    load_attacker("mine:it", device="cpu", trust_remote_code=True)
    assert asked == [AttackerRequest("mine:it", "it", "cpu", False, True)]
    assert list_attackers()[-1] == ("mine:", "my own", True)
    with pytest.raises(ConfigError, match="registered already"):
        register_attacker("mine", load)
    with pytest.raises(ConfigError, match="cannot name"):
        register_attacker("a b", load)


def test_wrong_names_are_refused_with_a_hint(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match="did you mean 'embedded'"):
        load_attacker("embeded")
    with pytest.raises(ConfigError, match="names no model"):
        load_attacker("llava:")
    with pytest.raises(ModelNotFoundError, match="hf download some/model"):
        load_attacker("llava:some/model", local_files_only=True)
    entry = registry._Entry(lambda request: None, "", ("no_such_package",))  # type: ignore[arg-type, return-value]
    monkeypatch.setitem(registry._entries, "odd", entry)
    assert not list_attackers()[-1].ready
    with pytest.raises(ModelNotFoundError, match="pip install no_such_package"):
        load_attacker("odd")


def test_a_package_without_its_model_says_so(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    from fiftyone_dp2vl.attack import llava

    monkeypatch.setattr(registry, "EMBEDDED_VLM", tmp_path)
    monkeypatch.setattr(llava, "EMBEDDED_VLM", tmp_path)
    assert not list_attackers()[0].ready
    with pytest.raises(ModelNotFoundError, match="install the package again"):
        load_attacker("embedded")


def test_every_call_loads_anew(
    tiny_llava: str,
    lessons: Sequence[Conversation],
    pictures: Callable[[str], Image.Image],
    recipe: FineTuneConfig,
) -> None:
    one, other = load_attacker(tiny_llava), load_attacker(tiny_llava)
    before = other.model.state_dict()  # type: ignore[attr-defined]
    kept = {name: weight.clone() for name, weight in before.items()}
    one.fine_tune(lessons[:4], pictures, recipe)
    after = other.model.state_dict()  # type: ignore[attr-defined]
    assert all((after[name] == weight).all() for name, weight in kept.items())


def test_listing_imports_little() -> None:
    code = (
        "import sys; from fiftyone_dp2vl.attack import list_attackers; list_attackers(); "
        "sys.exit('transformers' in sys.modules or 'fiftyone' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
