"""A real Chromium, and what a visit showed besides the page.

Needs `pip install playwright axe-playwright-python` (extra `dev`) and a Chromium (`apt-get install
chromium`, or CHROMIUM=/path). Pictures are kept where TAILGATE_PICTURES names a directory.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
SERIOUS = {"serious", "critical"}


@dataclass
class Seen:
    """What a visit showed besides the page."""

    console: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    dialogs: list[str] = field(default_factory=list)

    def elsewhere(self, home: str) -> list[str]:
        """Requests to other places than `home`."""
        return [url for url in self.requests if not url.startswith((home, "data:"))]


@contextmanager
def chromium() -> Iterator[Any]:
    """A browser; the test is skipped where there is none."""
    playwright = pytest.importorskip("playwright.sync_api", reason="pip install playwright (extra dev)")
    if CHROMIUM is None:
        pytest.skip("no Chromium (apt-get install chromium)")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()


def visit(browser: Any, url: str, **context: Any) -> tuple[Any, Seen]:
    """An open page after it has settled, and what it said and fetched."""
    page, seen = browser.new_context(**context).new_page(), Seen()
    page.on("console", lambda message: seen.console.append(message.text) if message.type != "log" else None)
    page.on("pageerror", lambda error: seen.console.append(str(error)))
    page.on("request", lambda request: seen.requests.append(request.url))
    page.on("dialog", lambda dialog: dialog.dismiss())
    page.on("dialog", lambda dialog: seen.dialogs.append(dialog.message))
    page.goto(url)
    page.wait_for_timeout(500)
    return page, seen


def keep(page: Any, name: str, *, whole: bool = False) -> None:
    """A picture for people, where they asked for one."""
    if directory := os.environ.get("TAILGATE_PICTURES"):
        page.screenshot(path=str(Path(directory) / f"{name}.png"), full_page=whole)


def problems(page: Any) -> list[str]:
    """Serious findings of axe-core."""
    axe = pytest.importorskip(
        "axe_playwright_python.sync_playwright", reason="pip install axe-playwright-python"
    )
    response = axe.Axe().run(page).response
    assert len(response["passes"]) > 10  # it did look
    found = response["violations"]
    return [f"{v['id']}: {v['nodes'][0]['html']}" for v in found if v["impact"] in SERIOUS]
