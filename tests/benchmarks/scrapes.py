"""`python -m tests.benchmarks.scrapes`: four monitors with fifty segments each, scraped side by side.

Beside them a sidecar under a fixed load. Rounds alternate between nobody scraping and every page fetched
every fifteen seconds, as Prometheus usually does, so that a neighbour on the machine meets
both. Held: a page's series and seconds, and what scraping costs the sidecar's clients and whoever asks for
the verdict. Writes `tests/benchmarks/results/scrapes.json` and exits 1 where a limit is exceeded.
"""

from __future__ import annotations

import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import httpx
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from monitor.demo import Plan, Stage
from tests.benchmarks.hotpath.native import Load, run_load, upstream
from tests.benchmarks.markdown import table
from tests.benchmarks.results import write_result
from tests.faults.comparison import not_served
from tests.faults.rig import tailgate
from tests.real.routes import raised, sending
from tests.standin.process import running_standin

MONITORS, ROUNDS = 4, 9
FILL_SECONDS, RATE = 60.0, 4.0
"""Requests per second to each route: everything here shares one machine, and a full one delays by itself."""
EVERY_SECONDS = 15.0
ASKED_SECONDS = 0.37
"""Between two questions for a verdict, one monitor after the other: each is asked every one and a half seconds, at any
phase of the scrapes', where a rollout asks once or twice a minute."""
LOAD = Load(seconds=15.0, warm_up=0.5, grace=5, rate=200, connections=32)
MOST_SERIES = 10_000
MOST_PAGE_SECONDS, MOST_SLOW_PAGE_SECONDS = 1.0, 5.0
"""A tenth of Prometheus' default timeout for the median and half of it for one page in twenty: all four are
asked for at once, on cores that are full."""
MOST_RATIO = 1.2
"""Of medians with scrapes against medians without."""
ACCEPT = {"accept": "application/openmetrics-text; version=1.0.0"}


@dataclass(slots=True)
class Round:
    """What one round saw; seconds, and microseconds of the sidecar's clients."""

    pages: list[float] = field(default_factory=list)
    verdicts: list[float] = field(default_factory=list)
    sidecar: dict[str, float] = field(default_factory=dict)
    lost: int = 0


def plan(number: int, baseline: str) -> Plan:
    """A route with some hundred segments, twice the fifty that have a label: the first letter of each question is one."""
    return Plan(
        FILL_SECONDS + 2 * ROUNDS * (LOAD.seconds + 3), None, baseline=baseline, route=f"r{number}", rate=RATE,
        settings={"segments": {"opening": {"regex": r"(?i)^\W*(\w)"}}},
    )  # fmt: skip


def timed(client: httpx.Client, url: str) -> float:
    """Seconds until the whole answer is there."""
    began = time.monotonic()
    client.get(url, headers=ACCEPT).raise_for_status()
    return time.monotonic() - began


@contextmanager
def repeated(work: Callable[[], object], every: float) -> Iterator[None]:
    """`work` on a thread, at most once per `every` seconds, until the block ends."""
    ending = threading.Event()

    def run() -> None:
        while not ending.is_set():
            began = time.monotonic()
            work()
            ending.wait(max(0.0, began + every - time.monotonic()))

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        ending.set()
        thread.join()


def measured(stages: Sequence[Stage], port: int, *, scraped: bool) -> Round:
    """One round of the load, with or without scrapes."""
    found, monitors = Round(), [stage.urls["monitor"] for stage in stages]
    with httpx.Client(timeout=30) as client, ExitStack() as stack:

        def scrape() -> None:  # all at once, the worst that a scraper can do
            urls = [f"{url}/metrics" for url in monitors]
            found.pages.extend(pool.map(lambda url: timed(client, url), urls))

        asked = cycle(monitors)

        def ask() -> None:
            found.verdicts.append(timed(client, f"{next(asked)}/api/v1/verdict"))

        pool = stack.enter_context(ThreadPoolExecutor(len(monitors)))
        if scraped:
            stack.enter_context(repeated(scrape, EVERY_SECONDS))
        stack.enter_context(repeated(ask, ASKED_SECONDS))
        report = run_load(LOAD, port)
    found.sidecar, found.lost = report["latency_us"], not_served(report)
    return found


