"""The speed comparison compares like with like."""

from __future__ import annotations

import pytest
import torch

from fiftyone_dp2vl.bench import timing
from fiftyone_dp2vl.bench.hardware import peak_flops, step_flops
from fiftyone_dp2vl.bench.pgd import LossAsLogits, protect_with_pgd
from fiftyone_dp2vl.bench.task import make_task
from fiftyone_dp2vl.bench.wall import wall_over_engine
from fiftyone_dp2vl.config import ProtectionConfig
from fiftyone_dp2vl.encoders import load_encoder
from fiftyone_dp2vl.protection import protect


@pytest.fixture(scope="module")
def task(tiny_clip):
    encoder = load_encoder(tiny_clip[0])
    config = ProtectionConfig(encoders=(tiny_clip[0],), steps=2, lanes=4, precision="fp32")
    return make_task(encoder, config, 4)


def test_pgd_is_given_the_engines_own_loss(task):
    found = protect(
        task.grids,
        task.config,
        encoders=[task.encoder],
        targets=task.targets,
        keys=list(task.keys),
    )
    model = LossAsLogits(task)
    images = torch.stack(list(task.grids))
    model.start(images, list(task.keys))
    moved = images + torch.stack([one.delta for one in found])
    assert model.loss(moved).tolist() == pytest.approx([one.loss for one in found], abs=1e-4)


def test_the_logits_keep_the_signs_of_the_losss_gradient(task):
    model = LossAsLogits(task)
    images = torch.stack(list(task.grids)).requires_grad_()
    model.start(images.detach(), list(task.keys))
    labels = torch.zeros(len(images), dtype=torch.long)
    cost = torch.nn.functional.cross_entropy(model(images), labels)
    (climbing,) = torch.autograd.grad(cost, images)
    (falling,) = torch.autograd.grad(model.loss(images).sum(), images)
    big = falling.abs() > falling.abs().median()
    assert (climbing.sign() == -falling.sign())[big].all()


def test_pgd_minimises_it_within_the_budget(task):
    pytest.importorskip("torchattacks")
    images = torch.stack(list(task.grids))
    moved = protect_with_pgd(task, images, batch_size=4)
    assert (moved - images).abs().max() <= task.config.epsilon / 255 + 1e-6
    model = LossAsLogits(task)
    model.start(images, list(task.keys))
    with torch.no_grad():
        assert (model.loss(moved) < model.loss(images)).all()


def test_whole_runs_are_timed_on_files_of_the_size_that_is_said(task, monkeypatch):
    from PIL import Image

    import fiftyone_dp2vl.runs as runs

    sizes = set()

    def noted(items, *args, **kwargs):
        for item in items:
            with Image.open(item.path) as image:
                sizes.add(image.size)
        return protect_photos(items, *args, **kwargs)

    protect_photos = runs.protect_photos
    monkeypatch.setattr(runs, "protect_photos", noted)
    rows = wall_over_engine(task.encoder, task.config, photos=3, rounds=2, size=(96, 64))
    assert sizes == {(96, 64)}
    assert {row.conditions["run"] for row in rows} == {"3 files of 96 x 64 pixels, 2 steps"}
    (ratio,) = (row for row in rows if row.figure == "wall_over_engine")
    assert ratio.value > 1


def test_contenders_take_turns(monkeypatch):
    order = []

    def seconds(work, device):
        order.append(work())
        return {"a": 1.0, "b": 2.0}[order[-1]] * (1 + 0.01 * len(order))

    monkeypatch.setattr(timing, "seconds", seconds)
    times = timing.paired_times(lambda: "a", lambda: "b", rounds=3)
    assert order == ["a", "b", "b", "a", "a", "b"]
    assert times.ratio == pytest.approx(2.0, rel=0.02)
    assert times.interval.low < 2.0 < times.interval.high


def test_peaks_are_matched_by_the_devices_whole_name():
    assert peak_flops("NVIDIA H100 80GB HBM3") == 989e12
    assert peak_flops("NVIDIA H100 PCIe") == 756e12
    assert peak_flops("NVIDIA L40S") == 362e12
    assert peak_flops("NVIDIA L4") == 121e12
    assert peak_flops("CPU, 2 cores") is None


def test_step_flops_by_hand(tiny_clip):
    encoder = load_encoder(tiny_clip[0])
    tokens, width, hidden, layers = 17, 32, 64, 2
    embedding = 2 * 16 * width * 8 * 8 * 3
    linear = layers * 2 * tokens * (4 * width * width + 2 * width * hidden)
    attention = layers * 4 * tokens * tokens * width
    projection = 2 * width * 16
    by_hand = 2 * (embedding + linear + projection) + 3 * attention
    assert step_flops(encoder) == pytest.approx(by_hand, rel=0.02)
