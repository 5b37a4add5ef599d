"""The attack panel: the report card, as a person reads it."""

from __future__ import annotations

import base64
from typing import Any

import fiftyone.operators as foo
import fiftyone.operators.types as types

from fiftyone_dp2vl.errors import DP2VLError
from fiftyone_dp2vl.measure.report import Answer, AttackReport
from fiftyone_dp2vl.measure.report_html import report_html
from fiftyone_dp2vl.measure.report_views import Lens, compared_attackers, dozen, ladder
from fiftyone_dp2vl.measure.report_words import (
    ASK_WORDS,
    LIMITS,
    arm_words,
    attacker_words,
    share,
    verdict_sentences,
)
from fiftyone_dp2vl.store.evaluations import AttackEvaluation, list_evaluations
from fiftyone_dp2vl.store.panels.photo import thumbnail
from fiftyone_dp2vl.store.panels.report import answer_photos, read_report
from fiftyone_dp2vl.store.pending import pending_work
from fiftyone_dp2vl.store.records import list_runs

from .attack_plots import Plot, heat_plot, ladder_plot, leak_key, leak_plot, ratio_plot
from .cluster_table import DASH
from .parts import (
    choose,
    column,
    dropdown,
    escaped,
    forget_copies,
    offer_others,
    page,
    prompt,
    show_pending,
    text,
    wrapping,
)

_PLOTS = {
    "leak": "What leaks, before and after",
    "ratio": "When only a part is protected",
    "heat": "After the protected photos were processed",
    "ladder": "Attackers who know of the protection",
}
_NOTES = {
    "leak": "Share of right answers about clean photos that the attacker never saw, after it "
    "trained on each kind of photo. Whiskers are 95 % intervals; the tick is what guessing gives.",
    "ratio": "Orange: share of photos; violet: share of people. Solid with its 95 % interval: "
    "names the person; dotted: knows the affiliation. The grey line is guessing.",
    "heat": "Of the attacker who gets most. Green is as good as guessing, red is as if nothing had "
    "been protected.",
    "ladder": "Red ones get through in spite of the protection. Circle: names the person; diamond: "
    "knows the affiliation. Dotted lines: names the person "
    "after training on clean (blue) and on protected photos (orange).",
}


