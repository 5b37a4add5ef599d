"""What a reader of a report sees: the figures of the file, honestly worded, and no markup of it."""

from __future__ import annotations

import dataclasses
import re
from html.parser import HTMLParser

import pytest

from fiftyone_dp2vl.cli import main
from fiftyone_dp2vl.measure.cards import Row
from fiftyone_dp2vl.measure.intervals import Interval
from fiftyone_dp2vl.measure.markup import Markup, tag
from fiftyone_dp2vl.measure.report_html import report_html
from fiftyone_dp2vl.measure.report_markdown import report_markdown
from fiftyone_dp2vl.measure.report_views import (
    Lens,
    dozen,
    gets_through,
    heat_map,
    ladder,
    ratio_curve,
)
from fiftyone_dp2vl.measure.report_words import (
    LIMITS,
    percent,
    rung_words,
    share,
    verdict_sentences,
)


class Page(HTMLParser):
    """Collects a page's elements and visible text, and checks that elements nest."""

    VOID = frozenset(("meta", "br", "link", "img", "input"))

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.words = ""
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "style" not in self.open:
            self.words += data

    def of(self, name):
        return [attributes for tag, attributes in self.elements if tag == name]


@pytest.fixture(scope="module")
def page(sample):
    return Page(report_html(sample))


def test_the_page_stands_alone(sample, page):
    text = report_html(sample)
    assert not {"script", "img", "link", "iframe", "object"} & {tag for tag, _ in page.elements}
    assert not re.search(r"url\(|@import|https?:|src=|href=", text)
    (policy,) = [m["content"] for m in page.of("meta") if m.get("http-equiv")]
    assert policy == "default-src 'none'; style-src 'unsafe-inline'"
    assert "prefers-color-scheme:dark" in text
    assert "@media print" in text


def test_every_plot_tells_its_figures_in_words(page):
    plots = [svg for svg in page.of("svg") if svg.get("role") == "img"]
    assert len(plots) > 50
    for svg in plots:
        assert re.search(r"\d+\xa0%", svg["aria-label"])
    hidden = [svg for svg in page.of("svg") if svg.get("role") != "img"]
    assert all(svg.get("aria-hidden") or "viewbox" in svg or "y" in svg for svg in hidden)


def test_the_plots_figures_are_also_tables(sample, page):
    lens = Lens(sample)
    for arm in lens.arms("control", "protection", "ratio", "post-processing"):
        for ask in ("identity", "affiliation"):
            assert share(lens.accuracy(arm.name, ask)) in page.words


def test_the_verdict_says_before_after_and_guessing(sample, page):
    lens = Lens(sample)
    before, after, noise = (
        share(lens.accuracy(arm, "identity")) for arm in ("clean", "protected", "random signs")
    )
    sentence = (
        f"After protection, the attacker “embedded” names the person on {after} of the clean "
        f"photos that it never saw; without protection, {before}; with random noise "
        f"instead, {noise}; guessing gives 10\xa0%."
    )
    assert verdict_sentences(sample)[0] == sentence
    assert sentence in page.words
    assert sentence.replace("\xa0", " ") in report_markdown(sample).replace("\xa0", " ")


def test_attackers_who_win_are_said_first_and_shown_red(sample, page):
    won = [rung.arm.name for rung in ladder(sample) if rung.arm.wins]
    assert len(won) == 2
    assert "2 adaptive attackers get through" in verdict_sentences(sample)[2]
    assert len([li for li in page.of("li") if li.get("class") == "wins"]) == 2
    assert page.words.count("gets through") == 2


def test_nothing_is_called_safe(sample, page):
    for text in (page.words, report_markdown(sample)):
        assert not re.search(r"anonym|GDPR|unlearnable|guarantee|\bsafe\b|is protected\.", text)
        for limit in LIMITS:
            assert limit in text
        for sentence in (*sample.tested, *sample.not_tested, *sample.notes):
            assert sentence in text


def test_a_protection_that_can_be_inverted_is_said_to(sample_module):
    report = sample_module.sample_report()
    rows = [
        dataclasses.replace(row, value=0.9, interval=type(row.interval)(0.85, 0.95))
        if row.matches({"figure": "inverted_accuracy", "arm": "protected", "attacker": "embedded"})
        else row
        for row in report.rows
    ]
    assert not any("inverted" in text for text in verdict_sentences(report))
    inverted = dataclasses.replace(report, rows=rows)
    assert any("the protection can be inverted" in text for text in verdict_sentences(inverted))


