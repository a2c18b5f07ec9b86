# Copyright (c) mailedge.lockdown contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The pages that are looked at, as files, in a browser that reaches nothing else.

`make page` leaves what the browser showed in .cache/page.
"""

from __future__ import annotations

import pathlib
import typing as t

import pytest
from playwright.sync_api import Browser, Page, Route, sync_playwright

from ansible_collections.mailedge.lockdown.plugins.module_utils._report.render.as_html import render
from ansible_collections.mailedge.lockdown.tests.support import browser as browsers
from ansible_collections.mailedge.lockdown.tests.support import reports

SHOWN = (
    next(folder for folder in pathlib.Path(__file__).parents if (folder / "galaxy.yml").is_file())
    / ".cache"
    / "page"
)

PATIENCE = 300_000
"""How long the browser may take for anything, in milliseconds."""


def made(name: str) -> str:
    """A page of invented reports."""
    makers: dict[str, t.Callable[[], reports.Plain]] = {
        "small": reports.small_fleet,
        "hostile": reports.hostile,
        "fleet": lambda: reports.fleet(300),
        "order": lambda: reports.report({"birke": "in order"}),
        "nothing": lambda: reports.report({}),
    }
    whole = makers[name]()
    return render(whole, reports.changes(whole) if name in ("small", "hostile", "fleet") else None)


@pytest.fixture(scope="session")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, pathlib.Path]:
    """Name → file."""
    folder = tmp_path_factory.mktemp("pages")
    files = {}
    for name in ("small", "hostile", "fleet", "order", "nothing"):
        files[name] = folder / f"{name}.html"
        files[name].write_text(made(name), encoding="utf-8")
    SHOWN.mkdir(parents=True, exist_ok=True)
    return files


@pytest.fixture(scope="session")
def browser() -> t.Iterator[Browser]:
    """The machine's Chromium."""
    if not browsers.chromium():
        pytest.skip(browsers.NONE_HERE)
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(
            executable_path=browsers.chromium(), args=browsers.arguments()
        )
        yield started
        started.close()


class Opener:
    """Opens pages, and holds what went wrong in them."""

    def __init__(self, browser: Browser, pages: t.Mapping[str, pathlib.Path]) -> None:
        self._browser, self._pages = browser, pages
        self.trouble: list[str] = []
        self.requests: list[str] = []

    def __call__(
        self,
        name: str,
        width: int = 1280,
        height: int = 900,
        scheme: t.Literal["light", "dark"] = "light",
    ) -> Page:
        """A page in a window of that size."""
        context = self._browser.new_context(
            viewport={"width": width, "height": height}, color_scheme=scheme
        )
        # A machine that is busy with other things is no fault of a page.
        context.set_default_timeout(PATIENCE)
        page = context.new_page()
        page.on("console", lambda message: self.trouble.append(message.text))
        page.on("pageerror", lambda error: self.trouble.append(str(error)))
        page.on("dialog", lambda dialog: self.trouble.append(dialog.message))
        page.route("**/*", self._only_the_file)
        page.goto(self._pages[name].as_uri())
        return page

    def _only_the_file(self, route: Route) -> None:
        self.requests.append(route.request.url)
        if route.request.url.startswith("file:"):
            route.continue_()
        else:
            route.abort()

    def close(self) -> None:
        """Close what was opened."""
        for context in self._browser.contexts:
            context.close()


@pytest.fixture
def opened(browser: Browser, pages: dict[str, pathlib.Path]) -> t.Iterator[Opener]:
    """Opens a page by its name; what a page says on the console fails the test."""
    opener = Opener(browser, pages)
    yield opener
    opener.close()
    assert opener.trouble == []
