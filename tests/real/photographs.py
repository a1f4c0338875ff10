"""The three dashboards over a running Prometheus: drawn, saved, and photographed where Chromium is installed."""

from __future__ import annotations

import json
import os
import shutil
import time
from pathlib import Path
from typing import Any

import httpx

from dashboards.__main__ import FOLDER
from tests.deploy.test_dashboards import FILES, filled
from tests.real.pictures import answers, page

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")


def draw(prometheus: str, seconds: float, folder: Path) -> set[str]:
    """Draw all three over the last `seconds` into `folder`; titles of the panels without data."""
    span = (time.time() - seconds, time.time())
    empty = set()
    for name in FILES:
        dashboard: dict[str, Any] = json.loads((FOLDER / name).read_text())
        panels = [panel for panel in dashboard["panels"] if panel["type"] != "row"]
        shown = {
            panel["id"]: answers(panel, lambda e, ranged: _ask(prometheus, e, span, ranged=ranged), filled)
            for panel in panels
        }
        empty |= {panel["title"] for panel in panels if not shown[panel["id"]]}
        (folder / name).with_suffix(".html").write_text(page(dashboard, shown, span))
    if CHROMIUM:
        _photograph([(folder / name).with_suffix(".html") for name in FILES])
    return empty


def _ask(prometheus: str, expression: str, span: tuple[float, float], *, ranged: bool) -> list[Any]:
    start, end = span
    parameters: dict[str, Any] = {"query": expression, "time": end}
    if ranged:
        parameters = {"query": expression, "start": start, "end": end, "step": max(1.0, (end - start) / 120)}
    path = "query_range" if ranged else "query"
    answer = httpx.get(f"{prometheus}/api/v1/{path}", params=parameters, timeout=100).json()
    assert answer["status"] == "success", (expression, answer)
    return list(answer["data"]["result"])


def _photograph(pages: list[Path]) -> None:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as started:
        browser = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        tab = browser.new_page(viewport={"width": 1600, "height": 1000})
        for path in pages:
            tab.goto(path.as_uri())
            tab.screenshot(path=path.with_suffix(".png"), full_page=True)
        browser.close()
