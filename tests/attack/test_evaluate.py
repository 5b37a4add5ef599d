"""Whole evaluations on a tiny LLaVA and a tiny CLIP: figures, controls, resumption, cancelling."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from fiftyone_dp2vl.attack import AttackAlbum
from fiftyone_dp2vl.attack.evaluate import AttackProgress, evaluate_attack
from fiftyone_dp2vl.attack.plan import plan_attack
from fiftyone_dp2vl.attack.settings import AttackConfig
from fiftyone_dp2vl.config import ProtectionConfig
from fiftyone_dp2vl.measure.report import AttackReport

HERE = Path(__file__).parent
RECIPE = {
    "epochs": 4,
    "batch_size": 6,
    "learning_rate": 2e-2,
    "lora_rank": 4,
    "lora_alpha": 8,
    "precision": "fp32",
}


def figures(report: AttackReport) -> list[Any]:
    """What must be the same again: rows, arms and answers."""
    data = json.loads(report.to_json())
    return [data["rows"], data["arms"], data["answers"]]


@pytest.fixture
def protected(album: AttackAlbum, tmp_path: Path) -> dict[str, Path]:
    """The shared photos in other people's colours."""
    folder = tmp_path / "protected"
    folder.mkdir()
    files = {}
    for photo in album.of("share"):
        pixels = np.asarray(Image.open(photo.path).convert("RGB"))
        files[photo.key] = folder / photo.path.name
        Image.fromarray(np.ascontiguousarray(np.roll(pixels, 1, axis=2))).save(files[photo.key])
    return files


@pytest.fixture
def config(tiny_llava: str, tiny_encoder: str) -> AttackConfig:
    return AttackConfig(
        attackers=(tiny_llava,),
        proxies=(f"proxy:linear@{tiny_encoder}",),
        finetune=RECIPE,
        epochs_measured=2,
    )


def test_quick_evaluation(
    album: AttackAlbum,
    protected: dict[str, Path],
    config: AttackConfig,
    tmp_path: Path,
    tiny_encoder: str,
) -> None:
    seen: list[AttackProgress] = []
    call: dict[str, Any] = {
        "protected": protected,
        "cache": tmp_path / "cache",
        "protection": ProtectionConfig(encoders=(tiny_encoder,)),
    }
    before = plan_attack(album, config, **call)
    assert [cell.done for cell in before.cells] == [False] * 7
    assert before.seconds > 0
    assert before.left_out == {}
    report = evaluate_attack(album, config, **call, progress=seen.append)
    model, proxy = report.attackers
    assert model == "llava:llava"
    assert str(tmp_path) not in report.to_json()
    assert [arm.name for arm in report.arms] == ["none", "clean", "random signs", "protected"]

    def accuracy(attacker: str, arm: str, ask: str = "identity", **more: str) -> float:
        where = {"scoring": "forced choice", "epoch": "final", "scenario": "all", **more}
        row = report.find("accuracy", attacker=attacker, arm=arm, ask=ask, **where)
        assert row is not None
        assert row.interval is not None
        return row.value

    # people are colours: trained on clean photos the proxy knows them, on exchanged colours not
    assert accuracy(proxy, "clean") == 1.0
    assert accuracy(proxy, "clean", "affiliation") == 1.0
    assert accuracy(proxy, "random signs") == 1.0
    assert accuracy(proxy, "protected") == 0.0
    assert accuracy(model, "clean", epoch="peak") >= accuracy(model, "clean")
    chance = report.find("chance", ask="identity", scenario="all")
    assert chance is not None
    assert chance.value == pytest.approx(1 / 3)
    luck = report.find("commonest_wrong_by_luck")
    assert luck is not None
    wrong = report.find("commonest_wrong", attacker=proxy, arm="protected")
    assert wrong is not None
    assert wrong.value == 1.0 > luck.value
    assert report.find("false_naming", attacker=model, arm="clean") is not None
    assert report.find("false_naming_at_90", attacker=proxy, arm="clean") is not None
    assert report.arm("protected").wins is not None
    assert report.arm("clean").wins is None
    identity = [a for a in report.answers if a.ask == "identity"]
    assert {a.photo for a in identity} == {photo.key for photo in album.of("query")}
    assert all(set(a.chosen) == set(a.confidence) == {"clean", "protected"} for a in identity)
    assert seen[-1].done == seen[-1].total == 7
    assert any(p.eta_seconds is not None for p in seen)

    loads: list[str] = []

    def load(name: str) -> Any:
        from fiftyone_dp2vl.attack.registry import load_attacker

        loads.append(name)
        attacker = load_attacker(name)
        attacker.fine_tune = _never  # type: ignore[method-assign]
        return attacker

    again = evaluate_attack(album, config, **call, load=load)
    assert figures(again) == figures(report)
    assert len(loads) == 1
    after = plan_attack(album, config, **call)
    assert all(cell.done for cell in after.cells)
    assert after.seconds == 0
    path = report.save(tmp_path / "attack.json")
    assert figures(AttackReport.load(path)) == figures(report)


def _never(*arguments: Any, **keywords: Any) -> Any:
    raise AssertionError("a finished cell was measured again")
