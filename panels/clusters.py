"""The clusters panel: a run's photos before and after, beside the grid they come from."""

from __future__ import annotations

import json
from typing import Any

import fiftyone.operators as foo
import fiftyone.operators.types as types

from fiftyone_dp2vl.store.names import encoder_slugs
from fiftyone_dp2vl.store.panels.points import (
    SHOWN,
    PlotPoints,
    colour_fields,
    field_values,
    load_points,
    plot_methods,
)
from fiftyone_dp2vl.store.pending import pending_work
from fiftyone_dp2vl.store.photos import field_kind
from fiftyone_dp2vl.store.projection import METHODS
from fiftyone_dp2vl.store.records import ProtectionRun, list_runs
from fiftyone_dp2vl.store.separation import load_separation
from fiftyone_dp2vl.store.workers import is_left

from .cluster_table import separation_markdown
from .cluster_traces import HALO, STATUS, halo, layout, traces
from .empty import offer_protection
from .grid import extended, in_grid, selected, view_key, visible
from .parts import (
    choose,
    column,
    dropdown,
    forget_copies,
    offer_others,
    page,
    prompt,
    show_pending,
    text,
    wrapping,
)

_SCOPE = "dp2vl_clusters"
_PLOT = "body.left.plot"


class Clusters(foo.Panel):
    """Clean and protected points of one run in one plane."""

    @property
    def config(self) -> foo.PanelConfig:
        """The panel's configuration."""
        return foo.PanelConfig(
            name="clusters",
            label="DP2-VL clusters",
            icon="scatter_plot",
            surfaces="grid",
            category=foo.Categories.CURATE,
            help_markdown="Where a run's photos lie before and after, in an encoder's eyes. "
            "Lasso points to see these photos in the grid; click one to open it.",
        )

    def on_load(self, ctx: foo.ExecutionContext) -> None:
        """Shows the newest run."""
        self._show(ctx)

    def on_change_dataset(self, ctx: foo.ExecutionContext) -> None:
        """Shows another dataset's newest run."""
        self._show(ctx)

    def on_change_run(self, ctx: foo.ExecutionContext) -> None:
        """Shows another run."""
        ctx.panel.set_state("controls.run", ctx.params["value"])
        self._show(ctx)

    def on_change_encoder(self, ctx: foo.ExecutionContext) -> None:
        """Shows the run through another encoder."""
        ctx.panel.set_state("controls.encoder", ctx.params["value"])
        self._show(ctx)

    def on_change_plane(self, ctx: foo.ExecutionContext) -> None:
        """Lays the points out in another way."""
        ctx.panel.set_state("controls.plane", ctx.params["value"])
        self._show(ctx)

    def on_change_colour(self, ctx: foo.ExecutionContext) -> None:
        """Colours the points by another field."""
        ctx.panel.set_state("controls.colour", ctx.params["value"])
        self._show(ctx)

    def on_change_lines(self, ctx: foo.ExecutionContext) -> None:
        """Joins each protected photo with its original, or does not."""
        ctx.panel.set_state("controls.lines", bool(ctx.params["value"]))
        self._show(ctx)

    def on_change_view(self, ctx: foo.ExecutionContext) -> None:
        """Shows the points of the photos in the grid's view."""
        # this fires for our own selection too, and once for each of the view's parts
        if view_key(ctx) != ctx.panel.get_state("view_key"):
            self._show(ctx)

    def on_change_selected(self, ctx: foo.ExecutionContext) -> None:
        """Rings the points of the photos that are selected in the grid."""
        self._mark(ctx)

    def on_change_extended_selection(self, ctx: foo.ExecutionContext) -> None:
        """Rings what another panel selected, and ends the lasso when the grid's is cleared."""
        selection, scope = extended(ctx)
        if not selection and ctx.panel.get_state("lasso"):
            ctx.panel.set_state({"lasso": 0, "selection": ctx.panel.get_state("selection", 0) + 1})
        if scope != _SCOPE:
            self._mark(ctx)

    def lasso(self, ctx: foo.ExecutionContext) -> None:
        """Shows the enclosed photos in the grid."""
        chosen = list(dict.fromkeys(p["id"] for p in ctx.params.get("data") or () if p.get("id")))
        if not chosen:
            self.clear_lasso(ctx)
            return
        ctx.panel.set_state("lasso", len(chosen))
        ctx.ops.set_extended_selection(selection=in_grid(ctx, chosen), scope=_SCOPE)

    def clear_lasso(self, ctx: foo.ExecutionContext) -> None:
        """Shows all photos of the view again."""
        if ctx.panel.get_state("lasso"):
            ctx.panel.set_state("lasso", 0)
            ctx.ops.set_extended_selection(reset=True)

    def open_photo(self, ctx: foo.ExecutionContext) -> None:
        """Opens the photo whose point was clicked."""
        if ctx.params.get("id"):
            found = in_grid(ctx, [ctx.params["id"]])
            if found:
                ctx.ops.open_sample(id=found[0])

    def poll(self, ctx: foo.ExecutionContext) -> None:
        """Looks whether what was at work is over."""
        if _signature(ctx) != ctx.panel.get_state("signature"):
            self._show(ctx)

    def embed(self, ctx: foo.ExecutionContext) -> None:
        """Opens the form that computes embeddings."""
        prompt(ctx, "compute_embeddings")

    def protect(self, ctx: foo.ExecutionContext) -> None:
        """Opens the form that protects photos."""
        offer_protection(ctx)

    def measure(self, ctx: foo.ExecutionContext) -> None:
        """Opens the form that measures the run shown, with other encoders if wanted."""
        prompt(ctx, "analyse_run", run=ctx.panel.get_state("controls.run"))

    def resume(self, ctx: foo.ExecutionContext) -> None:
        """Opens the form of a run that stopped, with its own settings."""
        run = ctx.panel.get_state("controls.run")
        record = next((r for r in list_runs(ctx.dataset) if r.run == run), None)
        offer_protection(ctx, record)

    def render(self, ctx: foo.ExecutionContext) -> types.Property:
        """Returns the panel's content."""
        body = types.Object()
        show_pending(body, pending_work(ctx.dataset), self.poll)
        runs = {record.run: record for record in list_runs(ctx.dataset)}
        record = runs.get(ctx.panel.get_state("controls.run"))
        if record is None:
            if runs:
                labels = {name: _run_label(r) for name, r in runs.items()}
                offer_others(body, "run", labels, "Run", self.on_change_run)
            else:
                self._render_empty(ctx, body)
            return page(body)
        measured = load_separation(ctx.dataset, record)
        encoder = ctx.panel.get_state("controls.encoder")
        methods = plot_methods(ctx.dataset, record, encoder) if encoder else []
        self._render_controls(ctx, body, runs, record, list(measured), methods)
        points = _points(ctx, record)
        if record.state != "complete" or points is None:
            self._render_unfinished(body, record)
            return page(body)
        row = wrapping(body, "body", gap=2)
        left = column(row, "left", grow=3, width=430)
        left.plot(
            "plot",
            layout=layout(points, _frame(ctx), ctx.panel.get_state("selection", 0)),
            config={
                "responsive": True,
                "modeBarButtonsToRemove": ["toImage", "autoScale2d"],
                "displaylogo": False,
            },
            height="520px",
            on_selected=self.lasso,
            on_deselect=self.clear_lasso,
            on_click=self.open_photo,
        )
        text(left, "legend", self._caption(ctx, points))
        right = column(row, "right", grow=2, width=360)
        if encoder in measured:
            text(right, "figures", separation_markdown(measured[encoder]))
        else:
            text(right, "figures", "This run has not been measured with this encoder.")
        buttons = wrapping(right, "buttons", gap=1)
        label = "Measure with another encoder" if encoder in measured else "Measure this run"
        buttons.btn("measure", label=label, on_click=self.measure, variant="outlined")
        return page(body)

    def _render_empty(self, ctx: foo.ExecutionContext, body: types.Object) -> None:
        embedded = any(
            field_kind(ctx.dataset, name) == "VectorField"
            for name in ctx.dataset.get_field_schema()
        )
        said = (
            "### No run yet\nProtect photos, and this panel shows where they lay before and where "
            "they lie after, in the eyes of the encoders."
        )
        if not embedded:
            said += (
                "\n\nNo photo has an embedding yet either. Protecting makes those that this panel "
                "needs; embedding all photos first also gives the photos outside the run one, and "
                "these are what the identity probe is asked about."
            )
        text(body, "about", said)
        buttons = wrapping(body, "buttons", gap=1)
        buttons.btn("protect", label="Protect photos", on_click=self.protect, variant="contained")
        if not embedded:
            buttons.btn(
                "embed", label="Compute embeddings", on_click=self.embed, variant="outlined"
            )

    def _render_unfinished(self, body: types.Object, record: ProtectionRun) -> None:
        if record.state == "running" and not is_left(record):
            text(
                body,
                "about",
                f"### Run {record.run} is at work\nIts points appear when it is over.",
            )
            return
        if record.state == "complete":
            text(
                body,
                "about",
                f"### No plot of run {record.run}\nFewer than two of its photos have embeddings "
                "of this encoder, or its plots were deleted. Measuring it makes them again.",
            )
            body.btn(
                "measure", label="Measure this run", on_click=self.measure, variant="contained"
            )
            return
        why = f" ({record.error})" if record.error else ""
        text(
            body,
            "about",
            f"### Run {record.run} stopped{why}\nStarted again under its name and settings it goes "
            "on where it was.",
        )
        body.btn("resume", label="Go on with this run", on_click=self.resume, variant="contained")

    def _render_controls(
        self,
        ctx: foo.ExecutionContext,
        body: types.Object,
        runs: dict[str, ProtectionRun],
        record: ProtectionRun,
        measured: list[str],
        methods: list[str],
    ) -> None:
        row = wrapping(body, "controls", gap=1, alignItems="flex-end")
        dropdown(
            row, "run", {name: _run_label(r) for name, r in runs.items()}, "Run", self.on_change_run
        )
        encoders = _encoder_labels(record, measured)
        dropdown(row, "encoder", encoders, "Encoder", self.on_change_encoder)
        colours = {STATUS: "clean or protected", **{f: f for f in colour_fields(ctx.dataset)}}
        dropdown(row, "colour", colours, "Colour by", self.on_change_colour)
        if len(methods) > 1:
            planes = {name: METHODS[name] for name in methods}
            dropdown(row, "plane", planes, "Plane", self.on_change_plane)
        row.bool(
            "lines",
            label="Lines to the originals",
            view=types.SwitchView(
                componentsProps={"item": {"sx": {"flex": "0 0 auto", "minWidth": 0, "pb": 0.5}}}
            ),
            on_change=self.on_change_lines,
        )

    def _caption(self, ctx: foo.ExecutionContext, points: PlotPoints) -> str:
        said = ["○ clean, ◇ protected, in the plane of the clean photos."]
        if points.photos > len(points.ids):
            said.append(
                f"**{len(points.ids):,} of {points.photos:,} photos are shown**, drawn by seed; a "
                f"lasso selects among these (at most {SHOWN:,}). The figures are not taken from "
                "them."
            )
        shown = ctx.panel.get_state("shown")
        if shown is not None and shown < len(points.ids):
            said.append(f"{shown:,} of these are in the grid's view.")
        if ctx.panel.get_state("lasso"):
            said.append(f"**{ctx.panel.get_state('lasso'):,} photos selected**, see the grid.")
        return " ".join(said)

    def _show(self, ctx: foo.ExecutionContext) -> None:
        """Settles what is chosen, and sends its points."""
        forget_copies(ctx, "body")
        records = {record.run: record for record in list_runs(ctx.dataset)}
        run = choose(ctx.panel.get_state("controls.run"), list(records))
        state: dict[str, Any] = {"controls.run": run, "signature": _signature(ctx)}
        if run is None:
            ctx.panel.set_state(state)
            return
        record = records[run]
        encoders = list(_encoder_labels(record, list(load_separation(ctx.dataset, record))))
        encoder = ctx.panel.get_state("controls.encoder")
        state["controls.encoder"] = encoder if encoder in encoders else encoders[0]
        methods = plot_methods(ctx.dataset, record, state["controls.encoder"])
        plane = ctx.panel.get_state("controls.plane")
        state["controls.plane"] = plane if plane in methods else "pca"
        kinds = {STATUS: STATUS, **colour_fields(ctx.dataset)}
        colour = ctx.panel.get_state("controls.colour")
        state["controls.colour"] = colour = colour if colour in kinds else STATUS
        state["controls.lines"] = lines = bool(ctx.panel.get_state("controls.lines", True))
        state["view_key"] = view_key(ctx)
        points = load_points(
            ctx.dataset, record, state["controls.encoder"], state["controls.plane"]
        )
        if points is not None:
            shown = _shown(ctx, points)
            state["shown"] = len(points.ids) if shown is None else len(shown)
            values: list[Any] = []
            if colour != STATUS:
                (values,) = field_values(ctx.dataset, points.ids, [colour])
            drawn = traces(points, values, kinds[colour], shown, lines, selected(ctx, but=_SCOPE))
            ctx.panel.set_data(_PLOT, drawn)
        ctx.panel.set_state(state)

    def _mark(self, ctx: foo.ExecutionContext) -> None:
        """Sends the rings alone: the other points stay as they are."""
        marked = sorted(selected(ctx, but=_SCOPE))
        before = ctx.panel.get_state("marked", 0)
        if not marked and not before:
            return
        record = next(
            (r for r in list_runs(ctx.dataset) if r.run == ctx.panel.get_state("controls.run")),
            None,
        )
        points = None if record is None else _points(ctx, record)
        if points is not None:
            ctx.panel.set_state("marked", len(marked))
            ctx.panel.set_data(f"{_PLOT}[{HALO}]", halo(points, marked, _shown(ctx, points)))


