"""Work in a thread, told to the App step by step."""

from __future__ import annotations

import sys
import threading
import time

import pytest

from fiftyone_dp2vl.errors import Cancelled, ConfigError
from fiftyone_dp2vl.runs import Progress


@pytest.fixture(scope="module")
def streaming():
    import fiftyone.operators as foo

    foo.get_operator("@dp2vl/fiftyone_dp2vl/protect")
    return sys.modules["fiftyone.plugins.orgs.dp2vl.fiftyone_dp2vl.operators.streaming"]


@pytest.fixture
def ctx():
    from fiftyone.operators.executor import ExecutionContext, Executor

    return ExecutionContext({}, executor=Executor())


def progress(done: int) -> Progress:
    return Progress(done, 2, "protect", "protecting", 40.0)


def test_progress_is_told_and_the_result_returned(streaming, ctx):
    def work(report, cancel):
        report(progress(1))
        report(progress(2))
        return "result"

    results = []

    def listen():
        results.append((yield from streaming.stream(ctx, work)))

    told = [message.body.params for message in listen()]
    assert results == ["result"]
    assert told[-1] == {"progress": 1.0, "label": "protecting, about 40 s left"}


def test_errors_come_back(streaming, ctx):
    def work(report, cancel):
        raise ConfigError("no")

    with pytest.raises(ConfigError, match="no"):
        list(streaming.stream(ctx, work))


def test_work_is_cancelled_when_nobody_listens_any_more(streaming, ctx):
    ended = threading.Event()

    def work(report, cancel):
        report(progress(1))
        while not cancel():
            time.sleep(0.01)
        ended.set()
        raise Cancelled("cancelled")

    stream = streaming.stream(ctx, work)
    next(stream)
    stream.close()
    assert ended.is_set()


def test_one_run_at_a_time(streaming, ctx):
    order = []

    def work(name):
        def run(report, cancel):
            order.append(name)
            report(progress(1))
            time.sleep(0.2)
            order.append(name)

        return run

    first = streaming.stream(ctx, work("a"))
    next(first)
    second = streaming.stream(ctx, work("b"))
    assert next(second).body.params["label"] == "Waiting for another run to finish"
    list(second)
    list(first)
    assert order == ["a", "a", "b", "b"]
