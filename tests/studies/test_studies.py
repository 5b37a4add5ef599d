"""Studies: resumed where they stopped, honest about code, and right on toy photos."""

from __future__ import annotations

import json

import pytest

from fiftyone_dp2vl.attack.changes import POSTPROCESSING
from fiftyone_dp2vl.errors import ConfigError
from fiftyone_dp2vl.measure import cells
from fiftyone_dp2vl.measure.cards import Row
from fiftyone_dp2vl.studies import STUDIES, get_study
from fiftyone_dp2vl.studies.base import Cell, Findings, Study
from fiftyone_dp2vl.studies.options import Options, parse_changes
from fiftyone_dp2vl.studies.runner import run_study


def make_options(tiny_clip, toy_album, cache, seeds):
    return Options(
        seeds=seeds,
        surrogate=tiny_clip[0],
        held_out={"held-out": tiny_clip[1]},
        changes={"steps": 3, "lanes": 4},
        album=toy_album,
        cache=cache,
    )


@pytest.fixture
def options(tiny_clip, toy_album, tmp_path):
    return make_options(tiny_clip, toy_album, tmp_path / "cache", 1)


def counting_study(calls, stop_at=None):
    """Four cells that each note that they were measured; one may be interrupted."""

    def cell(index):
        def measure(workshop):
            if index == stop_at:
                raise KeyboardInterrupt
            calls.append(index)
            return {"value": index * 1.5}

        return Cell(f"cell {index}", {"index": index}, measure)

    def conclude(options, cells, results):
        rows = [
            Row(figure="value", value=r["value"], n=1, conditions={"cell": c.label})
            for c, r in zip(cells, results, strict=True)
        ]
        return Findings(rows, {})

    return Study(
        name="counting",
        title="Counts",
        estimate="no time",
        plan=lambda options: [cell(i) for i in range(4)],
        conclude=conclude,
        rooms=("config",),
    )


def test_an_interrupted_study_goes_on_where_it_was(options):
    calls, seen = [], []
    with pytest.raises(KeyboardInterrupt):
        run_study(counting_study(calls, stop_at=2), options, command="dp2vl study counting")
    assert calls == [0, 1]
    card = run_study(
        counting_study(calls), options, command="dp2vl study counting", progress=seen.append
    )
    assert calls == [0, 1, 2, 3]
    assert [row.value for row in card.rows] == [0.0, 1.5, 3.0, 4.5]
    assert seen[0].done == 2
    assert seen[-1].done == seen[-1].total == 4
    again = run_study(counting_study(calls), options, command="dp2vl study counting")
    assert calls == [0, 1, 2, 3]
    assert again.rows == card.rows


def test_a_half_written_cell_is_measured_again(options):
    calls = []
    run_study(counting_study(calls), options, command="dp2vl study counting")
    files = sorted((options.cache / "cells" / "counting").glob("*.json"))
    assert len(files) == 4
    files[0].rename(files[0].with_name(f".{files[0].name}.123"))
    run_study(counting_study(calls), options, command="dp2vl study counting")
    assert len(calls) == 5


def test_changed_code_is_measured_again_and_changed_prose_is_not(tmp_path, monkeypatch):
    monkeypatch.setattr(cells, "_PACKAGE", tmp_path)
    file = tmp_path / "room.py"

    def digest(text):
        file.write_text(text)
        cells.code_digest.cache_clear()
        return cells.code_digest("room")

    first = digest('"""Old words."""\n\n\ndef f():\n    """Old."""\n    return 1\n')
    assert (
        digest('"""New words."""\n\n\ndef f():\n    """New."""\n    # why\n    return 1\n') == first
    )
    assert digest('"""Old words."""\n\n\ndef f():\n    """Old."""\n    return 2\n') != first
    cells.code_digest.cache_clear()


@pytest.fixture(scope="module")
def protection(tiny_clip, toy_album, tmp_path_factory):
    """The protection study's card on toy people, and the options it was made with."""
    options = make_options(tiny_clip, toy_album, tmp_path_factory.mktemp("cache"), 2)
    return run_study(get_study("protection"), options, command="dp2vl study protection"), options


def test_protection_study_on_toy_people(protection):
    card, options = protection
    clean = card.one(
        figure="identity_probe", encoder="surrogate", features="pooled", trained_on="clean"
    )
    # people who are colours are told apart by any encoder
    assert clean.value == 1.0
    assert clean.interval.low < 1.0
    assert clean.n == 2 * 4 * 2
    assert card.one(figure="chance").value == 0.25
    assert card.one(figure="within_budget").value == 1.0
    assert 0 < card.one(figure="linf").value <= 8
    controls = card.select(figure="identity_probe", features="pooled", encoder="held-out")
    assert {row.conditions["trained_on"] for row in controls} == {
        "clean",
        "protected",
        "protected, people unknown",
        "protected, each person alone",
        "random signs",
        "JPEG 75",
    }
    moved = card.one(
        figure="paired_cosine",
        features="pooled",
        encoder="surrogate",
        trained_on="protected",
        varied="people and photos",
    )
    assert moved.value < 1.0
    assert set(card.encoders) == {"surrogate", "held-out"}
    # nothing of the machine gets into a card
    assert str(options.cache) not in card.to_json()
    assert "hf:" not in card.to_json()