def _points(ctx: foo.ExecutionContext, record: ProtectionRun) -> PlotPoints | None:
    encoder = ctx.panel.get_state("controls.encoder")
    plane = ctx.panel.get_state("controls.plane", "pca")
    return load_points(ctx.dataset, record, encoder, plane) if encoder else None


def _shown(ctx: foo.ExecutionContext, points: PlotPoints) -> set[str] | None:
    photos = visible(ctx)
    return None if photos is None else photos & set(points.ids)


def _frame(ctx: foo.ExecutionContext) -> str:
    return "|".join(str(ctx.panel.get_state(f"controls.{k}")) for k in ("run", "encoder", "plane"))


def _signature(ctx: foo.ExecutionContext) -> str:
    """Changes when a run begins, ends or is deleted."""
    return json.dumps([[r.run, r.state, list(r.brain_keys)] for r in list_runs(ctx.dataset)])


def _run_label(record: ProtectionRun) -> str:
    done = record.counts.get("protected", 0)
    state = f"{done} protected" if record.state == "complete" else record.state
    if record.state == "running" and is_left(record):
        state = "stopped"
    return f"{record.run} · {state}"


def _encoder_labels(record: ProtectionRun, measured: list[str]) -> dict[str, str]:
    names = list(dict.fromkeys((*record.protection.encoders, *measured)))
    slugs = encoder_slugs(names)
    kinds = ["surrogate" if n in record.protection.encoders else "held out" for n in names]
    return {name: f"{slugs[name]} · {kind}" for name, kind in zip(names, kinds, strict=True)}
