"""The engine's promises: budget, lattice, independence of batch mates, progress in the loss."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import pytest
import torch
from torch import Tensor

from fiftyone_dp2vl.config import ProtectionConfig
from fiftyone_dp2vl.encoders.base import Encoder
from fiftyone_dp2vl.errors import ConfigError, RunError
from fiftyone_dp2vl.protection import (
    Protected,
    Targets,
    collect_statistics,
    engine,
    fit_targets,
    grid_size,
    list_strategies,
    mask_to_grid,
    protect,
    to_grid,
)
from fiftyone_dp2vl.protection.arguments import check_photos

EOT = ("jpeg:50-95@0.7", "resize:0.5-1@0.3", "blur:0.3-1@0.3", "noise:1-4@0.3")


def run(
    photos: dict[str, Tensor],
    people: list[str | None],
    encoders: list[Encoder],
    only: list[str] | None = None,
    **settings: object,
) -> dict[str, Protected]:
    settings.setdefault("steps", 6)
    config = ProtectionConfig(encoders=tuple(e.name for e in encoders), **settings)  # type: ignore[arg-type]
    targets = targets_for(photos, people, encoders, config)
    keys = only if only is not None else list(photos)
    found = protect(
        [photos[key] for key in keys], config, encoders=encoders, targets=targets, keys=keys
    )
    return dict(zip(keys, found, strict=True))


def targets_for(
    photos: dict[str, Tensor],
    people: list[str | None],
    encoders: list[Encoder],
    config: ProtectionConfig,
) -> Targets:
    statistics = collect_statistics([(list(photos), list(photos.values()))], encoders)
    return fit_targets(statistics, config, people)


@pytest.mark.parametrize("strategy", list_strategies())
def test_every_strategy_lowers_its_loss_within_the_budget(photos, people, encoder, strategy):
    found = run(photos, people, [encoder], strategy=strategy, steps=8)
    for key, result in found.items():
        grey_levels = result.delta * 255
        assert grey_levels.abs().max() <= 8 + 1e-4
        assert torch.allclose(grey_levels, grey_levels.round(), atol=1e-4)
        moved = photos[key] + result.delta
        assert moved.min() >= -1e-6
        assert moved.max() <= 1 + 1e-6
        assert result.delta.shape == photos[key].shape
    losses = torch.tensor([[r.start_loss, r.loss] for r in found.values()])
    assert (losses[:, 1] < losses[:, 0]).float().mean() > 0.8


@pytest.mark.parametrize(
    "settings", [{}, {"transforms": EOT, "crop_scale": 0.5}, {"optimizer": "adam"}]
)
def test_a_photo_does_not_depend_on_its_batch_mates(photos, people, encoder, settings):
    together = run(photos, people, [encoder], lanes=16, **settings)
    keys = list(photos)
    shuffled = run(photos, people, [encoder], lanes=16, only=keys[::-1], **settings)
    alone = {}
    for key in keys[::5]:
        alone.update(run(photos, people, [encoder], lanes=16, only=[key], **settings))
    for key, result in {**shuffled, **alone}.items():
        difference = (result.delta - together[key].delta).abs().max() * 255
        assert difference <= 1, key


def test_erase_asks_for_no_names_and_takes_a_photo_alone(photos, people, encoder):
    named = run(photos, people, [encoder], strategy="erase")
    nameless = run(photos, [None] * len(people), [encoder], strategy="erase")  # type: ignore[list-item]
    assert all(torch.equal(named[key].delta, nameless[key].delta) for key in photos)
    config = ProtectionConfig(encoders=("small-0",), strategy="erase", steps=20)
    (alone,) = protect([photos["photo-00"]], config, encoders=[encoder])
    assert alone.loss < 0.7 * alone.start_loss


class TestAuto:
    """Whoever is named takes another's place, of everybody else what sets them apart goes."""

    names: ClassVar[list[str]] = [f"person {i % 10}" for i in range(16)]

    def test_with_names_it_is_swap(self, photos, encoder):
        auto, swap = (run(photos, self.names, [encoder], strategy=s) for s in ("auto", "swap"))
        assert all(torch.equal(auto[key].delta, swap[key].delta) for key in photos)

    @pytest.mark.parametrize("few", [[None] * 16, [f"person {i % 9}" for i in range(16)]])
    def test_without_names_or_with_few_it_is_erase(self, photos, encoder, few):
        auto, erase = (run(photos, few, [encoder], strategy=s) for s in ("auto", "erase"))
        assert all(torch.equal(auto[key].delta, erase[key].delta) for key in photos)

    def test_each_photo_of_a_mixed_run_goes_its_way(self, photos, encoder):
        some = {key: name for key, name in zip(photos, self.names, strict=True) if key < "photo-12"}
        mixed = run(photos, [some.get(key) for key in photos], [encoder], strategy="auto")
        swap = run({key: photos[key] for key in some}, list(some.values()), [encoder])
        erase = run(photos, [None] * 16, [encoder], strategy="erase")
        for key in photos:
            same = swap[key] if key in some else erase[key]
            assert torch.equal(mixed[key].delta, same.delta), key