def test_the_arms_differ_in_what_a_run_knows_of_people(protection):
    _, options = protection
    from fiftyone_dp2vl.runs.manifest import ItemList

    folders = [path for path in (options.cache / "protected").iterdir() if path.is_dir()]
    groups = [{group for _, group in ItemList.load(folder).selected} for folder in folders]
    # the same album with its people, at two seeds, without them, and a run for each of four
    assert sorted(map(len, groups)) == [1, 1, 1, 1, 1, 4, 4]
    assert groups.count({None}) == 5
    sizes = sorted(len(ItemList.load(folder).selected) for folder in folders)
    assert sizes == [sizes[-1] // 4] * 4 + [sizes[-1]] * 3


def test_the_random_sign_control_uses_the_whole_budget(protection):
    _, options = protection
    import numpy as np
    from PIL import Image

    from fiftyone_dp2vl.studies.albums import folder_album

    share = folder_album(options.album).share
    folder = next((options.cache / "controls").glob("random-signs-*"))
    for shot, path in zip(share, sorted(folder.glob("*.png")), strict=True):
        clean = np.asarray(Image.open(shot.path)).astype(int)
        noisy = np.asarray(Image.open(path)).astype(int)
        inside = (clean >= 8) & (clean <= 247)
        assert set(np.unique(np.abs(noisy - clean)[inside])) == {8}


@pytest.mark.parametrize("name", ["strategies", "robustness", "ratio", "invariance"])
def test_other_studies_on_toy_people(name, options, monkeypatch):
    if name == "strategies":
        monkeypatch.setattr(
            "fiftyone_dp2vl.protection.list_strategies", lambda: {"repel": "", "mislead": ""}
        )
    card = run_study(get_study(name), options, command=f"dp2vl study {name}")
    if name == "ratio":
        none = card.one(figure="identity_probe", encoder="surrogate", features="pooled", ratio="0%")
        assert none.value == 1.0
        assert (
            len(card.select(figure="identity_probe", features="pooled")) == 2 * 5
        )  # encoders, ratios
    if name == "robustness":
        # arms x changes x encoders
        found = card.select(figure="knn_probe", features="pooled")
        assert len(found) == 4 * len(POSTPROCESSING) * 2
    if name == "strategies":
        found = [row.conditions for row in card.select(figure="psnr")]
        assert [(where["strategy"], where["people"]) for where in found] == [
            ("repel", "not named"),
            ("mislead", "not named"),
            ("mislead", "named"),
        ]
    if name == "invariance":
        largest = {
            row.conditions["against"]: row.value for row in card.select(figure="largest_difference")
        }
        assert largest["budget of 0"] == 0
        assert max(largest.values()) <= 1
        assert card.one(figure="targets_identical").value == 1.0


def test_studies_are_listed_and_found():
    for name in STUDIES:
        study = get_study(name)
        assert study.name == name
        assert study.estimate
    with pytest.raises(ConfigError, match="no study"):
        get_study("nonsense")


def test_changes_are_read_with_their_types():
    assert parse_changes(["steps=5", "epsilon=4", "transforms=jpeg:50-95@0.7,blur:0-1"]) == {
        "steps": 5,
        "epsilon": 4.0,
        "transforms": ("jpeg:50-95@0.7", "blur:0-1"),
    }
    for text, words in {
        "steps": "write SETTING=VALUE",
        "nonsense=1": "no setting 'nonsense', the settings are encoders, strategy, epsilon, steps",
        "fingerprint=1": "no setting 'fingerprint'",
        "steps=many": "'many' is not int",
    }.items():
        with pytest.raises(ConfigError, match=f"^--set {text}: .*{words}"):
            parse_changes([text])


def test_command_line(options, capsys, tmp_path, monkeypatch):
    from fiftyone_dp2vl.cli import main

    assert main(["study"]) == 0
    assert "protection" in capsys.readouterr().out
    assert main(["study", "nonsense"]) == 1
    assert "there are protection" in capsys.readouterr().err
    monkeypatch.chdir(tmp_path)
    arguments = [
        *("study", "ratio", "--album", str(options.album), "--surrogate", options.surrogate),
        *("--held-out", "none", "--set", "steps=2", "--seeds", "1", "--device", "cpu"),
    ]
    assert main(arguments) == 0
    written = json.loads((tmp_path / "docs" / "results" / "ratio.json").read_text())
    assert written["command"].startswith("dp2vl study ratio --seeds 1")
    assert str(options.album) not in json.dumps(written)
