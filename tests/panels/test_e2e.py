"""The panels in the real App: a person opens, chooses, lassoes, clicks and looks."""

from __future__ import annotations

import pytest
from app_page import CHROMIUM, AppPage, chromium, serving
from panel_world import RUN

from fiftyone_dp2vl.store import load_run

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")


@pytest.fixture
def address():
    # one a test: it would hand what a test opened and chose to the next one
    with serving() as (address, _):
        yield address


@pytest.fixture(scope="module")
def browser():
    pytest.importorskip("playwright")
    with chromium() as browser:
        yield browser


@pytest.fixture
def app(browser, address):
    app = AppPage(browser, address)
    yield app
    app.check()
    app.page.close()


def test_clusters_beside_the_grid(app, world):
    record = load_run(world, RUN)
    count = record.counts["protected"]
    app.open(world.name)
    app.open_panel("clusters", "DP2-VL clusters")
    app.wait_for_plot("g.data.length === 4 && g.data[3].ids.length === a", count)
    assert app.plot("g.data[0].x.length") == 3 * count
    app.page.get_by_text("Recognised, trained on protected").wait_for()

    # another encoder, another colour
    before = app.plot("g.data[2].x[0]")
    app.choose("Encoder", "heldout · held out")
    app.wait_for_plot("g.data[2].x[0] !== a", before)
    app.page.get_by_text("held out: the run knew nothing of it").wait_for()
    app.choose("Colour by", "identity")
    people = len(world.distinct("identity"))
    app.wait_for_plot("new Set(g.data.slice(2).map(t => t.name)).size === a", people)

    # a zoom is kept while the grid's selection rings a point
    app.page.evaluate(
        "() => { const g = document.querySelector('.js-plotly-plot');"
        " g._zoom = g._fullLayout.xaxis.range.slice() }"
    )
    person = app.plot("g.data[2].ids.length")
    assert person > 0

    # a lasso around everything on the plot's left half selects these photos in the grid
    box = app.plot(
        "(() => { const b = g.getBoundingClientRect(), l = g._fullLayout._size;"
        " return [b.x + l.l, b.y + l.t, l.w, l.h] })()"
    )
    x, y, width, height = box
    inside = app.plot(
        "(() => { const m = (g._fullLayout.xaxis.range[0] + g._fullLayout.xaxis.range[1]) / 2;"
        " const s = new Set(); g.data.slice(2).forEach(t => t.ids.forEach((id, i) =>"
        " { if (t.x[i] < m) s.add(id) })); return s.size })()"
    )
    left, right, top, bottom = x + 2, x + width / 2, y + 2, y + height - 2
    app.lasso([(left, top), (right, top), (right, bottom), (left, bottom)])
    app.page.get_by_text(f"{inside} photos selected").wait_for()
    app.page.wait_for_function(
        "n => document.querySelector('[data-cy=\"panel-content-Samples\"]')"
        ".innerText.includes(n + ' of ') || document.querySelector("
        "'[data-cy=\"panel-content-Samples\"]').innerText.includes(n + ' samples')",
        arg=str(inside),
    )
    assert "view=" not in app.page.url
    assert app.plot("g._fullLayout.xaxis.range[0] === g._zoom[0]")
    assert app.plot("g.data.length") > 4, "the selection must not filter its own plot"


def test_a_click_opens_the_photo_and_compare_shows_it(app, world):
    app.open(world.name)
    app.open_panel("clusters", "DP2-VL clusters")
    app.wait_for_plot("g.data.length === 4 && g.data[3].ids.length > 0")
    chosen = app.plot("g.data[3].ids[0]")
    app.click_point(3, 0)
    app.page.wait_for_selector('[data-cy="modal"]')
    app.page.locator('[data-cy="panel-tab-compare"]').click()
    app.wait_for_plot(
        "g.data.length === 3 && g.data[0].type === 'image'", which='[data-cy="modal"]'
    )
    record = load_run(world, RUN)
    shown = app.page.locator('[data-cy="panel-content-compare"]')
    opened = app.page.url.partition("id=")[2].partition("&")[0]
    assert opened in (
        chosen,
        *app.plot("g.data[2] ? g.data.slice(2).flatMap(t => t.ids || []) : []"),
    )
    photo = world[opened]
    shown.get_by_text(f"{photo[record.names.psnr]:.1f} dB").wait_for()
    before = app.page.evaluate(
        "() => [...document.querySelectorAll('[data-cy=\"modal\"] .js-plotly-plot')].pop()"
        ".data[2].source"
    )
    app.choose("Difference", "\N{MULTIPLICATION SIGN}32")
    app.wait_for_plot("g.data.length === 3 && g.data[2].source !== a", before, '[data-cy="modal"]')
    shown.get_by_text("difference \N{MULTIPLICATION SIGN}32").wait_for()


def test_the_grids_view_filters_the_points(app, world):
    person = world.distinct("identity")[0]
    world.save_view("one person", world.match({"identity": person}), overwrite=True)
    app.open(world.name)
    app.open_panel("clusters", "DP2-VL clusters")
    app.wait_for_plot("g.data.length === 4 && g.data[2].ids.length === 28")
    frame = app.plot("g._fullLayout.xaxis.range")
    app.page.get_by_text("Unsaved view", exact=True).first.click()
    app.page.get_by_text("one person", exact=True).last.click()
    names = load_run(world, RUN).names
    mine = len(world.load_saved_view("one person").exists(names.status))
    app.wait_for_plot("g.data[2].ids.length === a", mine)
    assert app.plot("g._fullLayout.xaxis.range") == frame
    # selecting a photo rings its point
    app.page.locator('[data-cy="panel-content-clusters"]').get_by_text(
        "in the grid's view"
    ).wait_for()


def test_the_attack_panel(app, world):
    app.open(world.name)
    app.open_panel("attack", "DP2-VL attack")
    app.wait_for_plot("g.data.some(t => t.error_x)")
    panel = app.page.locator('[data-cy="panel-content-attack"]')
    for heading in ("What leaks", "When only a part", "What was not tested"):
        panel.get_by_text(heading).first.wait_for()
    photo = panel.get_by_alt_text("photo of").first
    photo.click()
    app.page.wait_for_selector('[data-cy="selection-count-container"]')
    with app.page.expect_download() as download:
        panel.get_by_text("Save the report as HTML").click()
    assert download.value.suggested_filename == "dp2vl-attack-eval1.html"
    app.choose("Attacker", "llava:heldout")
    app.page.wait_for_function(
        "() => !document.querySelector('[data-cy=\"panel-content-attack\"]')"
        ".innerText.includes('When only a part')"
    )


def test_an_empty_dataset_leads_to_the_form(app, dataset):
    dataset.persistent = True
    app.open(dataset.name)
    app.open_panel("clusters", "DP2-VL clusters")
    app.page.get_by_role("button", name="Protect photos").last.click()
    form = app.page.locator('[data-cy="operators-prompt-modal"]')
    form.get_by_text("Who is on a photo").first.wait_for()
    assert form.locator('input[value="identity"]').count() == 1
    form.get_by_text("free disk").wait_for()
    app.page.locator("button", has_text="Protect").last.click()
    app.wait_for_plot("g.data.length === 4 && g.data[3].ids.length === 12")
    dataset.reload()
    assert dataset.count_values("dp2vl_run1_status") == {"protected": 12}
