"""The page: what the route's verdict rests on, for people. Server-rendered, readable without JavaScript.

The strict content security policy of `guard.py` holds: no inline script or style, nothing from
elsewhere. Foreign text (answers, segment names, labels) passes `inert` and Jinja's escaping.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any, Final, Protocol
from urllib.parse import urlencode

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from monitor import plots
from monitor.board import Board
from monitor.calibration import Calibration, Outcome, calibrations
from monitor.capabilities import Capabilities
from monitor.errors import BadInput, Unreachable
from monitor.http.rows import Choice, by_dimension, chosen, states, within
from monitor.http.switch import Form, Sidecar
from monitor.inert import inert, shortened
from monitor.records import SegmentVerdict
from monitor.signals import SIGNALS
from monitor.summary import HINTS, STAGES, reason
from monitor.worddiff import side_by_side

WORST_PAIRS: Final = 10
SEED: Final = 7
LONGEST_TEXT: Final = 20_000
"""Characters of an answer that are compared and sent; the stored text may be a megabyte."""
_STATIC: Final = {
    "page.css": (("styles/base.css", "http/static/page.css"), "text/css; charset=utf-8"),
    "page.js": (("http/static/page.js",), "text/javascript; charset=utf-8"),
}
"""What is served beside the pages: its files in the package, one behind the other, and its type."""


class Service(Protocol):
    """What the page asks of the monitor; every method may block briefly and is called in a thread."""

    def board(self) -> Board: ...
    def about(self, segment: str) -> Mapping[str, Sequence[tuple[Any, ...]]]: ...
    def pairs(self, segment: str | None, signal: str | None, limit: int) -> Sequence[Mapping[str, Any]]: ...
    def note(self, action: str, detail: str) -> None: ...
    def changes(self) -> Sequence[tuple[float, str]]: ...
    def capabilities(self) -> Capabilities: ...
    def probes(self) -> Sequence[tuple[Any, ...]]: ...


@dataclass(frozen=True, slots=True)
class Course:
    """One signal's rate over time: points (UNIX seconds, share) of candidate and noise floor."""

    signal: str
    pairs: int
    candidate: tuple[tuple[float, float], ...]
    reference: tuple[tuple[float, float], ...]

    @property
    def flat(self) -> bool:
        """Whether there is nothing to draw: no bad outcome in either arm."""
        return not any(share for _, share in (*self.candidate, *self.reference))


def environment() -> Environment:
    """Templates with escaping on; a misspelt variable is an error, never an empty cell."""
    made = Environment(
        loader=PackageLoader("monitor.http"),
        autoescape=True,
        undefined=StrictUndefined,
        auto_reload=False,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {
        "name": lambda text: inert(shortened(str(text), 300)),
        "percent": lambda share: "–" if share is None else f"{100 * share:.0f} %",
        "points": _points,
        "moment": _moment,
        "seconds": plots.seconds,
        "evidence": lambda wealth: (
            "–" if wealth is None else f"{wealth:.1f}" if wealth >= 0.1 else f"{wealth:.0e}"
        ),
        "link": lambda segment: "/segment?" + urlencode({"name": segment}, errors="replace"),
    }
    made.globals |= {"plots": plots, "SIGNALS": SIGNALS, "HINTS": HINTS, "STAGES": STAGES}
    return made


def _points(share: float | None) -> str:
    """Percentage points with a sign; no sign on nothing."""
    if share is None:
        return "–"
    points = round(100 * share)
    return f"{points:+d}".replace("-", "−") if points else "0"


def _moment(at: float | None) -> str:
    return "–" if at is None else time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(at))


