"""Operators called where an event loop runs already, as in a notebook."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import fiftyone.operators as foo
import pytest
from fiftyone.operators.executor import ExecutionError

from fiftyone_dp2vl.store import list_runs, load_run

URI = "@dp2vl/fiftyone_dp2vl/"


def in_notebook(call: Callable[[], Any]) -> Any:
    """Returns what awaiting a call's answer gives."""

    async def cell() -> Any:
        answer = call()
        assert isinstance(answer, asyncio.Task)
        return await answer

    return asyncio.run(cell())


def test_every_answer_is_the_same_once_it_is_awaited(dataset, quick, tiny_encoder, tmp_path):
    operators = {
        name: foo.get_operator(URI + name)
        for name in (
            *("protect", "compute_embeddings", "analyse_run", "evaluate_attack"),
            *("export_release", "audit_release", "delete_run", "doctor"),
        )
    }
    out = str(tmp_path / "out")
    record = in_notebook(lambda: operators["protect"](dataset, "one", output_dir=out, **quick))
    dataset.reload()
    assert record == load_run(dataset, "one").to_dict()
    assert record["state"] == "complete"

    field = in_notebook(lambda: operators["compute_embeddings"](dataset, tiny_encoder))
    dataset.reload()
    assert len(dataset.exists(field)) == 12

    (measured,) = in_notebook(lambda: operators["analyse_run"](dataset, "one"))
    assert measured["encoder"] == tiny_encoder

    proxy = f"proxy:linear@{tiny_encoder}"
    attacked = in_notebook(
        lambda: operators["evaluate_attack"](
            dataset, run="one", identity="identity", query=0.5, attackers=[proxy]
        )
    )
    assert attacked["state"] == "complete"

    folder = tmp_path / "release"
    released = in_notebook(lambda: operators["export_release"](dataset, folder, run="one"))
    assert released["directory"] == str(folder)
    audit = folder.with_name("release.audit.html")
    audit.unlink()
    assert in_notebook(lambda: operators["audit_release"](dataset, folder, run="one")) is None
    assert audit.is_file()

    found = in_notebook(lambda: operators["doctor"](dataset))
    assert {"library", "torch"} <= {check["name"] for check in found["checks"]}

    deleted = in_notebook(lambda: operators["delete_run"](dataset, "one"))
    assert deleted["run"] == "one"
    dataset.reload()
    assert list_runs(dataset) == []


def test_an_error_comes_when_it_is_awaited(dataset):
    operator = foo.get_operator(URI + "delete_run")
    with pytest.raises(ExecutionError, match="no protection run"):
        in_notebook(lambda: operator(dataset, "nothing"))


def test_a_delegated_operation_is_queued(dataset, quick, tmp_path):
    operator = foo.get_operator(URI + "protect")
    out = str(tmp_path / "out")
    queued = in_notebook(lambda: operator(dataset, "later", delegate=True, output_dir=out, **quick))
    assert queued.delegated