def test_strings_of_a_report_never_become_markup(sample_module):
    evil = '"><script>alert(1)</script><img src=x onerror=y>|`*[a](b)'
    report = sample_module.sample_report(
        title=evil,
        notes=[evil],
        tested=[evil],
        environment={evil: evil},
        configs={evil: {"a": evil}},
    )
    answers = [
        dataclasses.replace(
            answer, question=evil, truth=evil, photo=evil, words={"clean": evil, "protected": evil}
        )
        for answer in report.answers
    ]
    report = dataclasses.replace(report, answers=answers)
    page = Page(report_html(report))
    assert not {"script", "img"} & {tag for tag, _ in page.elements}
    assert not any(key.startswith("on") for _, attrs in page.elements for key in attrs)
    assert page.words.count("<script>alert(1)</script>") > 12
    text = report_markdown(report)
    assert "<script>" not in text
    assert "](b)" not in text
    cells = [line for line in text.splitlines() if line.startswith("| ")]
    widths = [len(re.findall(r"(?<!\\)\|", line)) for line in cells]
    assert {width for line, width in zip(cells, widths, strict=True) if "alert" in line} == {5}


def test_markup_escapes_everything_but_itself():
    assert tag("p", "<", Markup("<b>"), ["&", None], title='"') == (
        '<p title="&quot;">&lt;<b>&amp;</p>'
    )


class TestReportsThatHoldLess:
    def test_nothing_was_protected(self, sample_module):
        report = sample_module.sample_report()
        report = dataclasses.replace(
            report,
            protection={},
            arms=[arm for arm in report.arms if arm.group == "control"],
            rows=[
                row for row in report.rows if row.conditions.get("group", "control") == "control"
            ],
            answers=[],
        )
        assert verdict_sentences(report)[0].startswith("Nothing was protected: the attacker")
        page = Page(report_html(report))
        assert "When not everything is protected" not in page.words
        assert "Questions and answers" not in page.words
        assert "## Attackers who know" not in report_markdown(report)

    def test_a_proxy_alone_is_called_one(self, sample_module):
        report = sample_module.sample_report()
        name = "proxy:linear@embedded"
        report = dataclasses.replace(
            report,
            attackers={name: report.attackers[name]},
            rows=[row for row in report.rows if row.conditions["attacker"] == name],
            answers=[],
        )
        sentences = verdict_sentences(report)
        assert "“linear@embedded (proxy)”" in sentences[0]
        assert "No model was fine-tuned" in sentences[-1]
        assert "linear@embedded (proxy)" in Page(report_html(report)).words

    def test_no_figures_at_all(self, sample_module):
        report = sample_module.sample_report(arms=[], rows=[], answers=[], notes=[])
        assert verdict_sentences(report) == []
        assert "Not tested" in Page(report_html(report)).words
        assert "## Not tested" in report_markdown(report)

    def test_figures_without_intervals(self, sample_module):
        report = sample_module.sample_report()
        rows = [dataclasses.replace(row, interval=None) for row in report.rows]
        page = Page(report_html(dataclasses.replace(report, rows=rows)))
        assert "[" not in page.words.split("Questions and answers")[0]


