"""Whole evaluations on a tiny LLaVA and a tiny CLIP: figures, controls, resumption, cancelling."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from reports import figures

from fiftyone_dp2vl.attack import AttackAlbum
from fiftyone_dp2vl.attack.evaluate import AttackProgress, evaluate_attack
from fiftyone_dp2vl.attack.plan import plan_attack
from fiftyone_dp2vl.attack.settings import AttackConfig
from fiftyone_dp2vl.config import ProtectionConfig
from fiftyone_dp2vl.errors import Cancelled, ConfigError
from fiftyone_dp2vl.measure.report import AttackReport

ARMS = ["none", "clean", "random signs", "jpeg", "protected"]
"""Of the smallest evaluation: the toy people have no faces to blur."""

CELLS = len(ARMS) + len(ARMS) - 1
"""A proxy cannot be asked before it was trained."""


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
    assert [cell.done for cell in before.cells] == [False] * CELLS
    assert before.seconds > 0
    assert set(before.left_out) == {"blurred faces"}
    report = evaluate_attack(album, config, **call, progress=seen.append)
    model, proxy = report.attackers
    assert model == "llava:llava"
    assert str(tmp_path) not in report.to_json()
    # an attacker who runs our tool on others runs what it was here, with three names: erase
    assert report.protection["config"]["strategy"] == "erase"
    assert [arm.name for arm in report.arms] == ARMS

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
    assert seen[-1].done == seen[-1].total == CELLS
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


def test_cancelling_keeps_finished_cells(
    album: AttackAlbum, protected: dict[str, Path], config: AttackConfig, tmp_path: Path
) -> None:
    seen: list[AttackProgress] = []
    call: dict[str, Any] = {"protected": protected, "cache": tmp_path / "cache"}

    def in_the_third_cell() -> bool:
        return bool(seen) and seen[-1].done > 2.3

    with pytest.raises(Cancelled):
        evaluate_attack(album, config, **call, progress=seen.append, cancel=in_the_third_cell)
    assert "fine-tunes" in {step.doing for step in seen}
    cells = tmp_path / "cache" / "cells" / "attack"
    finished = {path.name: path.stat().st_mtime_ns for path in cells.iterdir()}
    assert len(finished) == 2
    evaluate_attack(album, config, **call)
    after = {path.name: path.stat().st_mtime_ns for path in cells.iterdir()}
    assert len(after) == CELLS
    assert after.items() >= finished.items()


def test_several_albums_and_a_held_out_attacker(
    album: AttackAlbum, protected: dict[str, Path], tiny_encoder: str, tmp_path: Path
) -> None:
    half = replace(album, photos=tuple(p for p in album.photos if p.person != "Cy"))
    files = {key: path for key, path in protected.items() if key in {p.key for p in half.photos}}
    held_out = f"proxy:knn@{tiny_encoder}"
    config = AttackConfig(
        attackers=(),
        proxies=(f"proxy:linear@{tiny_encoder}",),
        transfer=(held_out,),
        arms=("ratio",),
        setting="shown",
    )
    report = evaluate_attack(
        [album, half], config, protected=[protected, files], cache=tmp_path / "cache"
    )
    assert list(report.seeds) == [0, 1]
    assert report.album["people"] == 5
    chance = report.find("chance", ask="identity", scenario="all")
    assert chance is not None
    assert 1 / 3 < chance.value < 1 / 2
    first, second = report.attackers
    whole = report.find("accuracy", attacker=first, arm="clean", ask="identity", scenario="all")
    assert whole is not None
    assert whole.n == 10
    assert {r.conditions["arm"] for r in report.select(attacker=second)} == {
        "clean",
        "adaptive: A5 another encoder",
    }
    assert report.arm("adaptive: A5 another encoder").wins is not None
    assert {(arm.share, arm.of) for arm in report.arms if arm.group == "ratio"} == {
        (share, of) for share in (0.25, 0.5, 0.75) for of in ("photos", "people")
    }
    with pytest.raises(ConfigError, match="give one set for each album"):
        evaluate_attack([album, half], config, protected=protected, cache=tmp_path / "cache")


def test_adaptive_attackers_end_to_end(
    album: AttackAlbum,
    protected: dict[str, Path],
    config: AttackConfig,
    tmp_path: Path,
) -> None:
    adaptive = replace(config, arms=("a2", "a6-lora", "a10", "synthetic"), free_words=False)
    report = evaluate_attack(album, adaptive, protected=protected, cache=tmp_path / "cache")
    told = [arm.name for arm in report.arms if arm.group == "adaptive"]
    assert told == [
        "adaptive: synthetic set",
        "adaptive: A2 augmentation",
        "adaptive: A6 vision tower, LoRA",
        "adaptive: A10 early stopping",
    ]
    model = next(iter(report.attackers))
    peak = report.select(figure="accuracy", attacker=model, arm=told[-1], ask="identity")
    assert [row.conditions["epoch"] for row in peak] == ["peak"]
    protected_peak = report.find(
        "accuracy", attacker=model, arm="protected", ask="identity", epoch="peak"
    )
    assert protected_peak is not None
    assert protected_peak.value == peak[0].value
    assert not report.select(scoring="free words")
    ladder = " ".join(report.tested)
    assert "A2" in ladder
    assert "A10" in ladder
    missing = " ".join(report.not_tested)
    assert "A3" in missing
    assert "A4" in missing
    assert "A2" not in missing


def test_arms_without_what_they_need_are_left_out_and_told(
    album: AttackAlbum, config: AttackConfig, tmp_path: Path
) -> None:
    proxies = replace(config, attackers=(), arms=("controls", "a7-map", "after-jpeg-75"))
    report = evaluate_attack(album, proxies, cache=tmp_path / "cache")
    assert [arm.name for arm in report.arms] == [
        "clean",
        "random signs",
        "jpeg",
        "clean, synthetic set",
    ]
    for name in ("protected", "blurred faces", "adaptive: A7 learned map of features"):
        assert any(told.startswith(f"{name}: left out") for told in report.not_tested)


def test_what_cannot_be_attacked_is_refused(
    album: AttackAlbum, config: AttackConfig, tmp_path: Path
) -> None:
    def without(role: str, *, but: str = "") -> AttackAlbum:
        kept = (p for p in album.photos if p.role != role or p.person == but)
        return replace(album, photos=tuple(kept))

    for broken, told in (
        (without("query"), "no query photos"),
        (without("share", but="Ada"), "at least two people"),
        (replace(album, photos=()), "at least two people"),
        (
            replace(album, photos=(*album.photos, replace(album.of("query")[0], role="other"))),
            "is shared and has photos of the role 'other'",
        ),
    ):
        with pytest.raises(ConfigError, match=told):
            evaluate_attack(broken, config, cache=tmp_path)
    with pytest.raises(ConfigError, match="no shared photo"):
        evaluate_attack(album, config, protected={"nothing": tmp_path}, cache=tmp_path)
    for wrong in (
        {"attackers": (), "proxies": ()},
        {"attackers": ("embedded", "embedded")},
        {"attackers": ("proxy:knn@embedded",)},
        {"proxies": ("embedded",)},
        {"setting": "some"},
        {"seeds": 0},
        {"finetune": {"nonsense": 1}},
    ):
        with pytest.raises(ConfigError):
            AttackConfig(**wrong)  # type: ignore[arg-type]
    again = AttackConfig.from_dict(json.loads(json.dumps(config.to_dict())))
    assert again == config
    assert again.fingerprint() == config.fingerprint()


def test_the_command(
    album: AttackAlbum,
    protected: dict[str, Path],
    tiny_encoder: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from fiftyone_dp2vl.cli import main
    from fiftyone_dp2vl.config import OutputConfig, SelectionConfig
    from fiftyone_dp2vl.runs import PhotoItem, protect_photos

    monkeypatch.chdir(tmp_path)
    root = tmp_path / "people"
    for photo in album.photos:
        folder = ("others", photo.person) if photo.role == "other" else (photo.person, photo.role)
        path = root.joinpath(*folder, photo.path.name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(photo.path.read_bytes())
    # the run knows the photos by other keys than the attack does
    items = [PhotoItem(f"sample-{p.key}", p.path, p.person) for p in album.of("share")]
    quick = ProtectionConfig(encoders=(tiny_encoder,), steps=2, lanes=4)
    protect_photos(items, tmp_path / "run", quick, SelectionConfig(), OutputConfig())
    assert main(["attack"]) == 0
    assert "a7-denoiser" in capsys.readouterr().out
    attack = ["attack", str(root), "--protected", "run", "--attacker"]
    attack += [f"proxy:linear@{tiny_encoder}", "--quick", "--out", "report.json"]
    assert main([*attack, "--plan"]) == 0
    assert "4 cells, 0 of them measured" in capsys.readouterr().out
    assert not Path("report.json").exists()
    assert main(attack) == 0
    told = capsys.readouterr().out
    assert "guessing" in told
    assert "A3, purification" in told
    report = AttackReport.load(Path("report.json"))
    assert report.protection["run"] == "run"
    assert report.protection["left_clean"] == 0
    assert report.protection["quality"]["linf"]["worst"] <= 8
    assert {row.conditions["ask"] for row in report.select(figure="accuracy")} == {"identity"}
    assert main([*attack, "--plan"]) == 0
    assert "4 cells, 4 of them measured" in capsys.readouterr().out
    for wrong, sentence in (
        ([*attack, "--protect"], "give one"),
        (["attack", str(tmp_path / "nothing")], "not a folder"),
        (["attack", str(tmp_path / "run")], "PERSON/share"),
        ([*attack, "--set", "epochs=many"], "not int"),
        ([*attack, "--arms", "nonsense", "--attacker", "nonsense"], "nonsense"),
    ):
        assert main(wrong) == 1
        assert sentence in capsys.readouterr().err


def test_a_part_that_is_protected_is_said_to_be_one(
    album: AttackAlbum, protected: dict[str, Path], tiny_encoder: str, tmp_path: Path
) -> None:
    some = dict(list(protected.items())[2:])
    config = AttackConfig(attackers=(), proxies=(f"proxy:linear@{tiny_encoder}",), arms=("ratio",))
    report = evaluate_attack(album, config, protected=some, cache=tmp_path / "cache")
    total = len(protected)
    assert f"{total - 2} of {total} protected" in report.arm("protected").needs
    assert not [arm for arm in report.arms if arm.group == "ratio"]
    assert any("only a part" in told for told in report.not_tested)
