"""A made-up report card, once."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture(scope="session")
def sample_module() -> Any:
    """The module that makes reports up."""
    path = Path(__file__).with_name("sample_report.py")
    spec = importlib.util.spec_from_file_location("dp2vl_sample_report", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def sample(sample_module: Any) -> Any:
    """The made-up report."""
    return sample_module.sample_report()