class Attack(foo.Panel):
    """What an attacker learns from clean and from protected photos."""

    @property
    def config(self) -> foo.PanelConfig:
        """The panel's configuration."""
        return foo.PanelConfig(
            name="attack",
            label="DP2-VL attack",
            icon="track_changes",
            surfaces="grid",
            category=foo.Categories.ANALYZE,
            help_markdown="What an attacker learned from clean and from protected photos, and "
            "what was not tested.",
        )

    def on_load(self, ctx: foo.ExecutionContext) -> None:
        """Shows the newest evaluation."""
        self._show(ctx)

    def on_change_dataset(self, ctx: foo.ExecutionContext) -> None:
        """Shows another dataset's newest evaluation."""
        self._show(ctx)

    def on_change_evaluation(self, ctx: foo.ExecutionContext) -> None:
        """Shows another evaluation."""
        ctx.panel.set_state("controls.evaluation", ctx.params["value"])
        self._show(ctx)

    def on_change_attacker(self, ctx: foo.ExecutionContext) -> None:
        """Shows another attacker's figures."""
        ctx.panel.set_state("controls.attacker", ctx.params["value"])
        self._show(ctx)

    def select_photo(self, ctx: foo.ExecutionContext) -> None:
        """Selects the photo that was asked about."""
        ctx.ops.set_selected_samples([ctx.params["id"]])

    def export(self, ctx: foo.ExecutionContext) -> None:
        """Sends the report card as one HTML file."""
        evaluation = _evaluation(ctx)
        if evaluation is None:
            return
        try:
            html = report_html(read_report(evaluation)).encode()
        except DP2VLError as error:
            ctx.ops.notify(str(error), variant="error")
            return
        ctx.ops.browser_download(
            f"data:text/html;base64,{base64.b64encode(html).decode()}",
            filename=f"dp2vl-attack-{evaluation.evaluation}.html",
        )

    def evaluate(self, ctx: foo.ExecutionContext) -> None:
        """Opens the form that evaluates an attack, on the newest run."""
        complete = [record.run for record in list_runs(ctx.dataset) if record.state == "complete"]
        prompt(ctx, "evaluate_attack", run=complete[-1] if complete else None)

    def poll(self, ctx: foo.ExecutionContext) -> None:
        """Looks whether what was at work is over."""
        if len(list_evaluations(ctx.dataset)) != ctx.panel.get_state("known"):
            self._show(ctx)

    def render(self, ctx: foo.ExecutionContext) -> types.Property:
        """Returns the panel's content."""
        body = types.Object()
        show_pending(body, pending_work(ctx.dataset), self.poll)
        evaluation = _evaluation(ctx)
        names = [known.evaluation for known in list_evaluations(ctx.dataset)]
        if evaluation is None and names:
            options = {name: name for name in names}
            offer_others(body, "evaluation", options, "Evaluation", self.on_change_evaluation)
            return page(body)
        if evaluation is None:
            text(
                body,
                "about",
                "### No attack has been evaluated yet\nThe plugin can play the attacker: it "
                "fine-tunes a model on the shared photos, clean and protected, and asks it who is "
                "on other photos. What it finds is shown here.",
            )
            buttons = wrapping(body, "buttons")
            buttons.btn(
                "evaluate", label="Evaluate an attack", on_click=self.evaluate, variant="contained"
            )
            return page(body)
        try:
            report = read_report(evaluation)
        except DP2VLError as error:
            self._render_controls(ctx, body, None)
            body.view("problem", types.Warning(label=str(error)))
            return page(body)
        self._render_controls(ctx, body, report)
        lens = _lens(ctx, report)
        text(body, "verdict", _verdict_markdown(report, evaluation))
        row = wrapping(body, "plots", gap=3)
        for name, (_, layout) in _plots(report, lens).items():
            part = column(row, name, grow=1, width=430)
            key = " " + leak_key(lens) if name == "leak" else ""
            text(part, "title", f"### {_PLOTS[name]}\n{_NOTES[name]}{key}")
            part.plot(
                "plot",
                layout={"uirevision": f"{evaluation.evaluation} {lens.attacker}", **layout},
                config={"responsive": True, "displayModeBar": False, "scrollZoom": False},
                height=f"{layout['height']}px",
            )
            if name == "ladder":
                text(part, "needs", _ladder_markdown(report))
        self._render_answers(ctx, body, report)
        text(body, "tested", _tested_markdown(report))
        return page(body)

    def _render_controls(
        self, ctx: foo.ExecutionContext, body: types.Object, report: AttackReport | None
    ) -> None:
        row = wrapping(body, "controls", gap=1, alignItems="flex-end")
        names = [evaluation.evaluation for evaluation in list_evaluations(ctx.dataset)]
        dropdown(row, "evaluation", {n: n for n in names}, "Evaluation", self.on_change_evaluation)
        if report is None:
            return
        attackers = {
            lens.attacker: attacker_words(lens.attacker) for lens in compared_attackers(report)
        }
        if len(attackers) > 1:
            dropdown(row, "attacker", attackers, "Attacker", self.on_change_attacker)
        row.btn("export", label="Save the report as HTML", on_click=self.export, variant="outlined")

    def _render_answers(
        self, ctx: foo.ExecutionContext, body: types.Object, report: AttackReport
    ) -> None:
        shown = dozen(report)
        if not shown:
            return
        text(
            body,
            "answers_title",
            "### Questions and answers\nA sample for reading; the figures above rest on all. A "
            "click on a photo selects it in the grid.",
        )
        photos = answer_photos(ctx.dataset, [answer.photo for answer in shown])
        table = body.v_stack(
            "answers",
            gap=0.5,
            componentsProps={"grid": {"sx": {"gridTemplateColumns": "minmax(0, 1fr)"}}},
        )
        for number, answer in enumerate(shown):
            line = wrapping(
                table,
                f"row_{number}",
                gap=1,
                display="grid",
                gridTemplateColumns="64px minmax(0, 1fr)",
                alignItems="center",
            )
            if answer.photo in photos:
                line.img(
                    "photo",
                    on_click=self.select_photo,
                    params={"id": answer.photo},
                    alt_text=f"photo of {answer.person}",
                    componentsProps={
                        "image": {
                            "style": {
                                "width": "64px",
                                "height": "64px",
                                "objectFit": "cover",
                                "borderRadius": "4px",
                                "cursor": "pointer",
                            }
                        }
                    },
                )
            else:
                text(line, "photo", DASH)
            text(line, "said", _answer_markdown(answer))

    def _show(self, ctx: foo.ExecutionContext) -> None:
        forget_copies(ctx, "plots", "answers")
        evaluations = {e.evaluation: e for e in list_evaluations(ctx.dataset)}
        name = choose(ctx.panel.get_state("controls.evaluation"), list(evaluations))
        state: dict[str, Any] = {"controls.evaluation": name, "known": len(evaluations)}
        if name is not None:
            try:
                report = read_report(evaluations[name])
            except DP2VLError:
                ctx.panel.set_state(state)
                return
            attackers = [lens.attacker for lens in compared_attackers(report)]
            attacker = ctx.panel.get_state("controls.attacker")
            state["controls.attacker"] = (
                attacker if attacker in attackers else Lens(report).attacker
            )
            lens = Lens(report, state["controls.attacker"])
            data: dict[str, Any] = {
                f"plots.{part}.plot": traces for part, (traces, _) in _plots(report, lens).items()
            }
            shown = dozen(report)
            photos = answer_photos(ctx.dataset, [answer.photo for answer in shown])
            for number, answer in enumerate(shown):
                data[f"answers.row_{number}.photo"] = thumbnail(photos.get(answer.photo))
            ctx.panel.set_data(data)
        ctx.panel.set_state(state)


