"""Fine-tuning: it learns, repeats itself, can be broken off, saved, taken back and undone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from fiftyone_dp2vl.attack import (
    AttackAlbum,
    Conversation,
    Epoch,
    FineTuneConfig,
    Question,
    load_attacker,
)
from fiftyone_dp2vl.attack.augment import augmented
from fiftyone_dp2vl.attack.finetune import _batches, _rate
from fiftyone_dp2vl.attack.trees import Utterance, lay_out
from fiftyone_dp2vl.errors import ConfigError, DP2VLError

Pictures = Callable[[str], Image.Image]
WAYS: dict[str, dict[str, Any]] = {
    "LoRA and projector": {},
    "LoRA everywhere": {"projector": "lora", "tower": "lora"},
    "whole tower": {"tower": "full", "learning_rate": 5e-3},
    "whole language model": {"lora_rank": 0, "projector": "frozen", "learning_rate": 3e-3},
    "augmented, checkpointed": {
        "augment": True,
        "gradient_checkpointing": True,
        "micro_batch_size": 2,
    },
    "bfloat16": {"precision": "bf16"},
}


@pytest.fixture
def attacker(tiny_llava: str) -> Any:
    return load_attacker(tiny_llava)


def weights(attacker: Any) -> dict[str, torch.Tensor]:
    return {n: w.detach().clone() for n, w in attacker.model.named_parameters()}


def same(one: Sequence[np.ndarray], two: Sequence[np.ndarray]) -> bool:
    return bool(np.array_equal(np.concatenate(one), np.concatenate(two)))


@pytest.mark.parametrize("way", WAYS)
def test_the_loss_falls_and_all_can_be_undone(
    attacker: Any,
    way: str,
    lessons: Sequence[Conversation],
    asked: Sequence[Question],
    pictures: Pictures,
    tmp_path: Path,
    recipe: FineTuneConfig,
) -> None:
    before, untouched = weights(attacker), attacker.score_choices(asked, pictures)
    epochs = attacker.fine_tune(lessons, pictures, replace(recipe, **WAYS[way]), seed=1)
    assert [e.number for e in epochs] == list(range(1, recipe.epochs + 1))
    assert epochs[-1].loss < 0.5 * epochs[0].loss
    count = sum(w.numel() for w in attacker.model.parameters() if w.requires_grad)
    assert attacker.info.trained_parameters == count > 0
    tuned = attacker.score_choices(asked, pictures)
    words = attacker.answer(asked, pictures)
    attacker.save(tmp_path / "saved")

    attacker.reset()
    assert same(attacker.score_choices(asked, pictures), untouched)
    after = weights(attacker)
    assert after.keys() == before.keys()
    assert all(torch.equal(after[name], weight) for name, weight in before.items())

    attacker.load(tmp_path / "saved")
    assert same(attacker.score_choices(asked, pictures), tuned)
    assert attacker.answer(asked, pictures) == words


def test_it_learns_who_is_who(
    attacker: Any,
    lessons: Sequence[Conversation],
    asked: Sequence[Question],
    pictures: Pictures,
    recipe: FineTuneConfig,
) -> None:
    attacker.fine_tune(lessons, pictures, replace(recipe, epochs=20), seed=1)
    names = [q for q in asked if q.kind == "name"]
    scores = attacker.score_choices(names, pictures)
    right = [q.choices[int(s.argmax())] == q.answer for q, s in zip(names, scores, strict=True)]
    assert np.mean(right) == 1
    assert attacker.answer(names, pictures) == [q.answer for q in names]


def test_same_seed_same_weights_whatever_was_before(
    attacker: Any,
    tiny_llava: str,
    lessons: Sequence[Conversation],
    pictures: Pictures,
    recipe: FineTuneConfig,
) -> None:
    dropping = replace(recipe, lora_dropout=0.1, epochs=2, augment=True)
    attacker.fine_tune(lessons[:5], pictures, replace(recipe, tower="full"), seed=9)
    torch.rand(7)
    first = attacker.fine_tune(lessons, pictures, dropping, seed=4)
    one = weights(attacker)
    other: Any = load_attacker(tiny_llava)
    second = other.fine_tune(lessons, pictures, dropping, seed=4)
    assert [e.loss for e in first] == [e.loss for e in second]
    assert all(torch.equal(one[n], w) for n, w in weights(other).items())
    third = other.fine_tune(lessons, pictures, dropping, seed=5)
    assert [e.loss for e in third] != [e.loss for e in second]


def test_asking_between_epochs_changes_nothing(
    attacker: Any,
    lessons: Sequence[Conversation],
    asked: Sequence[Question],
    pictures: Pictures,
    recipe: FineTuneConfig,
) -> None:
    config = replace(recipe, lora_dropout=0.1, epochs=3)
    quiet = attacker.fine_tune(lessons, pictures, config)
    heard: list[list[np.ndarray]] = []

    def on_epoch(epoch: Epoch) -> None:
        torch.rand(3)
        attacker.answer(asked, pictures)
        heard.append(attacker.score_choices(asked, pictures))

    asked_too = attacker.fine_tune(lessons, pictures, config, on_epoch=on_epoch)
    assert [e.loss for e in quiet] == [e.loss for e in asked_too]
    assert len(heard) == 3
    assert not same(heard[0], heard[2])


def test_a_broken_off_fine_tuning_leaves_a_usable_model(
    attacker: Any,
    lessons: Sequence[Conversation],
    asked: Sequence[Question],
    pictures: Pictures,
    recipe: FineTuneConfig,
) -> None:
    untouched = attacker.score_choices(asked, pictures)
    shares: list[float] = []

    def stop(share: float) -> None:
        shares.append(share)
        if share > 0.3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        attacker.fine_tune(lessons, pictures, replace(recipe, tower="full"), on_step=stop)
    assert shares == sorted(shares)
    assert not attacker.model.training
    assert np.isfinite(np.concatenate(attacker.score_choices(asked, pictures))).all()
    attacker.reset()
    assert same(attacker.score_choices(asked, pictures), untouched)


def test_accumulated_gradients_are_those_of_the_whole_step(
    attacker: Any,
    lessons: Sequence[Conversation],
    pictures: Pictures,
    recipe: FineTuneConfig,
) -> None:
    whole = replace(recipe, epochs=1, batch_size=len(lessons), max_gradient_norm=1e6)
    losses = []
    for size in (0, 5, 1):
        attacker.fine_tune(lessons, pictures, replace(whole, epochs=3, micro_batch_size=size))
        losses.append([e.loss for e in attacker.fine_tune(lessons, pictures, whole)])
    np.testing.assert_allclose(losses[1:], [losses[0]] * 2, rtol=1e-4)


def test_what_cannot_be_done_is_said(
    attacker: Any,
    lessons: Sequence[Conversation],
    pictures: Pictures,
    tmp_path: Path,
    recipe: FineTuneConfig,
) -> None:
    with pytest.raises(ConfigError, match="no conversations"):
        attacker.fine_tune([], pictures, recipe)
    with pytest.raises(ConfigError, match="lora_rank"):
        attacker.fine_tune(lessons, pictures, replace(recipe, projector="lora", lora_rank=0))
    with pytest.raises(ConfigError, match="CUDA"):
        attacker.fine_tune(lessons, pictures, replace(recipe, quantize="4bit"))
    attacker.reset()
    with pytest.raises(ConfigError, match="nothing to save"):
        attacker.save(tmp_path / "saved")
    with pytest.raises(DP2VLError, match="no fine-tuned attacker"):
        attacker.load(tmp_path / "nowhere")


def test_another_models_adapters_are_refused(
    attacker: Any,
    tiny_llava_next: str,
    lessons: Sequence[Conversation],
    pictures: Pictures,
    tmp_path: Path,
    recipe: FineTuneConfig,
) -> None:
    attacker.fine_tune(lessons, pictures, replace(recipe, epochs=1))
    attacker.save(tmp_path / "saved")
    with pytest.raises(DP2VLError, match="other weights"):
        load_attacker(tiny_llava_next).load(tmp_path / "saved")
    (tmp_path / "own").mkdir()
    (tmp_path / "own/notes.txt").write_text("mine")
    with pytest.raises(ConfigError, match="other files"):
        attacker.save(tmp_path / "own")
    assert (tmp_path / "own/notes.txt").read_text() == "mine"


def test_rows_hold_each_shared_token_once() -> None:
    said = [
        Utterance("a", [1, 9, 9, 5], [7, 2]),
        Utterance("a", [1, 9, 9, 5], [8, 3, 2]),
        Utterance("b", [1, 9, 9, 6], [7, 2]),
        Utterance("a", [1, 9, 9, 6], [7, 2]),
    ]
    rows = lay_out(said, share=True)
    assert [row.photo for row in rows] == ["a", "b"]
    row = rows[0]
    assert row.ids == [1, 9, 9, 5, 7, 8, 3, 6, 7]
    assert row.depths == [0, 1, 2, 3, 4, 4, 5, 3, 4]
    assert row.targets == [
        (3, 7, 0),
        (4, 2, 0),
        (3, 8, 1),
        (5, 3, 1),
        (6, 2, 1),
        (7, 7, 3),
        (8, 2, 3),
    ]
    assert row.visible()[6].tolist() == [True, True, True, True, False, True, True, False, False]
    assert len(lay_out(said, share=False)) == 4


def test_every_conversation_is_in_one_step_of_each_pass(
    recipe: FineTuneConfig,
) -> None:
    said = [Utterance(str(i % 5), [1] * (i % 7 + 1), [2]) for i in range(53)]
    for packs in (False, True):
        config = replace(recipe, batch_size=8)
        passes = [_batches(said, config, packs, seed=1, turn=turn) for turn in range(2)]
        for batches in passes:
            assert sorted(i for batch in batches for i in batch) == list(range(53))
            assert max(map(len, batches)) == 8
        assert passes[0] != passes[1]


@pytest.mark.parametrize(
    ("tower", "asked", "rate"),
    [("lora", 0.0, 1e-3), ("full", 0.0, 1e-4), ("full", 5e-6, 5e-6), ("frozen", 0.0, None)],
)
def test_each_part_learns_at_its_own_rate(
    attacker: Any, recipe: FineTuneConfig, tower: str, asked: float, rate: float | None
) -> None:
    config = replace(
        recipe,
        tower=tower,
        learning_rate=1e-2,
        projector_learning_rate=2e-3,
        tower_learning_rate=asked,
        projector="full",
    )
    adaptation = attacker._adapt(config)
    try:
        rates = {id(w): group["lr"] for group in adaptation.groups() for w in group["params"]}
        found: dict[str, set[float]] = {"tower": set(), "projector": set(), "language": set()}
        for name, weight in adaptation.trained():
            part = next(
                (p for p in ("tower", "projector") if name.startswith(getattr(attacker.parts, p))),
                "language",
            )
            found[part].add(rates[id(weight)])
    finally:
        attacker.reset()
    assert found["language"] == {1e-2}
    assert found["projector"] == {2e-3}
    assert sorted(found["tower"]) == pytest.approx([] if rate is None else [rate])


def test_the_rate_rises_and_falls() -> None:
    rates = [_rate(step, 100, 0.1) for step in range(100)]
    assert rates.index(max(rates)) in (9, 10)
    assert max(rates) == 1
    assert rates[-1] < 0.01
    assert rates[10:] == sorted(rates[10:], reverse=True)


def test_augmentation_is_seeded_and_keeps_the_size(album: AttackAlbum, pictures: Pictures) -> None:
    photo = pictures(album.photos[0].key)
    one = augmented(photo, "a", 1, 2)
    assert one.size == photo.size
    assert one.tobytes() == augmented(photo, "a", 1, 2).tobytes()
    others = [augmented(photo, "b", 1, 2), augmented(photo, "a", 2, 2), augmented(photo, "a", 1, 3)]
    assert len({p.tobytes() for p in [photo, one, *others]}) == 5