class Pages:
    """Handlers over one service. `sidecar` is whom the kill switch tells, `configured` its usual share."""

    def __init__(self, service: Service, sidecar: Sidecar, configured: float) -> None:
        self._service, self._sidecar, self._configured = service, sidecar, configured
        self._form = Form()
        self._environment = environment()

    def routes(self) -> list[BaseRoute]:
        """The views, the kill switch and the two static files."""
        return [
            Route("/", self.index, methods=["GET"]),
            Route("/segment", self.segment, methods=["GET"]),
            Route("/funnel", self.funnel, methods=["GET"]),
            Route("/candidate", self.candidate, methods=["GET"]),
            Route("/sampling", self.sampling, methods=["GET"]),
            Route("/sampling", self.switch, methods=["POST"]),
            *(
                Route(f"/static/{name}", _static(parts, kind), methods=["GET"])
                for name, (parts, kind) in _STATIC.items()
            ),
        ]

    def _html(self, template: str, status: int = 200, **values: object) -> Response:
        page = self._environment.get_template(template).render(**values)
        # Lone surrogates are spelled out by `inert`; one that slipped by must not cost the page.
        return HTMLResponse(
            page.encode("utf-8", "replace"), status_code=status, headers={"cache-control": "no-store"}
        )

    async def index(self, request: Request) -> Response:
        """The route at a glance."""
        board = await run_in_threadpool(self._service.board)
        choice = choice_of(request.query_params)
        rows, hidden = chosen(board.verdict.segments, choice)
        return self._html(
            "index.html",
            board=board,
            verdict=board.verdict,
            sentence=reason(board.verdict),
            states=states(board.verdict.segments),
            rows=rows,
            hidden=hidden,
            choice=choice,
            sort_links=_sort_links(choice),
            now=time.time(),
        )

    async def segment(self, request: Request) -> Response:
        """One segment: all its rows and what they rest on."""
        name = request.query_params.get("name", "")
        board = await run_in_threadpool(self._service.board)
        rows = within(board.verdict.segments, name)
        if not rows:
            return self._html("missing.html", 404, board=board, verdict=board.verdict, segment=name)
        signal = _signal(request.query_params.get("signal"), rows)
        about = await run_in_threadpool(self._service.about, name)
        pairs = await run_in_threadpool(self._service.pairs, name, signal, WORST_PAIRS)
        return self._html(
            "segment.html",
            board=board,
            verdict=board.verdict,
            segment=name,
            rows=rows,
            signal=signal,
            trails=trails(about["trail"], rows),
            now=time.time(),
            courses=courses(about["history"], rows),
            calibrations=await run_in_threadpool(reliabilities, about["outcomes"]),
            reasons=about["reasons"],
            alarms=about["alarms"],
            ladder=_ladder(board, name),
            pairs=await run_in_threadpool(lambda: [case(pair) for pair in pairs]),
        )

    async def funnel(self, _: Request) -> Response:
        """Where every eligible request ended."""
        board = await run_in_threadpool(self._service.board)
        return self._html("funnel.html", board=board, verdict=board.verdict, now=time.time())

    async def candidate(self, _: Request) -> Response:
        """What the candidate can do: what its server offers, and how it fares along every dimension."""
        board = await run_in_threadpool(self._service.board)
        return self._html(
            "candidate.html",
            board=board,
            verdict=board.verdict,
            map=by_dimension(board.verdict.segments),
            changes=await run_in_threadpool(self._service.changes),
            capabilities=await run_in_threadpool(self._service.capabilities),
            probes=await run_in_threadpool(self._service.probes),
            now=time.time(),
        )

    async def sampling(self, _: Request) -> Response:
        """What is mirrored now, and the form that changes it."""
        return await self._switch_page()

    async def switch(self, request: Request) -> Response:
        """The sent form: tell the sidecar, note it in the audit, show what holds now."""
        try:
            wish = self._form.wish(request.headers.get("content-type", ""), await request.body())
            await self._sidecar.sample(wish)
        except (BadInput, Unreachable) as error:
            return await self._switch_page(400 if isinstance(error, BadInput) else 502, str(error))
        await run_in_threadpool(self._service.note, "sampling", f"fraction {wish:g}")
        return RedirectResponse("/sampling", status_code=303)

    async def _switch_page(self, status: int = 200, problem: str = "") -> Response:
        board = await run_in_threadpool(self._service.board)
        fraction = None
        try:
            fraction = await self._sidecar.fraction()
        except Unreachable as error:
            problem = problem or str(error)
        return self._html(
            "sampling.html",
            status,
            verdict=board.verdict,
            sidecar=self._sidecar,
            configured=self._configured,
            fraction=fraction,
            problem=problem,
            form=self._form,
        )


