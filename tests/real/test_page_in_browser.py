"""Page and report of a real run in a real Chromium: console, network, accessibility, widths, no script."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.cli.test_run import Running, eventually, running
from tests.real.browsing import keep, problems, visit
from tests.real.test_injection import reported

pytestmark = [pytest.mark.real, pytest.mark.slow]
SEGMENT = "/segment?name=all&signal=answer"
_BOUNDARIES = {"pack": "boundaries", "baseline": "12.3 (11.0 to 13.9)"}
PROBED = [
    {**_BOUNDARIES, "probe": "json_depth", "verdict": "worse", "candidate": "3.4 (3.1 to 3.9) levels",
     "change": "-1.84 octaves (-2.05 to -1.58)"},
    {**_BOUNDARIES, "probe": "hops", "verdict": "ok", "candidate": "12.4 (11.1 to 13.8) steps"},
]  # fmt: skip


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, browser: Any) -> Iterator[Running]:
    with running(tmp_path_factory.mktemp("page"), "--fault", "all:wrong_number", text="full") as run:
        for number in range(60):
            assert run.ask(number).status_code == 200
        assert eventually(lambda: run.verdict()["funnel"]["scored"] == 60)
        assert eventually(lambda: run.verdict()["verdict"] == "diverged")
        httpx.post(f"{run.monitor}/api/v1/probes", json=PROBED).raise_for_status()
        yield run


@pytest.fixture(scope="module")
def report(run: Running) -> str:
    return reported(run.directory, "html").as_uri()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("path", ["/", SEGMENT, "/funnel", "/candidate", "/sampling"])
def test_the_page_is_quiet_local_and_accessible(run: Running, browser: Any, path: str, scheme: str) -> None:
    page, seen = visit(browser, run.monitor + path, color_scheme=scheme)
    keep(page, f"page-{path.partition('?')[0].strip('/') or 'index'}-{scheme}")
    assert seen.console == []
    assert seen.elsewhere(run.monitor) == []
    assert problems(page) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_report_is_quiet_alone_and_accessible(report: str, browser: Any, scheme: str) -> None:
    page, seen = visit(browser, report, color_scheme=scheme)
    keep(page, f"report-{scheme}")
    assert seen.console == []
    assert [url for url in seen.requests if not url.startswith("data:")] == [report]
    assert problems(page) == []


def test_nothing_is_wider_than_a_telephone(run: Running, report: str, browser: Any) -> None:
    for number, url in enumerate((run.monitor, run.monitor + SEGMENT, run.monitor + "/candidate", report)):
        page, _ = visit(browser, url, viewport={"width": 375, "height": 800})
        keep(page, f"mobile-{number}")
        assert page.evaluate("document.documentElement.scrollWidth") <= 375


def test_probed_boundaries_are_on_the_page_and_in_the_report(run: Running, report: str, browser: Any) -> None:
    for url in (f"{run.monitor}/candidate", report):
        page, _ = visit(browser, url)
        shown = page.locator("#probes tbody tr").all_inner_texts()
        assert ["json_depth" in shown[0], "3.4 (3.1 to 3.9) levels" in shown[0], "hops" in shown[1]] == [
            True
        ] * 3


def test_it_reads_without_javascript(run: Running, browser: Any) -> None:
    page, _ = visit(browser, run.monitor, java_script_enabled=False)
    assert page.locator("tr[data-segment]").first.get_attribute("data-verdict") == "diverged"


def test_the_kill_switch_asks_and_then_stops(run: Running, browser: Any) -> None:
    page, seen = visit(browser, run.monitor + "/sampling")
    page.get_by_role("button", name="Stop mirroring").click()
    assert "Mirroring is off" not in page.inner_text("main")  # the box was not ticked
    page.get_by_label("Yes, stop mirroring now").check()
    page.get_by_role("button", name="Stop mirroring").click()
    page.wait_for_selector("text=Mirroring is off")
    page.get_by_role("spinbutton", name="share").fill("1")
    page.get_by_label("Yes, mirror this share").check()
    page.get_by_role("button", name="Start mirroring").click()
    page.wait_for_selector("text=Mirroring 100 %")
    assert seen.console == []


def test_it_follows_the_verdict_live(run: Running, browser: Any) -> None:
    page, _ = visit(browser, run.monitor)
    before = page.locator("#funnel tbody tr").first.inner_text()
    run.ask(1000)
    page.wait_for_function(
        "before => document.querySelector('#funnel tbody tr').innerText !== before", arg=before
    )
    assert page.locator("#live").inner_text() == "live"


def test_the_keyboard_reaches_the_worst_segment(run: Running, browser: Any) -> None:
    page, _ = visit(browser, run.monitor)
    for _ in range(40):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.closest('tr[data-segment]') !== null"):
            break
    page.keyboard.press("Enter")
    page.wait_for_url("**/segment?**")
    assert "▲ diverged" in page.locator("tr[data-segment]").first.inner_text()