class TestViews:
    def test_the_ratio_curve_runs_from_nothing_to_everything(self, sample):
        lens = Lens(sample)
        curve = ratio_curve(lens, "photos", "identity")
        assert [at for at, _ in curve] == [0.0, 0.25, 0.5, 0.75, 1.0]
        assert curve[0][1] == lens.accuracy("clean", "identity")
        assert curve[-1][1] == lens.accuracy("protected", "identity")

    def test_the_heat_map_has_both_protections_and_the_unprocessed_line(self, sample):
        found = heat_map(Lens(sample))
        assert len(found.columns) == 4
        assert next(iter(found.lines)) == ""
        assert len(found.lines) == 11
        cell = found.lines["JPEG 75"][0]
        assert cell.row == Lens(sample).accuracy("protected, after JPEG 75", "identity")
        assert cell.above_chance == pytest.approx((cell.row.value - 0.1) / 0.9)

    def test_the_peak_is_another_lens(self, sample):
        final, peak = (Lens(sample, epoch=epoch) for epoch in ("final", "peak"))
        assert peak.accuracy("protected", "identity") != final.accuracy("protected", "identity")

    def test_a_dozen_answers_of_both_kinds(self, sample):
        shown = dozen(sample)
        assert len(shown) == 12
        assert len({answer.person for answer in shown[:6]}) == 6
        assert {answer.ask for answer in shown[:6]} == {"identity"}
        assert {answer.ask for answer in shown[6:]} == {"affiliation"}

    def test_an_adaptive_attacker_with_another_model_has_that_ones_figures(self, sample_module):
        report = sample_module.sample_report()
        name = "adaptive: A2 augmentation"
        rows = [
            dataclasses.replace(row, conditions={**row.conditions, "attacker": "llava:heldout"})
            if row.conditions.get("arm") == name
            else row
            for row in report.rows
        ]
        (rung,) = [
            rung for rung in ladder(dataclasses.replace(report, rows=rows)) if rung.arm.name == name
        ]
        assert rung.lens.attacker == "llava:heldout"

    @pytest.fixture
    def by_a_proxy(self, sample_module):
        """A report in which only a proxy gets through, by an adaptive arm and by JPEG."""
        report = sample_module.sample_report()
        withstood = next(a.name for a in report.arms if a.group == "adaptive" and not a.wins)
        names = (withstood, "protected, after JPEG 75")
        arms = [
            dataclasses.replace(arm, wins=True) if arm.name in names else arm for arm in report.arms
        ]
        where = {"setting": "all", "scenario": "all", "scoring": "forced choice"}
        for name in names:
            assert Lens(report).accuracy(name, "identity").value < 0.5
        rows = [
            Row(
                figure="accuracy",
                value=0.8,
                unit="share",
                n=60,
                interval=Interval(0.6, 0.9),
                conditions={
                    "attacker": "proxy:knn@other",
                    "arm": name,
                    "epoch": "final",
                    "ask": "identity",
                    **where,
                },
            )
            for name in names
        ]
        return dataclasses.replace(
            report,
            arms=arms,
            rows=[*report.rows, *rows],
            attackers={**report.attackers, "proxy:knn@other": {}},
        )

    def test_who_gets_through_is_the_one_whose_figures_are_shown(self, by_a_proxy):
        (rung,) = [r for r in ladder(by_a_proxy) if r.lens.attacker == "proxy:knn@other"]
        assert rung.rows["identity"].value == 0.8
        assert all(gets_through(r) for r in ladder(by_a_proxy) if r.arm.wins)

    def test_the_heat_map_shows_the_attacker_who_gets_most(self, by_a_proxy):
        assert heat_map(Lens(by_a_proxy)).lines["JPEG 75"][0].row.value == 0.8


def test_what_an_adaptive_attacker_needs_and_who_it_was(sample_module):
    report = sample_module.sample_report()
    name = "adaptive: A7 denoiser"
    told = Row(
        figure="detector_accuracy",
        value=0.9,
        unit="share",
        n=40,
        conditions={"arm": name, "attacker": "embedded"},
    )
    report = dataclasses.replace(report, rows=[*report.rows, told])
    said = {rung.arm.name: rung_words(rung) for rung in ladder(report)}
    assert said[name].endswith("Its detector told protected photos from clean ones in 90\xa0%.")
    assert said[name].startswith("This tool")
    assert all("detector" not in text for key, text in said.items() if key != name)


def test_per_cent():
    assert percent(0.126) == "13\xa0%"
    assert share(None) == "\N{EN DASH}"


class TestCommand:
    def test_it_prints_and_writes(self, sample, tmp_path, capsys):
        path = sample.save(tmp_path / "sample.json")
        html, markdown = tmp_path / "new" / "r.html", tmp_path / "r.md"
        assert main(["report", str(path), "--html", str(html), "--markdown", str(markdown)]) == 0
        assert html.read_text(encoding="utf-8") == report_html(sample)
        assert markdown.read_text(encoding="utf-8") == report_markdown(sample)
        assert verdict_sentences(sample)[0] in capsys.readouterr().out

    def test_the_report_is_not_overwritten(self, sample, tmp_path, capsys):
        path = sample.save(tmp_path / "sample.json")
        assert main(["report", str(path), "--html", str(path)]) == 1
        assert "is the report itself" in capsys.readouterr().err
        assert path.read_text(encoding="utf-8") == sample.to_json()

    def test_a_missing_file_is_one_sentence(self, tmp_path, capsys):
        assert main(["report", str(tmp_path / "none.json")]) == 1
        assert "is missing: evaluate an attack first" in capsys.readouterr().err