def choice_of(query: QueryParams) -> Choice:
    """The filters of the address; unknown words are errors, as in the API."""
    choice = Choice(
        text=query.get("q", "")[:200],
        verdict=query.get("verdict", ""),
        sort=query.get("sort", "worst"),
        everything=query.get("rows") == "all",
    )
    if choice.verdict not in {"", "diverged", "ok", "inconclusive"}:
        raise BadInput("verdict", "verdict is diverged, ok or inconclusive")
    return choice


def _sort_links(choice: Choice) -> dict[str, str]:
    """Per sort order the address that keeps the filters."""
    kept = {"q": choice.text, "verdict": choice.verdict, "rows": "all" if choice.everything else ""}
    query = {name: value for name, value in kept.items() if value}
    return {
        sort: "/?" + urlencode({**query, "sort": sort}, errors="replace")
        for sort in ("worst", "segment", "pairs", "effect", "evidence")
    }


def _signal(asked: str | None, rows: Sequence[SegmentVerdict]) -> str:
    """The signal whose pairs are shown: the asked one, else the worst row's."""
    known = [row.signal for row in rows]
    if asked is None:
        return known[0]
    if asked not in known:
        raise BadInput("signal", f"no such signal here; there are {', '.join(known)}")
    return asked


def courses(history: Sequence[tuple[Any, ...]], rows: Sequence[SegmentVerdict]) -> list[Course]:
    """Rates over time, in the order of `rows`; signals with a single point have no course."""
    found: dict[str, list[tuple[Any, ...]]] = {}
    for signal, *point in history:
        found.setdefault(signal, []).append(tuple(point))
    return [
        Course(
            row.signal,
            sum(count for _, _, count, *_ in found[row.signal]),
            tuple((at, x) for _, at, _, x, _, _ in found[row.signal]),
            tuple((at, x0) for _, at, _, _, _, x0 in found[row.signal] if x0 is not None),
        )
        for row in rows
        if len(found.get(row.signal, ())) > 1
    ]


def trails(
    steps: Sequence[tuple[Any, ...]], rows: Sequence[SegmentVerdict]
) -> list[tuple[SegmentVerdict, list[tuple[float, float]]]]:
    """Evidence over time per tested signal, in the order of `rows`, up to what it is now."""
    found: dict[str, list[tuple[float, float]]] = {}
    for signal, at, evidence in steps:
        found.setdefault(signal, []).append((at, evidence))
    return [(row, found[row.signal]) for row in rows if row.signal in found]


def reliabilities(outcomes: Sequence[tuple[Any, ...]]) -> list[Calibration]:
    """Calibration of one segment per source of truth; the draws behind ECE by chance are fixed."""
    return list(calibrations((Outcome(*row) for row in outcomes), np.random.default_rng(SEED)).values())


def _ladder(board: Board, segment: str) -> dict[str, list[tuple[str, float | None, float | None]]]:
    """Per clock (duration, time to first token) the arms' p50 and p99."""
    arms = [(arm, board.latency.get((segment, arm))) for arm in ("replay", "candidate", "baseline")]
    known = [(arm, latency) for arm, latency in arms if latency is not None]
    return {
        "duration": [(arm, latency.p50, latency.p99) for arm, latency in known],
        "time to first token": [(arm, latency.ttft_p50, latency.ttft_p99) for arm, latency in known],
    }


def case(pair: Mapping[str, Any]) -> dict[str, Any]:
    """A stored pair for the template: words compared where text is kept, everything inert."""
    texts = pair["texts"]
    if not texts:
        return {**pair, "sides": None, "request": ""}
    one, other = (inert(shortened(texts[arm] or "", LONGEST_TEXT)) for arm in ("baseline", "candidate"))
    return {
        **pair,
        "sides": side_by_side(one, other),
        "request": inert(shortened(texts["request"] or "", 4000)),
    }


def _static(parts: Sequence[str], kind: str) -> Any:
    """A handler for files of the package: no path of a request ever names one."""
    body = "".join((files("monitor") / part).read_text("utf-8") for part in parts)

    async def handler(_: Request) -> Response:
        return PlainTextResponse(body, headers={"content-type": kind, "cache-control": "max-age=300"})

    return handler


def pages(service: Service, sidecar: Sidecar, configured: float) -> list[BaseRoute]:
    """The human side's routes."""
    return Pages(service, sidecar, configured).routes()
