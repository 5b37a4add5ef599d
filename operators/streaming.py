"""Running a library call so that the App sees it move, and only one at a time."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Generator
from typing import Any, TypeVar

import fiftyone.operators as foo

T = TypeVar("T")

Report = Callable[[Any], None]
Cancel = Callable[[], bool]
Work = Callable[[Report, Cancel], T]
Phases = dict[str, tuple[float, float]]

# Two runs in one process would share its GPU's memory and its cores, and both would be slower.
_ENGINE = threading.Lock()

_SECONDS_BETWEEN_REPORTS = 0.5
_SECONDS_BETWEEN_LOOKS = 2.0


def stream(
    ctx: foo.ExecutionContext, work: Work[T], phases: Phases | None = None
) -> Generator[Any, None, T]:
    """Runs ``work(report, cancel)`` and yields its progress as messages for the App.

    A delegated operation reports to the database instead, and is cancelled when it is marked as
    failed there (``fiftyone delegated fail ID``) or deleted. When the App's request ends early, as
    when its page is closed, the work is cancelled.

    Args:
        ctx: the operator's
        work: takes a callback for :class:`fiftyone_dp2vl.runs.Progress` and a question whether to
            stop
        phases: the part of the progress bar that each phase of the work fills; by default a phase
            fills all of it

    Returns:
        what ``work`` returned, which an operator gets by ``yield from``
    """
    if ctx.delegated:
        with _ENGINE:
            report = _throttled(lambda p: ctx.set_progress(**_shown(p, phases)))
            return work(report, _withdrawn(ctx))
    return (yield from _stream_from_thread(ctx, work, phases))


def _withdrawn(ctx: foo.ExecutionContext) -> Cancel:
    """Returns a question whether somebody has marked a delegated operation as failed."""
    from fiftyone.operators.delegated import DelegatedOperationService
    from fiftyone.operators.executor import ExecutionRunState

    # FiftyOne's own set_progress finds the operation by it
    operation = ctx._delegated_operation_id
    service = DelegatedOperationService()
    looked, answer = time.monotonic(), False

    def cancel() -> bool:
        nonlocal looked, answer
        if not answer and time.monotonic() - looked >= _SECONDS_BETWEEN_LOOKS:
            looked = time.monotonic()
            try:
                answer = service.get(operation).run_state == ExecutionRunState.FAILED
            except ValueError:  # it was deleted
                answer = True
        return answer

    return cancel


def _stream_from_thread(
    ctx: foo.ExecutionContext, work: Work[T], phases: Phases | None
) -> Generator[Any, None, T]:
    events: queue.SimpleQueue[Any] = queue.SimpleQueue()
    stop = threading.Event()
    outcome: dict[str, Any] = {}

    def target() -> None:
        try:
            with _ENGINE:
                outcome["result"] = work(_throttled(events.put), stop.is_set)
        except BaseException as error:
            outcome["error"] = error
        finally:
            events.put(None)

    if _ENGINE.locked():
        yield ctx.ops.set_progress(progress=0, label="Waiting for another run to finish")
    thread = threading.Thread(target=target, name="dp2vl-operator", daemon=True)
    thread.start()
    try:
        while (progress := events.get()) is not None:
            yield ctx.ops.set_progress(**_shown(progress, phases))
    finally:
        stop.set()
        thread.join()
    if "error" in outcome:
        raise outcome["error"]
    return outcome["result"]


def _throttled(report: Report) -> Report:
    """Lets a report through when the last is half a second old, or the phase is over."""
    last = [0.0]

    def call(progress: Any) -> None:
        now = time.monotonic()
        if now - last[0] >= _SECONDS_BETWEEN_REPORTS or progress.done == progress.total:
            last[0] = now
            report(progress)

    return call


def _shown(progress: Any, phases: Phases | None) -> dict[str, Any]:
    first, last = (phases or {}).get(progress.phase, (0.0, 1.0))
    share = first + (last - first) * (progress.done / progress.total if progress.total else 0.0)
    label = progress.label
    if progress.eta_seconds:
        label = f"{label}, about {duration(progress.eta_seconds)} left"
    return {"progress": share, "label": label}


def duration(seconds: float) -> str:
    """Returns a time as a person says it."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    if seconds < 90 * 60:
        return f"{round(seconds / 60)} min"
    return f"{seconds / 3600:.1f} h"
