"""A GPU without memory is said in one sentence, wherever in a run it shows."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor

from fiftyone_dp2vl.config import OutputConfig, ProtectionConfig, SelectionConfig
from fiftyone_dp2vl.encoders import Encoder, Features
from fiftyone_dp2vl.errors import RunError
from fiftyone_dp2vl.runs import PhotoItem, RunResult, estimate

Runner = Callable[..., RunResult]
SENTENCE = "the GPU has too little free memory: stop what else uses it or choose the device cpu"


def greedy(encoder: Encoder, calls: int) -> Encoder:
    """Makes a surrogate find no memory after a number of passes."""

    class Greedy(type(encoder)):  # type: ignore[misc]
        done = 0

        def encode(self, inputs: Tensor) -> Features:
            if inputs.is_meta:
                return super().encode(inputs)
            Greedy.done += 1
            if Greedy.done > calls:
                raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
            return super().encode(inputs)

    return Greedy()


@pytest.mark.parametrize("calls", [0, 3, 40], ids=["survey", "engine", "verification"])
def test_whichever_part_of_a_run_it_is(
    items: list[PhotoItem], run: Runner, encoder: Encoder, calls: int
) -> None:
    with pytest.raises(RunError, match=SENTENCE):
        run(items, encoders=[greedy(encoder, calls)])
    assert len(run(items).with_status("protected")) == 10


@pytest.mark.parametrize("calls", [0, 1])
def test_in_the_forecast(
    tmp_path: Path, items: list[PhotoItem], encoder: Encoder, config: ProtectionConfig, calls: int
) -> None:
    settings = (config, SelectionConfig(), OutputConfig())
    with pytest.raises(RunError, match=SENTENCE):
        estimate(items, tmp_path / "run", *settings, encoders=[greedy(encoder, calls)])