def series(page: str) -> int:
    """Samples of a page, without the creation times that Prometheus does not store."""
    families = text_string_to_metric_families(page)  # type: ignore[no-untyped-call]
    return sum(not sample.name.endswith("_created") for family in families for sample in family.samples)


def ratio(rounds: Sequence[tuple[Round, Round]], of: Callable[[Round], Sequence[float]]) -> float:
    """Median of all that was seen with scrapes against the median without: the rounds took turns."""
    quiet, scraped = ([value for pair in rounds for value in of(pair[arm])] for arm in (0, 1))
    return median(scraped) / median(quiet)


def judged(rounds: Sequence[tuple[Round, Round]], pages: Sequence[str]) -> list[dict[str, Any]]:
    """Every figure with its limit."""
    seconds = [page for _, scraped in rounds for page in scraped.pages]
    rows: list[tuple[str, float, float]] = [
        ("series of the largest page", max(map(series, pages)), MOST_SERIES),
        ("page, median s", median(seconds), MOST_PAGE_SECONDS),
        ("page, p95 s", quantiles(seconds, n=20)[-1], MOST_SLOW_PAGE_SECONDS),
        ("sidecar p50, scraped / not", ratio(rounds, lambda r: [r.sidecar["p50"]]), MOST_RATIO),
        ("verdict p50, scraped / not", ratio(rounds, lambda r: r.verdicts), MOST_RATIO),
        ("requests lost", sum(r.lost for pair in rounds for r in pair), 0),
    ]
    return [
        {"what": what, "measured": round(value, 4), "limit": limit, "holds": value <= limit}
        for what, value, limit in rows
    ]


def shown(rounds: Sequence[tuple[Round, Round]], pages: Sequence[str]) -> dict[str, float]:
    """Figures without a limit: tails move several times over on a shared machine."""
    return {
        "page_bytes": max(map(len, pages)),
        "verdict_p50_s": median(v for quiet, _ in rounds for v in quiet.verdicts),
        "verdict_p50_scraped_s": median(v for _, scraped in rounds for v in scraped.verdicts),
        "sidecar_p50_us": median(quiet.sidecar["p50"] for quiet, _ in rounds),
        "sidecar_p99_us": median(quiet.sidecar["p99"] for quiet, _ in rounds),
        "sidecar_p99_scraped_us": median(scraped.sidecar["p99"] for _, scraped in rounds),
    }


def main() -> int:
    """Raise four routes, fill them, measure, judge, write."""
    with (
        tempfile.TemporaryDirectory() as name,
        ExitStack() as ended,
        ExitStack() as stack,
        ThreadPoolExecutor(2) as pool,
    ):
        folder = Path(name)
        baseline = stack.enter_context(running_standin("--latency", "first=0.02,token=0.001,jitter=0.2"))
        plans = [plan(number, baseline) for number in range(MONITORS)]
        stages = list(pool.map(lambda p: raised(p, folder, stack), plans))
        port = stack.enter_context(upstream(first_us=2_000))
        sidecar = stack.enter_context(tailgate("sidecar", folder / "sidecar", port))
        for stage, each in zip(stages, plans, strict=True):
            ended.callback(sending(stage, each).join, 40)
        time.sleep(FILL_SECONDS)
        rounds = []
        for number in range(ROUNDS):
            rounds.append(
                (measured(stages, sidecar.port, scraped=False), measured(stages, sidecar.port, scraped=True))
            )
            print(f"round {number + 1} of {ROUNDS}: page {median(rounds[-1][1].pages):.3f} s", flush=True)
        pages = [httpx.get(f"{s.urls['monitor']}/metrics", headers=ACCEPT, timeout=30).text for s in stages]
    rows = judged(rounds, pages)
    head = ("holds", "what", "measured", "limit")
    lines = table(
        head, [("yes" if r["holds"] else "**no**", r["what"], r["measured"], r["limit"]) for r in rows]
    )
    rest = table(("shown", "value"), list(shown(rounds, pages).items()))
    text = f"# Four monitors with fifty segments each, scraped side by side\n\n{lines}\n\n{rest}\n"
    write_result("scrapes", {"targets": rows, "shown": shown(rounds, pages)}, markdown=text)
    print(text)
    return int(not all(row["holds"] for row in rows))


if __name__ == "__main__":
    sys.exit(main())
