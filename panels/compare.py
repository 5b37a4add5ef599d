"""The compare panel: the open photo before, after, and what was changed."""

from __future__ import annotations

from typing import Any

import fiftyone.operators as foo
import fiftyone.operators.types as types

from fiftyone_dp2vl.errors import PhotoError
from fiftyone_dp2vl.store.names import encoder_slugs
from fiftyone_dp2vl.store.panels.photo import (
    GRADE_RULE,
    PhotoFigures,
    amplified,
    load_pair,
    original_file,
    photo_figures,
    protected_file,
    visible_quality,
)
from fiftyone_dp2vl.store.records import ProtectionRun, list_runs

from .cluster_table import DASH
from .empty import offer_protection
from .parts import choose, column, dropdown, forget_copies, offer_others, page, text, wrapping

_TIMES = {str(times): f"\N{MULTIPLICATION SIGN}{times}" for times in (1, 2, 4, 8, 16, 32)}
_PLOT = "pictures"


class Compare(foo.Panel):
    """Original, protected and amplified difference of one photo."""

    @property
    def config(self) -> foo.PanelConfig:
        """The panel's configuration."""
        return foo.PanelConfig(
            name="compare",
            label="DP2-VL compare",
            icon="compare",
            surfaces="modal",
            category=foo.Categories.CURATE,
            help_markdown="The open photo before and after, and the change between the two. "
            "The three pictures zoom together.",
        )

    def on_load(self, ctx: foo.ExecutionContext) -> None:
        """Shows the open photo."""
        self._show(ctx)

    def on_change_current_sample(self, ctx: foo.ExecutionContext) -> None:
        """Shows the photo that was opened now."""
        self._show(ctx)

    def on_change_run(self, ctx: foo.ExecutionContext) -> None:
        """Shows another run's copy."""
        ctx.panel.set_state("controls.run", ctx.params["value"])
        self._show(ctx)

    def on_change_times(self, ctx: foo.ExecutionContext) -> None:
        """Amplifies the difference more, or less."""
        ctx.panel.set_state("controls.times", str(ctx.params["value"]))
        self._show(ctx)

    def protect(self, ctx: foo.ExecutionContext) -> None:
        """Opens the form that protects photos."""
        offer_protection(ctx)

    def render(self, ctx: foo.ExecutionContext) -> types.Property:
        """Returns the panel's content."""
        body = types.Object()
        runs = {record.run: record for record in list_runs(ctx.dataset)}
        record = runs.get(ctx.panel.get_state("controls.run"))
        sample = _sample(ctx)
        if record is None and runs:
            offer_others(body, "run", {name: name for name in runs}, "Run", self.on_change_run)
            return page(body)
        if record is None or sample is None:
            said = (
                "### No run yet\nProtect photos, and each is shown beside its protected copy here."
            )
            if record is not None:
                said = "### No photo is open\nOpen a photo of the grid."
            text(body, "about", said)
            if record is None:
                body.btn("protect", label="Protect photos", on_click=self.protect)
            return page(body)
        row = wrapping(body, "controls", gap=1)
        dropdown(row, "run", {name: name for name in runs}, "Run", self.on_change_run)
        dropdown(row, "times", _TIMES, "Difference", self.on_change_times)
        figures = photo_figures(sample, record)
        problem = ctx.panel.get_state("problem")
        if problem:
            body.view("problem", types.Warning(label=problem))
        elif ctx.panel.get_state("size"):
            shown = 3 if ctx.panel.get_state("pair") else 1
            body.plot(
                "pictures",
                layout=_layout(ctx, shown),
                config={"responsive": True, "displaylogo": False},
                height=_height(ctx),
            )
            text(body, "caption", _caption(ctx, shown))
        parts = wrapping(body, "body", gap=2)
        about, notes = _figures_markdown(record, figures), _run_markdown(record)
        text(column(parts, "left", grow=3, width=340), "figures", about)
        text(column(parts, "right", grow=2, width=300), "run_facts", notes)
        return page(body)

    def _show(self, ctx: foo.ExecutionContext) -> None:
        forget_copies(ctx, "pictures")
        runs = {record.run: record for record in list_runs(ctx.dataset)}
        # the last is shown where none was chosen: one that stopped has no copy of most photos
        complete_last = sorted(runs, key=lambda name: runs[name].state == "complete")
        run = choose(ctx.panel.get_state("controls.run"), complete_last)
        times = ctx.panel.get_state("controls.times")
        times = times if times in _TIMES else "8"
        state: dict[str, Any] = {"controls.run": run, "controls.times": times, "problem": None}
        sample = _sample(ctx)
        if run is not None and sample is not None:
            figures = photo_figures(sample, runs[run])
            try:
                shared = protected_file(runs[run], figures.path)
                before, after = load_pair(original_file(sample, runs[run]), shared)
            except PhotoError as error:
                state |= {"problem": str(error), "size": None}
            else:
                height, width = before.pixels.shape[:2]
                state |= {
                    "size": [width, height],
                    "scale": before.scale,
                    "pair": after is not None,
                    "photo": sample.id,
                }
                sources = [before.source]
                if after is not None:
                    sources += [after.source, amplified(before, after, int(times))]
                ctx.panel.set_data(_PLOT, [_image(at, s) for at, s in enumerate(sources)])
        ctx.panel.set_state(state)


def _sample(ctx: foo.ExecutionContext) -> Any:
    opened = ctx.current_sample
    if not opened:
        return None
    try:
        return ctx.dataset[opened]
    except KeyError:
        return None


