"""Writes docs/images: every panel, light and dark, at two widths, a form and a report card.

    python tests/panels/screenshots.py [FOLDER]

The pictures show six drawn people, a protection with the defaults and a real evaluation of it with
the model in the package. The evaluation takes some ten minutes; what it measured is kept in
.cache/screenshots.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path
from typing import Any

from PIL import Image

REPOSITORY = Path(__file__).resolve().parents[2]
_SETTLED = 4000  # ms: thumbnails fade in, and nothing tells when they have
_TALL = 1500  # px: a report is read downwards
WIDTHS = {1280: 900, 1920: 1080}
ARMS = (
    *("blurred-faces", "ratio-photos-25", "ratio-photos-50", "ratio-photos-75"),
    *("after-jpeg-75", "after-half-size-and-back", "after-crop-to-80-of-each-side"),
    *("a2", "a4", "a10"),
)


def main() -> None:
    """Makes the world, opens the App and writes the pictures."""
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else REPOSITORY / "docs/images"
    with tempfile.TemporaryDirectory(prefix="dp2vl-shots-") as scratch:
        _own_environment(Path(scratch))
        from app_page import chromium, serving
        from panel_world import make_dataset

        dataset = make_dataset(Path(scratch), "people", people=6, steps=60)
        _hide_paths(dataset)
        page = _evaluate(dataset, Path(scratch))
        with chromium() as browser:
            _shoot_report(browser, page, target / "report-card.png")
        with serving() as (address, _), chromium() as browser:
            shoot_form(browser, address, dataset, target / "app-protect-form.png")
        for width, height in WIDTHS.items():
            for light in (False, True):
                with serving() as (address, _), chromium() as browser:
                    _shoot(browser, address, dataset, target, width, height, light)


def _hide_paths(dataset: Any) -> None:
    """Folds the sidebar, where each sample's path would be read."""
    import fiftyone as fo

    groups = fo.DatasetAppConfig.default_sidebar_groups(dataset)
    for group in groups:
        group.expanded = group.name in ("tags", "labels")
    dataset.app_config.sidebar_groups = groups
    dataset.save()


def _evaluate(dataset: Any, scratch: Path) -> Path:
    """Attacks a protection of all shared photos; returns the report's page."""
    from fiftyone_dp2vl.attack.settings import AttackConfig
    from fiftyone_dp2vl.store import evaluate_attack_dataset, protect_dataset
    from fiftyone_dp2vl.store.benchmark import attack_fields

    protect_dataset(
        dataset.match_tags("share"),
        "whole",
        output_dir=str(scratch / "whole"),
        group_field="identity",
    )
    evaluate_attack_dataset(
        dataset,
        AttackConfig(arms=ARMS, epochs_measured=2),
        evaluation="embedded_vlm",
        run="whole",
        **attack_fields(),
        output_dir=str(scratch / "report"),
        cache=str(REPOSITORY / ".cache/screenshots"),
        progress=lambda told: print(told, end="\r"),
    )
    return scratch / "report" / "report.html"


def _shoot_report(browser: Any, page: Path, target: Path) -> None:
    tab = browser.new_page(viewport={"width": 1100, "height": 1250})
    tab.goto(page.as_uri())
    tab.screenshot(path=target)
    tab.close()


def _own_environment(scratch: Path) -> None:
    plugins = scratch / "plugins/@dp2vl"
    plugins.mkdir(parents=True)
    (plugins / "fiftyone_dp2vl").symlink_to(REPOSITORY, target_is_directory=True)
    os.environ.update(
        HOME=str(scratch),
        FIFTYONE_PLUGINS_DIR=str(plugins.parent),
        FIFTYONE_DEFAULT_DATASET_DIR=str(scratch / "datasets"),
        FIFTYONE_DATABASE_NAME="dp2vl_shots",
        FIFTYONE_DATABASE_VALIDATION="false",
        FIFTYONE_DO_NOT_TRACK="true",
    )
    sys.path.insert(0, str(Path(__file__).resolve().parent))
    from fiftyone_dp2vl.store.database import start_database

    start_database(scratch / "database")


def _shoot(
    browser: Any, address: str, dataset: Any, target: Path, width: int, height: int, light: bool
) -> None:
    from app_page import AppPage
    from panel_world import RUN

    from fiftyone_dp2vl.store import load_run

    theme = "light" if light else "dark"
    app = AppPage(browser, address, width, height)
    app.page.add_init_script(f"localStorage.setItem('mui-mode', '{theme}')")

    def save(name: str) -> None:
        app.page.wait_for_function("() => !document.querySelector('[role=progressbar]')")
        app.page.wait_for_timeout(_SETTLED)
        path = target / f"panel-{name}-{theme}-{width}.png"
        app.page.screenshot(path=path)
        _make_small(path)

    app.open(dataset.name)
    _theme(app, light)
    app.open_panel("clusters", "DP2-VL clusters")
    app.wait_for_plot("g.data.length > 3")
    app.choose("Colour by", "identity")
    app.wait_for_plot("g.data.length > 4")
    save("clusters")
    app.page.set_viewport_size({"width": width, "height": _TALL})
    app.open_panel("attack", "DP2-VL attack")
    app.wait_for_plot("g.data.some(t => t.error_x)")
    save("attack")
    app.page.set_viewport_size({"width": width, "height": height})
    photo = dataset.exists(load_run(dataset, RUN).names.path).first()
    app.open(dataset.name, f"?id={photo.id}")
    app.page.locator('[data-cy="panel-tab-compare"]').click()
    app.wait_for_plot("g.data.length === 3", which='[data-cy="modal"]')
    save("compare")
    app.page.close()


def shoot_form(browser: Any, address: str, dataset: Any, path: Path) -> None:
    """Writes a picture of the form of protect, as it opens."""
    from app_page import AppPage

    app = AppPage(browser, address, 1280, 860)
    app.open(dataset.name)
    app.page.keyboard.press("`")
    app.page.get_by_placeholder("Search operations by name...").fill("Protect photos")
    app.page.get_by_text("Protect photos", exact=True).last.click()
    app.page.get_by_text("free disk").wait_for()
    app.page.wait_for_timeout(_SETTLED)
    dialog = {"x": 304, "y": 24, "width": 672, "height": 756}
    app.page.screenshot(path=path, clip=dialog)
    _make_small(path)
    app.page.close()


def _make_small(path: Path) -> None:
    Image.open(path).convert("RGB").quantize(256, method=Image.Quantize.FASTOCTREE).save(
        path, optimize=True
    )


def _theme(app: Any, light: bool) -> None:
    button = app.page.locator(f'[title="{"Light" if light else "Dark"} mode"]')
    if button.count():
        button.first.click()


if __name__ == "__main__":
    main()