def test_targets_do_not_depend_on_the_order_of_the_photos(photos, people, encoder):
    config = ProtectionConfig(encoders=("small-0",))
    targets = targets_for(photos, people, [encoder], config)
    order = list(photos)[::-1]
    backwards = targets_for({k: photos[k] for k in order}, people[::-1], [encoder], config)
    assert targets.sha256 == backwards.sha256


def test_targets_survive_a_file(photos, people, encoder, tmp_path):
    config = ProtectionConfig(encoders=("small-0",), strategy="nobody")
    targets = targets_for(photos, people, [encoder], config)
    path = tmp_path / "targets.safetensors"
    path.write_bytes(targets.to_bytes())
    loaded = Targets.load(path)
    assert loaded.keys == targets.keys
    assert loaded.sha256 == targets.sha256


def test_no_budget_no_change(photos, people, encoder):
    for result in run(photos, people, [encoder], epsilon=0).values():
        assert torch.count_nonzero(result.delta) == 0


def test_a_mask_confines_the_change(photos, people, encoder):
    config = ProtectionConfig(encoders=("small-0",), steps=3)
    targets = targets_for(photos, people, [encoder], config)
    mask = torch.zeros(48, 64, dtype=torch.bool)
    mask[10:20, 30:50] = True
    keys = ["photo-00", "photo-01"]
    found = protect(
        [photos[k] for k in keys],
        config,
        encoders=[encoder],
        targets=targets,
        keys=keys,
        masks=[mask, None],
    )
    changed = found[0].delta.abs().amax(dim=0) > 0
    assert changed.any()
    assert not changed[~mask].any()
    assert (found[1].delta.abs().amax(dim=0) > 0)[~mask].any()


def test_several_surrogates_all_count(photos, people, encoder, second_encoder):
    one = run(photos, people, [encoder])
    both = run(photos, people, [encoder, second_encoder])
    sampled = run(photos, people, [encoder, second_encoder], encoders_per_step=1)
    key = "photo-00"
    assert not torch.equal(one[key].delta, both[key].delta)
    assert not torch.equal(sampled[key].delta, both[key].delta)


@pytest.mark.parametrize("drawn", [0, 1])
def test_steps_of_different_surrogates_are_compared_by_their_running_mean(
    photos, people, encoder, second_encoder, monkeypatch, drawn
):
    values: list[float] = []
    loss_of = engine._Loop._loss

    def noted(loop, name, *args):
        loss = loss_of(loop, name, *args)
        values.append(float(loss.detach()[0]))
        return loss

    monkeypatch.setattr(engine._Loop, "_loss", noted)
    encoders = [encoder, second_encoder]
    found = run(
        photos, people, encoders, ["photo-00"], steps=40, transforms=(), encoders_per_step=drawn
    )
    steps = len(values) // 41
    assert steps == (drawn or len(encoders))
    losses = [sum(values[at : at + steps]) for at in range(0, len(values), steps)]
    if drawn:
        means = losses[:1]
        for loss in losses[1:]:
            means.append(0.9 * means[-1] + 0.1 * loss)
        losses = means[20:]
    assert found["photo-00"].loss == pytest.approx(min(losses), abs=1e-5)