def _image(at: int, source: str) -> dict[str, Any]:
    number = "" if at == 0 else str(at + 1)
    return {
        "type": "image",
        "source": source,
        "xaxis": f"x{number}",
        "yaxis": f"y{number}",
        "hoverinfo": "x+y",
    }


def _layout(ctx: foo.ExecutionContext, shown: int) -> dict[str, Any]:
    width, height = ctx.panel.get_state("size")
    times = ctx.panel.get_state("controls.times")
    titles = ("original", "protected", f"difference \N{MULTIPLICATION SIGN}{times}")[:shown]
    gap = 0.015
    each = (1 - gap * (shown - 1)) / shown
    plain = {
        "showticklabels": False,
        "showgrid": False,
        "zeroline": False,
        "ticks": "",
        "title": {"text": ""},
        "constrain": "domain",
    }
    made: dict[str, Any] = {
        # a new photo is looked at anew; a new factor is not
        "uirevision": ctx.panel.get_state("photo"),
        "dragmode": "pan",
        "margin": {"t": 28, "l": 0, "r": 0, "b": 0},
        "annotations": [],
    }
    for at, title in enumerate(titles):
        number = "" if at == 0 else str(at + 1)
        left = at * (each + gap)
        linked = {} if at == 0 else {"matches": "x"}
        made[f"xaxis{number}"] = {
            **plain,
            **linked,
            "domain": [left, left + each],
            "range": [-0.5, width - 0.5],
            "anchor": f"y{number}",
        }
        made[f"yaxis{number}"] = {
            **plain,
            **({} if at == 0 else {"matches": "y"}),
            "range": [height - 0.5, -0.5],
            "scaleanchor": f"x{number}",
            "anchor": f"x{number}",
        }
        made["annotations"].append(
            {
                "text": title,
                "showarrow": False,
                "xref": "paper",
                "yref": "paper",
                "x": left + each / 2,
                "xanchor": "center",
                "y": 1,
                "yanchor": "bottom",
                "font": {"size": 14},
            }
        )
    return made


def _height(ctx: foo.ExecutionContext) -> str:
    """Returns the plot's height: a third of the panel's usual width, in the photo's shape."""
    width, height = ctx.panel.get_state("size")
    return f"min(calc({24 * height / width:.1f}vw + 28px), 72vh)"


def _caption(ctx: foo.ExecutionContext, shown: int) -> str:
    scale = ctx.panel.get_state("scale", 1)
    said = []
    if shown > 1:
        said.append("Grey in the difference means no change. Scroll to zoom all three.")
    if scale < 1:
        said.append(f"Shown at {100 * scale:.0f} % of the true size; the figures are of the files.")
    return " ".join(said)


def _figures_markdown(record: ProtectionRun, figures: PhotoFigures) -> str:
    if figures.status is None and record.state != "complete":
        return (
            f"### Run {record.run} is not finished\nIt has not come to this photo, or has not "
            "stored its figures yet. Started again under its name and settings it goes on where it "
            "was."
        )
    if figures.status is None:
        return f"### Not in run {record.run}\nThis photo was not in the view that was protected."
    if figures.status == "failed":
        return f"### Not protected\n{figures.error or 'It failed.'}"
    if figures.status == "clean":
        return (
            f"### Left as it is\nRun {record.run} protects {100 * record.selection.ratio:g} % of "
            "its photos, and this one was not drawn. It would be released clean."
        )
    grade = visible_quality(figures.psnr, figures.ssim) or DASH
    psnr = "equal pixels" if figures.psnr is None else f"{figures.psnr:.1f} dB"
    budget = f"{record.protection.epsilon:g}/255"
    lines = [
        "| This photo | |",
        "|:--|--:|",
        f"| **Visible quality** | **{grade}** |",
        f"| Largest change (L∞), of a budget of {budget} | {_shown(figures.linf, 'g', '/255')} |",
        f"| PSNR | {psnr} |",
        f"| SSIM | {_shown(figures.ssim, '.3f')} |",
        f"| LPIPS | {DASH} |",
    ]
    slugs = encoder_slugs(figures.cosines)
    for encoder, (tokens, pooled) in figures.cosines.items():
        held_out = "" if encoder in record.protection.encoders else ", held out"
        lines.append(f"| Cosine, {slugs[encoder]}{held_out} | {_shown(pooled, '.3f')} |")
        if tokens is not None:
            lines.append(f"| Cosine of patch tokens, {slugs[encoder]} | {_shown(tokens, '.3f')} |")
    return (
        "\n".join(lines)
        + f"\n\nVisible quality is a {GRADE_RULE}. LPIPS is not measured: its network is not part "
        "of this plugin. Cosines are of the embedding before and after; 1 is unchanged."
    )


def _run_markdown(record: ProtectionRun) -> str:
    protection = record.protection
    mask = f"only where `{record.mask_field}` marks" if record.mask_field else "the whole photo"
    return "\n".join(
        [
            f"| Run {record.run} | |",
            "|:--|--:|",
            f"| Strategy | {_strategy(record)} |",
            f"| Steps | {protection.steps} |",
            f"| Surrogates | {', '.join(encoder_slugs(protection.encoders).values())} |",
            f"| Changed | {mask} |",
            f"| Configuration | `{record.fingerprints.get('protection', DASH)}` |",
        ]
    )


def _strategy(record: ProtectionRun) -> str:
    asked, settled = record.protection.strategy, record.strategy
    return asked if settled in ("", asked) else f"{asked}, here {settled}"


def _shown(value: float | None, form: str, unit: str = "") -> str:
    return DASH if value is None else f"{value:{form}}{unit}"
