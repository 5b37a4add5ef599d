"""The report's file: it round trips, and refuses whatever it should not hold."""

from __future__ import annotations

import json

import pytest

from fiftyone_dp2vl.measure.cards import CardError, Row
from fiftyone_dp2vl.measure.intervals import Interval
from fiftyone_dp2vl.measure.report import Answer, Arm, AttackReport


def test_round_trip(sample, tmp_path):
    path = sample.save(tmp_path / "deep" / "sample.json")
    again = AttackReport.load(path)
    assert again == sample
    assert isinstance(again.rows[-1].interval, Interval)
    assert [entry.name for entry in path.parent.iterdir()] == ["sample.json"]


def test_whatever_a_name_holds_is_kept(sample_module, tmp_path):
    evil = '</script><script>alert("1")</script>\n| \x00 ☃'
    answer = Answer(
        photo=evil,
        person=evil,
        ask="identity",
        scenario="",
        question=evil,
        truth=evil,
        words={"clean": evil},
        chosen={"clean": evil},
    )
    report = sample_module.sample_report(title=evil, answers=[answer])
    assert AttackReport.load(report.save(tmp_path / "r.json")) == report


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda d: d.update(format=2), "format 1"),
        (lambda d: d.update(kind="study"), "not an attack report"),
        (lambda d: d.update(extra=1), "unknown 'extra'"),
        (lambda d: d.pop("seconds"), "missing 'seconds'"),
        (lambda d: d.update(name="../up"), "the name is a file's stem"),
        (lambda d: d.update(title=" "), "title is empty"),
        (lambda d: d.update(title=7), "title is 7, not a text"),
        (lambda d: d.update(title="\ud800"), "not Unicode"),
        (lambda d: d.update(created="yesterday"), "not ISO 8601"),
        (lambda d: d.update(seconds=-1), "seconds is out of range"),
        (lambda d: d.update(attackers={}), "no attacker"),
        (lambda d: d.update(attackers=["embedded"]), "attackers is not an object"),
        (lambda d: d.update(seeds=["one"]), "seeds holds 'one'"),
        (lambda d: d.update(tested="all"), "tested is not a list"),
        (lambda d: d.update(notes=[3]), "notes holds 3"),
        (lambda d: d["arms"].append(d["arms"][0]), "stands twice"),
        (lambda d: d["arms"][0].update(group="other"), "group 'other' is not one of"),
        (lambda d: d["arms"][0].update(colour="red"), "arm: unknown 'colour'"),
        (lambda d: d["arms"][0].update(share=1.5), "share is 1.5"),
        (lambda d: d["arms"][0].update(group="ratio"), "gives its share"),
        (lambda d: d["arms"][0].update(group="post-processing"), "gives what it is after"),
        (lambda d: d["arms"].__setitem__(0, "none"), "arm is not an object"),
        (lambda d: d["rows"].append(d["rows"][0]), "stands twice under one set"),
        (lambda d: d["rows"][0].update(value=1.2), "1.2 is no share"),
        (lambda d: d["rows"][0].update(interval=[0.1, 1.2]), "1.2 is no share"),
        (lambda d: d["rows"][0].update(unit="dB"), "unit 'dB' is not 'share'"),
        (lambda d: d["rows"][0].update(n=0), "n is 0"),
        (lambda d: d["rows"][0]["conditions"].update(arm="who"), "arm 'who' is not one of"),
        (lambda d: d["rows"][0]["conditions"].update(attacker="who"), "attacker 'who'"),
        (lambda d: d["rows"][0]["conditions"].update(epoch="third"), "epoch 'third'"),
        (lambda d: d["rows"][0]["conditions"].update(epoch=3), "epoch is 3"),
        (lambda d: d["answers"][0].update(ask="age"), "ask 'age' is not one of"),
        (lambda d: d["answers"][0]["words"].update(who="x"), "unknown arm 'who'"),
        (lambda d: d["answers"][0].update(attacker="who"), "unknown attacker 'who'"),
        (lambda d: d["answers"][0].update(confidence={"clean": 2}), "confidence of 'clean'"),
        (lambda d: d["answers"][0].update(chosen=["x"]), "chosen is not an object"),
        (lambda d: d["answers"][0].pop("truth"), "missing 'truth'"),
    ],
)
def test_what_is_wrong_is_refused_with_a_sentence(sample, change, says):
    data = json.loads(sample.to_json())
    change(data)
    with pytest.raises(CardError) as found:
        AttackReport.from_json(json.dumps(data))
    assert says in str(found.value)


def test_older_files_without_optional_facts_are_read(sample):
    data = json.loads(sample.to_json())
    for arm in data["arms"]:
        if arm["group"] == "control":
            for key in ("share", "of", "after", "variant", "wins", "needs"):
                del arm[key]
    assert AttackReport.from_json(json.dumps(data)).arm("clean") == Arm(
        name="clean", group="control"
    )


def test_files_that_are_no_reports(tmp_path):
    with pytest.raises(CardError, match="is missing: evaluate an attack first"):
        AttackReport.load(tmp_path / "none.json")
    (tmp_path / "binary.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(CardError, match=r"binary\.json is not JSON"):
        AttackReport.load(tmp_path / "binary.json")
    with pytest.raises(CardError, match="not an attack report"):
        AttackReport.from_json("[]")


def test_find_takes_the_row_that_says_most(sample_module):
    def row(value, **conditions):
        return Row(figure="accuracy", value=value, unit="share", n=1, conditions=conditions)

    report = sample_module.sample_report(
        rows=[row(0.1, ask="identity"), row(0.2, ask="identity", arm="clean")], answers=[]
    )
    assert report.find("accuracy", ask="identity", arm="clean").value == 0.2
    assert report.find("accuracy", ask="identity", arm="protected").value == 0.1
    assert report.find("accuracy", ask="affiliation") is None
    assert report.find("chance", ask="identity") is None
