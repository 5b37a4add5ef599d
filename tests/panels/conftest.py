"""A small world for the panels, a panel driven over HTTP as the App does it, and a browser."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pydash
import pytest

sys.path.append(str(Path(__file__).resolve().parent))

URI = "@dp2vl/fiftyone_dp2vl/"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    # the world takes longer to make than most of the tests that use it: one process makes it
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.xdist_group("panels"))


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A dataset with a run, a held-out encoder and a made-up evaluation of an attack."""
    from panel_report import store_evaluation
    from panel_world import make_dataset

    folder = tmp_path_factory.mktemp("world")
    dataset = make_dataset(folder, "panel-world")
    store_evaluation(dataset, folder, "eval1")
    yield dataset
    dataset.delete()


@pytest.fixture(scope="session")
def client() -> Iterator[Any]:
    """FiftyOne's server, in this process."""
    from fiftyone.server.app import app
    from starlette.testclient import TestClient

    with TestClient(app) as client:
        yield client


class DrivenPanel:
    """A panel as the App holds it: what it answers changes its state, data and content."""

    def __init__(self, client: Any, dataset: Any, name: str) -> None:
        self.client, self.dataset, self.uri = client, dataset, URI + name
        self.state: dict[str, Any] = {}
        self.data: dict[str, Any] = {}
        self.content: dict[str, Any] = {}
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.app: dict[str, Any] = {}

    def do(self, method: str, /, **params: Any) -> list[tuple[str, dict[str, Any]]]:
        """Calls one of the panel's methods; returns what it asks the App to do."""
        body = {
            "operator_uri": self.uri,
            "dataset_name": self.dataset.name,
            "view": [],
            **self.app,
            "params": {
                "panel_id": "p1",
                "panel_state": self.state,
                "__method__": method,
                **params,
            },
        }
        body["panel_state"] = self.state
        answer = self.client.post("/operators/execute", json=body)
        assert answer.status_code == 200, answer.text
        result = answer.json()
        assert not result.get("error"), result
        self.asked = []
        for request in result["executor"]["requests"]:
            name, given = request["operator_uri"].split("/")[-1], request["params"]
            if name == "patch_panel_state":
                for path, value in given["state"].items():
                    pydash.set_(self.state, path, value)
            elif name == "patch_panel_data":
                for path, value in given["data"].items():
                    pydash.set_(self.data, path, value)
            elif name == "show_panel_output":
                self.content = given["output"]
            else:
                self.asked.append((name, given))
        return self.asked

    def find(self, name: str) -> dict[str, Any] | None:
        """Returns a part of the content by its name, wherever it is."""
        queue = [self.content["type"]]
        while queue:
            found = queue.pop(0)
            properties = found.get("properties", {})
            if name in properties:
                return properties[name]
            queue += [p["type"] for p in properties.values() if isinstance(p.get("type"), dict)]
        return None

    def text(self) -> str:
        """Returns all text of the content."""
        said: list[str] = []

        def walk(part: dict[str, Any]) -> None:
            for prop in part.get("properties", {}).values():
                view = prop.get("view") or {}
                said.extend(
                    str(text)
                    for text in (prop.get("default"), view.get("label"), view.get("caption"))
                    if isinstance(text, str)
                )
                walk(prop["type"])

        walk(self.content["type"])
        return "\n".join(said)


@pytest.fixture
def open_panel(client: Any, world: Any) -> Callable[..., DrivenPanel]:
    """Returns a panel that was just opened, with the state that the App kept of it."""

    def make(
        name: str, dataset: Any = None, *, state: dict[str, Any] | None = None, **app: Any
    ) -> DrivenPanel:
        panel = DrivenPanel(client, world if dataset is None else dataset, name)
        panel.app = app
        panel.state = state or {}
        panel.do("on_load")
        return panel

    return make
