"""FiftyOne's own ways to an operator: its server, its executor, its queue."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

URI = "@dp2vl/fiftyone_dp2vl/"


@pytest.fixture(scope="session")
def server() -> Iterator[Any]:
    """FiftyOne's server, in this process."""
    from fiftyone.server.app import app
    from starlette.testclient import TestClient

    with TestClient(app) as client:
        yield client


def _request(dataset: Any, name: str, params: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "operator_uri": URI + name,
        "dataset_name": dataset.name,
        "view": [],
        "params": params,
        **more,
    }


@pytest.fixture
def form(server: Any, dataset: Any) -> Callable[..., dict[str, Any]]:
    """Returns the inputs of an operator's form as the App gets them."""

    def resolve(name: str, params: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
        data = _request(dataset, name, params or {}, target="inputs", **more)
        answer = server.post("/operators/resolve-type", json=data)
        assert answer.status_code == 200, answer.text
        body = answer.json()
        assert "type" in body, body
        properties: dict[str, Any] = body["type"]["properties"]
        return properties

    return resolve


@pytest.fixture
def problems(form: Callable[..., dict[str, Any]]) -> Callable[..., list[str]]:
    """Returns what an operator's form says is wrong."""

    def find(name: str, params: dict[str, Any] | None = None, **more: Any) -> list[str]:
        shown = form(name, params, **more)
        return [value["error_message"] for value in shown.values() if value.get("invalid")]

    return find


@pytest.fixture
def generate(server: Any, dataset: Any) -> Callable[..., list[dict[str, Any]]]:
    """Executes a generator operator as the App does; returns its messages."""

    def execute(name: str, params: dict[str, Any], **more: Any) -> list[dict[str, Any]]:
        data = _request(dataset, name, params, **more)
        answer = server.post("/operators/execute/generator", json=data)
        assert answer.status_code == 200, answer.text
        return [json.loads(line) for line in answer.text.splitlines() if line.strip()]

    return execute
