"""The plugin in this process: registered as listed, placed, and described."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def state():
    from fiftyone_dp2vl.store.plugin import inspect_plugin

    return inspect_plugin()


def test_yml_lists_exactly_what_is_registered(state):
    assert state.errors == ()
    assert state.listed == state.registered
    assert state.folder.resolve() == REPOSITORY


def test_yml_has_the_librarys_version():
    import fiftyone_dp2vl

    listed = yaml.safe_load((REPOSITORY / "fiftyone.yml").read_text())
    assert listed["version"] == fiftyone_dp2vl.__version__


def test_requirements_are_the_librarys_and_fiftyone():
    tomllib = pytest.importorskip("tomllib")
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    lines = (REPOSITORY / "requirements.txt").read_text().splitlines()
    asked = {line for line in lines if line and not line.startswith("#")}
    assert asked == {*project["dependencies"], *project["optional-dependencies"]["app"]}


def test_yml_asks_for_the_fiftyone_that_the_requirements_ask_for():
    listed = yaml.safe_load((REPOSITORY / "fiftyone.yml").read_text())
    lines = (REPOSITORY / "requirements.txt").read_text().splitlines()
    assert f"fiftyone{listed['fiftyone']['version']}" in lines


def test_every_operator_says_what_it_is(state):
    import fiftyone.operators as foo

    found = foo.list_operators(builtin=False, type="operator")
    operators = [op for op in found if "dp2vl" in op.uri]
    listed = yaml.safe_load((REPOSITORY / "fiftyone.yml").read_text())
    assert {op.name for op in operators} == set(listed["operators"])
    for operator in operators:
        config = operator.config
        assert config.description
        assert config.label[0].isupper()
        assert config.label[1:] == config.label[1:].lower()
        assert (REPOSITORY / config.icon.lstrip("/")).is_file()
        assert config.risk_level.value in ("low", "medium", "high")