def _evaluation(ctx: foo.ExecutionContext) -> AttackEvaluation | None:
    name = ctx.panel.get_state("controls.evaluation")
    return next((e for e in list_evaluations(ctx.dataset) if e.evaluation == name), None)


def _lens(ctx: foo.ExecutionContext, report: AttackReport) -> Lens:
    attacker = ctx.panel.get_state("controls.attacker")
    return Lens(report, attacker if attacker in report.attackers else None)


def _plots(report: AttackReport, lens: Lens) -> dict[str, Plot]:
    made = {
        "leak": leak_plot(lens),
        "ratio": ratio_plot(lens),
        "heat": heat_plot(lens),
        "ladder": ladder_plot(report, lens),
    }
    return {name: plot for name, plot in made.items() if plot is not None}


def _verdict_markdown(report: AttackReport, evaluation: AttackEvaluation) -> str:
    lines = [f"### {escaped(report.title)}"]
    lines += [f"- {escaped(sentence)}" for sentence in verdict_sentences(report)]
    facts = [f"run {evaluation.run}" if evaluation.run else "no protection run"]
    if "people" in report.album:
        facts.append(f"{report.album['people']} people")
    facts += [f"{report.album[n]} {n}" for n in ("shared", "queries") if n in report.album]
    facts.append(f"{len(report.seeds)} repetitions" if len(report.seeds) > 1 else "one repetition")
    lines.append("\n" + escaped(", ".join(facts)) + ".")
    lines += ["\n" + escaped(note) for note in report.notes]
    return "\n".join(lines)


def _ladder_markdown(report: AttackReport) -> str:
    lines = ["| Attacker | person | affiliation |", "|:--|--:|--:|"]
    for rung in ladder(report):
        name = escaped(arm_words(rung.arm))
        name = f"**{name}, gets through**" if rung.arm.wins else f"**{name}**"
        figures = (share(rung.rows.get(ask), interval=False) for ask in ASK_WORDS)
        lines.append(f"| {name}: {escaped(rung.arm.needs)} | {' | '.join(figures)} |")
    return "\n".join(lines)


def _answer_markdown(answer: Answer) -> str:
    said = {
        arm: answer.words.get(arm) or answer.chosen.get(arm) or DASH
        for arm in ("clean", "protected")
    }
    right = {arm: answer.chosen.get(arm) == answer.truth for arm in said}
    marks = {True: "✓", False: "✗"}
    return (
        f"**{escaped(answer.question)}** *{escaped(answer.truth)}*\n\n"
        f"trained on clean: {escaped(said['clean'])} {marks[right['clean']]} · "
        f"trained on protected: {escaped(said['protected'])} {marks[right['protected']]}"
    )


def _tested_markdown(report: AttackReport) -> str:
    parts = []
    for title, sentences in (
        ("What was tested", report.tested),
        ("What was not tested", report.not_tested),
        ("What no figure here can tell", LIMITS),
    ):
        if sentences:
            parts.append(f"### {title}\n" + "\n".join(f"- {escaped(s)}" for s in sentences))
    return "\n\n".join(parts)