def test_the_seed_decides(photos, people, encoder):
    first, again = run(photos, people, [encoder]), run(photos, people, [encoder])
    other = run(photos, people, [encoder], seed=1)
    assert all(torch.equal(first[k].delta, again[k].delta) for k in photos)
    assert not all(torch.equal(first[k].delta, other[k].delta) for k in photos)


def test_progress_reaches_the_end_and_can_stop_the_run(photos, people, encoder):
    config = ProtectionConfig(encoders=("small-0",), steps=3, lanes=4)
    targets = targets_for(photos, people, [encoder], config)
    seen: list[tuple[int, int]] = []
    arguments = {"encoders": [encoder], "targets": targets, "keys": list(photos)}
    protect(list(photos.values()), config, on_step=lambda d, t: seen.append((d, t)), **arguments)
    assert seen[-1] == (48, 48)
    assert [d for d, _ in seen] == sorted(d for d, _ in seen)

    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        protect(list(photos.values()), config, on_step=stop, **arguments)


def test_what_a_user_can_get_wrong_is_one_sentence(photos, people, encoder):
    config = ProtectionConfig(encoders=("small-0",), steps=2)
    targets = targets_for(photos, people, [encoder], config)
    image = photos["photo-00"]
    with pytest.raises(RunError, match="was not there when this run's targets were computed"):
        protect([image], config, encoders=[encoder], targets=targets, keys=["new"])
    with pytest.raises(ConfigError, match="differ in length"):
        protect([image], config, encoders=[encoder], targets=targets, keys=[])
    swap = ProtectionConfig(encoders=("small-0",), strategy="swap")
    with pytest.raises(ConfigError, match="found only one"):
        targets_for(photos, ["one"] * len(photos), [encoder], swap)
    with pytest.raises(ConfigError, match="choose one of"):
        targets_for(photos, people, [encoder], ProtectionConfig(strategy="nowhere"))


GOOD = torch.full((3, 16, 16), 0.5)


@pytest.mark.parametrize(
    ("image", "words"),
    [
        (GOOD * 255, "photo 1 holds values from 127.5 to 127.5: give values in \\[0, 1\\]"),
        (GOOD - 1, "photo 1 holds values from -0.5 to -0.5"),
        (GOOD * torch.nan, "photo 1 holds values from nan to nan"),
        (GOOD / 0, "photo 1 holds values from inf to inf"),
        ((GOOD * 255).byte(), "photo 1 is torch.uint8: give a tensor of float32"),
        (GOOD.numpy(), "photo 1 is a ndarray: give a tensor of float32"),
        (GOOD.permute(1, 2, 0), "photo 1 has shape \\(16, 16, 3\\): give \\(3, h, w\\)"),
        (GOOD[0], "photo 1 has shape \\(16, 16\\)"),
        (GOOD[:, :0], "photo 1 has shape \\(3, 0, 16\\)"),
    ],
)
def test_what_is_no_photo_is_one_sentence(encoder, image, words):
    config = ProtectionConfig(encoders=("small-0",), steps=1)
    with pytest.raises(ConfigError, match=words):
        protect([GOOD, image], config, encoders=[encoder])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"groups": ["a"]}, "images, keys, groups and masks differ in length"),
        ({"masks": [None]}, "images, keys, groups and masks differ in length"),
        ({"groups": [0, 1]}, "groups holds 0: give a text for each photo"),
        ({"keys": ["a", None]}, "keys holds None: give a text for each photo"),
    ],
)
def test_each_photo_has_its_name_group_and_mask(encoder, arguments, words):
    config = ProtectionConfig(encoders=("small-0",), steps=1)
    with pytest.raises(ConfigError, match=words):
        protect([GOOD, GOOD], config, encoders=[encoder], **arguments)


