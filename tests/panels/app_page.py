"""The real App in a real browser: a server of its own, Chromium, and what a person does there."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")

ARGUMENTS = (
    *("--no-sandbox", "--disable-gpu", "--use-gl=angle", "--use-angle=swiftshader"),
    *("--enable-unsafe-swiftshader", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync", "--no-first-run"),
)
PATIENCE = 90_000  # ms: a shared machine may be slow, and waiting for a state costs nothing else
STUCK = 30_000  # ms: no load of the machine explains an answer that takes longer

_HARMLESS = ("ERR_NAME_NOT_RESOLVED", "ERR_INTERNET_DISCONNECTED", "GPU stall", "WebGL")
_HARMLESS += ("fonts.googleapis", "ERR_ADDRESS_UNREACHABLE", "ERR_PROXY", "ERR_CONNECTION")
_HARMLESS += ("entry is loading",)  # the App's own router, while a page loads


@contextmanager
def serving() -> Iterator[tuple[str, int]]:
    """Yields the address of FiftyOne's server in a process of its own, and the process's id.

    A server remembers open panels, choices, the view and the opened photo, and hands them to the
    next page.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    program = [sys.executable, "-m", "fiftyone.server.main"]
    server = subprocess.Popen(
        [*program, "--address", "127.0.0.1", "--port", str(port)],
        env={**os.environ, "FIFTYONE_PLUGINS_CACHE_ENABLED": "true"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(600):
            assert server.poll() is None, "the server ended"
            try:
                urllib.request.urlopen(address, timeout=5).close()
                break
            except OSError:
                time.sleep(0.2)
        yield address, server.pid
    finally:
        server.terminate()
        server.wait(30)


@contextmanager
def chromium() -> Iterator[Any]:
    """Yields Playwright's browser."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=list(ARGUMENTS), timeout=PATIENCE
        )
        try:
            yield browser
        finally:
            browser.close()


class AppPage:
    """A page of the App, which remembers what went wrong in it."""

    def __init__(self, browser: Any, address: str, width: int = 1280, height: int = 900) -> None:
        self.page = browser.new_page(viewport={"width": width, "height": height})
        self.page.set_default_timeout(PATIENCE)
        self.address = address
        self.errors: list[str] = []
        self.slow: list[str] = []
        self.page.on("console", self._console)
        self.page.on("pageerror", lambda error: self._failed(str(error)))
        self.page.on("requestfinished", self._timed)
        dismiss = self.page.get_by_role("button", name="Dismiss", exact=True)
        self.page.add_locator_handler(
            dismiss, lambda button: button.dispatch_event("click"), no_wait_after=True
        )

    def _console(self, message: Any) -> None:
        if message.type == "error":
            self._failed(message.text)

    def _failed(self, text: str) -> None:
        if not any(word in text for word in _HARMLESS):
            self.errors.append(text)

    def _timed(self, request: Any) -> None:
        if "/operators/execute" in request.url and request.timing["responseEnd"] > STUCK:
            self.slow.append(f"{request.url}: {request.timing['responseEnd']:.0f} ms")

    def open(self, dataset: str, query: str = "") -> None:
        """Opens a dataset."""
        url = f"{self.address}/datasets/{dataset}{query}"
        self.page.goto(url, wait_until="domcontentloaded", timeout=PATIENCE)
        self.page.wait_for_selector('[data-cy="panel-container"]')

    def open_panel(self, name: str, label: str) -> None:
        """Opens a panel from the menu, unless the App remembers it as open."""
        tab = self.page.locator(f'[data-cy="panel-tab-{name}"]')
        if tab.count():
            tab.first.click()
            return
        self.page.locator('[data-cy="new-panel-btn"]').first.click()
        self.page.get_by_text(label, exact=True).first.click()
        self.page.wait_for_selector(f'[data-cy="panel-content-{name}"]')

    def choose(self, label: str, option: str) -> None:
        """Chooses in one of a panel's dropdowns."""
        field = self.page.locator(
            f"xpath=(//*[normalize-space(text())='{label}'])[1]/ancestor::*"
            "[.//*[@role='combobox']][1]//*[@role='combobox']"
        ).first
        field.click()
        self.page.get_by_role("option", name=option, exact=True).click()

    def wait_for_plot(self, condition: str, argument: Any = None, which: str = "") -> None:
        """Waits until a plot's graph ``g`` and the argument ``a`` satisfy a condition."""
        self.page.wait_for_function(
            "([which, a]) => [...document.querySelectorAll(which + ' .js-plotly-plot')]"
            f".some(g => g.data && g._fullLayout && ({condition}))",
            arg=[which, argument],
        )

    def plot(self, expression: str, argument: Any = None) -> Any:
        """Returns what an expression of the first plot's graph ``g`` and ``a`` is."""
        return self.page.evaluate(
            f"a => {{const g = document.querySelector('.js-plotly-plot'); return {expression}}}",
            argument,
        )

    def point(self, trace: int, index: int) -> tuple[float, float]:
        """Returns where a point of the first plot is on the page."""
        x, y = self.plot(
            "(() => { const b = g.getBoundingClientRect(), l = g._fullLayout, t = g.data[a[0]];"
            "return [b.x + l.xaxis._offset + l.xaxis.l2p(t.x[a[1]]),"
            " b.y + l.yaxis._offset + l.yaxis.l2p(t.y[a[1]])] })()",
            [trace, index],
        )
        return x, y

    def click_point(self, trace: int, index: int) -> None:
        """Clicks a point once the plot has noticed the mouse over it."""
        x, y = self.point(trace, index)
        self.page.mouse.move(x - 40, y - 40)
        self.page.mouse.move(x, y, steps=4)
        self.page.wait_for_selector(".js-plotly-plot .hoverlayer .hovertext")
        self.page.mouse.click(x, y)

    def lasso(self, corners: list[tuple[float, float]]) -> None:
        """Draws a closed line with the mouse."""
        mouse = self.page.mouse
        mouse.move(*corners[0])
        mouse.down()
        for corner in (*corners[1:], corners[0]):
            mouse.move(*corner, steps=8)
        mouse.up()

    def check(self) -> None:
        """Fails where something of ours went wrong."""
        assert self.page.locator('[data-cy="error-boundary"]').count() == 0
        assert self.page.get_by_text("Uncaught").count() == 0
        assert not self.errors, self.errors
        assert not self.slow, self.slow
