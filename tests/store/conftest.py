"""A tiny vision-language model in its real format, as the attack's own tests build it."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

_BUILDER = Path(__file__).parents[1] / "attack" / "conftest.py"


@pytest.fixture(scope="session")
def tiny_llava(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The name of a tiny LLaVA with random weights."""
    spec = importlib.util.spec_from_file_location("dp2vl_attack_conftest", _BUILDER)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.build_llava(tmp_path_factory.mktemp("vlm") / "llava")