def test_no_photos_give_no_results():
    assert protect([], ProtectionConfig(encoders=("no such encoder",))) == []


@pytest.mark.parametrize("shape", [(5, 5), (65, 48), (480, 480), (64, 48), (1, 48, 64)])
def test_a_mask_is_of_its_photo(encoder, photos, shape):
    config = ProtectionConfig(encoders=("small-0",), steps=1)
    mask = torch.ones(shape, dtype=torch.bool)
    with pytest.raises(ConfigError, match="the photo is 48 x 64: give a mask of that shape"):
        protect([photos["photo-00"]], config, encoders=[encoder], masks=[mask])
    whole = torch.ones(48, 64)
    with pytest.raises(ConfigError, match=r"is torch\.float32: give a tensor of bool"):
        protect([photos["photo-00"]], config, encoders=[encoder], masks=[whole])


def test_a_mask_may_be_of_the_photo_before_it_was_brought_to_its_grid(encoder):
    pixels = np.random.default_rng(0).integers(0, 256, (101, 77, 3), np.uint8)
    image = to_grid(pixels, 2000)
    mask = torch.zeros(101, 77, dtype=torch.bool)
    mask[40:, 30:] = True
    config = ProtectionConfig(encoders=("small-0",), steps=1)
    size = (image.shape[1], image.shape[2])
    found = [
        protect([image], config, encoders=[encoder], masks=[each])[0].delta
        for each in (mask, mask_to_grid(mask, size))
    ]
    assert size != (101, 77)
    assert torch.equal(*found)
    assert found[0].any()


@pytest.mark.parametrize("seed", range(20))
def test_any_photo_mask_belongs_to_its_grid(seed):
    rng = np.random.default_rng(seed)
    for height, width in rng.integers(1, [200, 20_000], (500, 2)).tolist():
        size = grid_size(height, width, int(rng.integers(1024, 400_000)))
        mask = torch.ones(1, 1, dtype=torch.bool).expand(height, width)
        check_photos([GOOD[:1, :1, :1].expand(1, *size)], ["a"], None, [mask])


def test_floats_of_other_widths_are_taken(encoder):
    config = ProtectionConfig(encoders=("small-0",), steps=2)
    images = (GOOD, GOOD.double(), GOOD.half(), GOOD.clone().requires_grad_())
    deltas = [protect([image], config, encoders=[encoder])[0].delta for image in images]
    assert all(torch.equal(delta, deltas[0]) for delta in deltas)


def test_without_people_the_photos_are_clustered(photos, encoder):
    config = ProtectionConfig(encoders=("small-0",), strategy="mislead")
    statistics = collect_statistics([(list(photos), list(photos.values()))], [encoder])
    targets = fit_targets(statistics, config, None)
    assert 2 <= len(set(targets.own.tolist())) <= len(photos) // 2
    assert all(targets.own != targets.aim)


def test_the_defaults_are_the_long_way_round(photos, people, encoder, second_encoder):
    config = ProtectionConfig(encoders=("small-0",), steps=3)
    images = list(photos.values())
    short = protect(images, config, encoders=[encoder], groups=people)
    keys = [str(row) for row in range(len(images))]
    statistics = collect_statistics([(keys, images)], [encoder])
    targets = fit_targets(statistics, config, people)
    long = protect(images, config, encoders=[encoder], targets=targets, keys=keys)
    assert all(torch.equal(a.delta, b.delta) for a, b in zip(short, long, strict=True))
    with pytest.raises(ConfigError, match="1 surrogates are configured and 2 were given"):
        protect(images, config, encoders=[encoder, second_encoder])


@pytest.mark.parametrize(
    ("capability", "has_units"), [((7, 0), False), ((7, 5), False), ((8, 0), True), ((9, 0), True)]
)
def test_bfloat16_only_where_a_gpu_has_units_for_it(monkeypatch, capability, has_units):
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
    assert engine._multiplies_bfloat16(torch.device("cuda:0")) is has_units
