"""The attack panel over FiftyOne's own HTTP routes."""

from __future__ import annotations

import base64

import pytest
from panel_report import made_up_report, store_evaluation

from fiftyone_dp2vl.measure.report_html import report_html
from fiftyone_dp2vl.measure.report_views import Lens, dozen, heat_map, ladder, ratio_curve
from fiftyone_dp2vl.measure.report_words import LIMITS, percent, verdict_sentences
from fiftyone_dp2vl.store.evaluations import list_evaluations
from fiftyone_dp2vl.store.panels.report import leak_rows, read_report


@pytest.fixture
def panel(open_panel):
    return open_panel("attack")


@pytest.fixture
def report(world):
    return read_report(list_evaluations(world)[-1])


def traces(panel, name):
    return {trace.get("name"): trace for trace in panel.data["plots"][name]["plot"]}


def test_the_leak_before_and_after_is_that_of_the_report(panel, report):
    lens = Lens(report)
    shown = traces(panel, "leak")
    for arm, name in (("clean", "clean photos"), ("protected", "protected photos")):
        trace = shown[name] if name in shown else shown[arm]
        rows = [lens.accuracy(arm, ask, scenario) for ask, scenario in leak_rows(lens)]
        assert trace["x"] == [row.value for row in rows]
        assert trace["error_x"]["array"] == [row.interval.high - row.value for row in rows]
    assert len(leak_rows(lens)) == 9
    controls = {"random signs, same budget", "JPEG only", "blurred faces"} & set(shown)
    assert controls or {"random signs", "JPEG only"} <= set(shown)


def test_the_ratio_curve_the_heat_map_and_the_ladder_are_those_of_the_report(panel, report):
    lens = Lens(report)
    curve = traces(panel, "ratio")["names the person, share of photos"]
    assert list(zip(curve["x"], curve["y"], strict=True)) == [
        (share, row.value) for share, row in ratio_curve(lens, "photos", "identity")
    ]
    (heat,) = panel.data["plots"]["heat"]["plot"]
    cells = list(heat_map(lens).lines.values())
    assert heat["text"] == [
        ["" if cell is None else percent(cell.row.value) for cell in line] for line in cells
    ]
    won = [rung for rung in ladder(report) if rung.arm.wins]
    red = traces(panel, "ladder")["names the person, gets through"]
    assert red["x"] == [rung.rows["identity"].value for rung in won]
    others = traces(panel, "ladder")["names the person"]
    assert red["marker"]["color"] != others["marker"]["color"]


def test_it_says_what_was_found_what_was_not_tested_and_what_nothing_tells(panel, report):
    said = panel.text().replace("\\", "")
    for sentence in (*verdict_sentences(report), *report.not_tested, *report.tested, *LIMITS):
        assert sentence in said
    for rung in ladder(report):
        assert rung.arm.needs in said


def test_a_question_is_shown_with_both_answers_and_its_photo_can_be_selected(panel, report, world):
    shown = dozen(report)
    paths = dict(zip(*world.values(["id", "filepath"]), strict=True))
    for number, answer in enumerate(shown):
        assert answer.photo in paths
        row = panel.find(f"row_{number}")["type"]["properties"]
        assert row["photo"]["view"]["params"] == {"id": answer.photo}
        assert row["photo"]["view"]["operator"].endswith("attack#select_photo")
        assert panel.data["answers"][f"row_{number}"]["photo"].startswith("data:image/jpeg")
        said = row["said"]["default"].replace("\\", "")
        assert answer.question in said
        for arm in ("clean", "protected"):
            assert answer.words[arm] in said
    asked = panel.do("select_photo", id=shown[0].photo)
    ((name, given),) = asked
    assert name == "set_selected_samples"
    assert [chosen["id"] for chosen in given["samples"]] == [shown[0].photo]


def test_another_attacker_and_another_evaluation_can_be_chosen(panel, world, tmp_path):
    from fiftyone_dp2vl.store.evaluations import delete_evaluation

    panel.do("on_change_attacker", value="llava:heldout")
    lens = Lens(made_up_report(world, "eval1"), "llava:heldout")
    protected = lens.accuracy("protected", "identity").value
    assert any(protected in trace["x"] for trace in traces(panel, "leak").values())
    assert "ratio" not in panel.data["plots"] or panel.find("ratio") is None
    store_evaluation(world, tmp_path, "second")
    try:
        panel.do("on_load")
        names = [choice["value"] for choice in panel.find("evaluation")["view"]["choices"]]
        assert set(names) == {"eval1", "second"}
        panel.do("on_change_evaluation", value="second")
        assert panel.state["controls"]["evaluation"] == "second"
    finally:
        delete_evaluation(world, "second")


def test_when_the_evaluation_shown_is_deleted_another_one_can_be_chosen(
    open_panel, world, tmp_path
):
    from fiftyone_dp2vl.store.evaluations import delete_evaluation

    store_evaluation(world, tmp_path, "second")
    panel = open_panel("attack")
    panel.do("on_change_evaluation", value="second")
    delete_evaluation(world, "second")
    panel.do("on_unload")
    assert "No evaluation is shown" in panel.text()
    choices = panel.find("evaluation")["view"]["choices"]
    assert [choice["value"] for choice in choices] == ["eval1"]
    panel.do("on_change_evaluation", value="eval1")
    assert panel.find("verdict") is not None


def test_the_report_is_saved_as_html(panel, report):
    ((name, given),) = panel.do("export")
    assert name == "browser_download"
    assert given["filename"] == "dp2vl-attack-eval1.html"
    kind, _, content = given["url"].partition(",")
    assert kind == "data:text/html;base64"
    assert base64.b64decode(content).decode() == report_html(report)


def test_a_report_whose_file_is_gone_is_named_in_a_sentence(open_panel, dataset, tmp_path):
    from fiftyone_dp2vl.store.evaluations import AttackEvaluation, save_evaluation

    record = AttackEvaluation(
        evaluation="gone", state="complete", run=None, directory=str(tmp_path / "nowhere")
    )
    save_evaluation(dataset, record)
    panel = open_panel("attack", dataset)
    assert "is missing" in panel.text()
    ((name, given),) = panel.do("export")
    assert name == "notify"
    assert "is missing" in given["message"]


def test_without_an_evaluation_it_opens_the_form_for_the_newest_run(open_panel, dataset, world):
    panel = open_panel("attack", dataset)
    assert "No attack has been evaluated yet" in panel.text()
    ((name, given),) = panel.do("evaluate")
    assert name == "prompt_user_for_operation"
    assert given["operator_uri"] == "@dp2vl/fiftyone_dp2vl/evaluate_attack"
    assert given["params"] == {}
    panel = open_panel("attack")
    ((_, given),) = panel.do("evaluate")
    assert given["params"] == {"run": "standard"}


def test_what_people_are_called_is_never_markup(client):
    from fiftyone.plugins.orgs.dp2vl.fiftyone_dp2vl.panels.parts import escaped

    assert escaped("a|b\n[x](y) <b>") == r"a\|b \[x\](y) \<b\>"
