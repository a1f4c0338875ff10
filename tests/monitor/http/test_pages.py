"""The page over a real socket: what stands first, what filters do, and that foreign text stays inert."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from monitor.board import Board, Latency
from monitor.capabilities import Abilities, Capabilities
from monitor.http.pages import pages
from monitor.http.rows import MOST_ROWS, Choice, by_dimension, chosen, states
from monitor.http.switch import Sidecar
from monitor.records import Segment, SegmentVerdict
from tests.monitor.http.test_api import FixedService, listening, row, serving, verdict
from tests.nasty import NASTY, hidden


class PageService(FixedService):
    """A service with a board and stored pairs."""

    def __init__(self, *rows: SegmentVerdict, text: str = "hello") -> None:
        super().__init__(verdict("diverged", *rows))
        self.text = text
        self.notes: list[tuple[str, str]] = []

    def board(self) -> Board:
        return Board(
            self.state,
            latency={("language=sw", "candidate"): Latency(0.5, 2.0, 0.1, 0.2)},
            info={"candidate": self.text},
            thresholds={"page": 0.05},
            trails={("language=sw", "script"): [(10.0, 0.01), (20.0, 10.0)]},
        )

    def about(self, segment: str) -> Mapping[str, Sequence[tuple[Any, ...]]]:
        del segment
        return {
            "history": [("script", 1, 10.0, 5, 0.2, 5, 0.0), ("script", 2, 20.0, 5, 0.9, 5, 0.1)],
            "reasons": [("script", self.text, 3)],
            "alarms": [(10.0, "alarm", "script", 1.0)],
            "trail": [("script", 10.0, 0.01), ("script", 20.0, 0.4), ("script", 30.0, 2.0)],
            "outcomes": [(0.9, True, "agreement"), (0.8, False, "agreement"), (0.7, True, "label")],
        }

    def note(self, action: str, detail: str) -> None:
        self.notes.append((action, detail))

    def changes(self) -> Sequence[tuple[float, str]]:
        return [(10.0, self.text)]

    def capabilities(self) -> Capabilities:
        return Capabilities(candidate=Abilities(logprobs=True, tokenize=False))

    def probes(self) -> Sequence[tuple[Any, ...]]:
        return [
            (
                10.0,
                "boundaries",
                "json_depth",
                "worse",
                "12.2 (11.0 to 13.1)",
                "3.4 (3.1 to 3.9) levels",
                self.text,
            ),
            (10.0, "boundaries", "hops", "unclear", "", "4.4? (2.0 to 9.1) steps", ""),
        ]

    def pairs(self, segment: str | None, signal: str | None, limit: int) -> Sequence[Mapping[str, Any]]:
        del segment, limit
        return [
            {
                "id": self.text,
                "time": 10.0,
                "signal": signal,
                "x": 1.0,
                "x0": None,
                "label": self.text,
                "explanation": self.text,
                "baseline_seconds": 1.0,
                "candidate_seconds": None,
                "texts": {"request": self.text, "baseline": "calm words", "candidate": f"calm {self.text}"},
            }
        ]


class Elements(HTMLParser):
    """Tags with their attributes, and the text between them, as a browser would see them."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def rows(self) -> list[dict[str, str | None]]:
        return [attributes for tag, attributes in self.tags if "data-segment" in attributes]


def get(service: PageService, path: str) -> httpx.Response:
    with serving(service, pages=pages(service, Sidecar("127.0.0.1:1"), 0.05)) as client:
        return client.get(path)


@pytest.fixture
def rows() -> list[SegmentVerdict]:
    worst = replace(row("language=sw"), evidence=10.0, pairs_needed=40, noise_floor=0.1, baseline=0.0)
    shadow = replace(row("all"), explained_by="language=sw", effect=0.1)
    return [worst, shadow, row("language=fr", "ok"), replace(row("language=fr", "ok"), signal="error")]


@pytest.fixture
def client(rows: list[SegmentVerdict]) -> Iterator[httpx.Client]:
    service = PageService(*rows)
    with serving(service, pages=pages(service, Sidecar("127.0.0.1:1"), 0.05)) as client:
        yield client


def test_the_worst_unexplained_divergence_is_the_first_row(client: httpx.Client) -> None:
    first, second, *_ = Elements(client.get("/").text).rows()
    assert (first["data-segment"], first["data-signal"], first["data-verdict"]) == (
        "language=sw",
        "script",
        "diverged",
    )
    assert second["data-explained-by"] == "language=sw"


def test_the_banner_is_the_gates_sentence(client: httpx.Client) -> None:
    page = Elements(client.get("/").text)
    assert client.get("/gate/argo").json()["reason"] in page.text


def test_one_row_per_segment_until_every_signal_is_asked_for(client: httpx.Client) -> None:
    assert len(Elements(client.get("/").text).rows()) == 3
    assert len(Elements(client.get("/?rows=all").text).rows()) == 4


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("q=SW", ["language=sw"]),
        ("q=script+fr", ["language=fr"]),
        ("verdict=ok", ["language=fr"]),
        ("sort=segment", ["all", "language=fr", "language=sw"]),
        ("q=nothing", []),
    ],
)
def test_filters_and_orders(client: httpx.Client, query: str, expected: list[str]) -> None:
    found = [attributes["data-segment"] for attributes in Elements(client.get(f"/?{query}").text).rows()]
    assert found == expected


@pytest.mark.parametrize(
    "path", ["/?sort=x", "/?verdict=x", "/segment?name=language%3Dsw&signal=x", "/?q=" + "x" * 5000]
)
def test_bad_queries_are_answers_not_failures(client: httpx.Client, path: str) -> None:
    assert client.get(path).status_code in {200, 400}


def test_an_unknown_segment_is_not_found_and_quoted_safely(client: httpx.Client) -> None:
    response = client.get("/segment", params={"name": "<script>alert(1)</script>"})
    assert response.status_code == 404
    assert "<script>alert" not in response.text


def test_the_page_needs_nothing_from_elsewhere(client: httpx.Client) -> None:
    for path in VIEWS:
        tags = Elements(client.get(path).text).tags
        loaded = [a.get("src") or a.get("href") or "" for tag, a in tags if tag in {"script", "link", "img"}]
        assert all(url.startswith(("/static/", "data:")) for url in loaded)
        assert not any("style" in a or any(name.startswith("on") for name in a) for _, a in tags)
        assert not any(tag in {"style", "iframe"} for tag, _ in tags)


@pytest.mark.parametrize(("name", "kind"), [("page.css", "text/css"), ("page.js", "text/javascript")])
def test_static_files_have_their_types(client: httpx.Client, name: str, kind: str) -> None:
    response = client.get(f"/static/{name}")
    assert response.headers["content-type"].startswith(kind)
    assert client.get(f"/static/../{name}").status_code == 404


def test_nothing_else_of_the_package_is_served(client: httpx.Client) -> None:
    for path in ("/static/", "/static/../pages.py", "/static/%2e%2e/pages.py", "/static/page.css/x"):
        assert client.get(path).status_code == 404


def test_every_control_has_a_name_and_every_table_a_caption(client: httpx.Client) -> None:
    for path in VIEWS:
        page = client.get(path).text
        assert page.count("<caption>") == page.count("<table")
    page = client.get("/").text
    assert len(re.findall(r"<label[^>]*>[^<]*<(?:input|select)", page)) >= 2
    assert not re.findall(r"<th(?![^>]*scope)[ >]", page)


def test_changed_words_are_marked(client: httpx.Client) -> None:
    assert re.search(r"calm <ins>hello</ins>", client.get("/segment?name=language%3Dsw").text)


@pytest.mark.parametrize("text", NASTY.values(), ids=NASTY)
def test_foreign_text_is_inert_wherever_it_stands(text: str) -> None:
    segment = Segment(f"group={text}")
    service = PageService(replace(row(), segment=segment, explained_by=None), text=text)
    service.state = replace(service.state, warnings=(text,), route="r")
    for path in ("/", "/candidate", "/segment?" + str(httpx.QueryParams({"name": "group=x"}))):
        page = get(service, path).text
        elements = Elements(page)
        assert hidden(page) == set()
        assert [a["src"] for tag, a in elements.tags if tag == "script"] == ["/static/page.js"]
        assert not any(tag == "img" or any(n.startswith("on") for n in a) for tag, a in elements.tags)


@pytest.mark.parametrize("text", NASTY.values(), ids=NASTY)
def test_stored_answers_are_inert(rows: list[SegmentVerdict], text: str) -> None:
    page = get(PageService(*rows, text=text), "/segment?name=language%3Dsw").text
    elements = Elements(page)
    assert hidden(page) == set()
    assert [a["src"] for tag, a in elements.tags if tag == "script"] == ["/static/page.js"]
    assert not any(tag == "img" or any(n.startswith("on") for n in a) for tag, a in elements.tags)


@pytest.mark.parametrize(
    "text", ["x" * 1_000_000, "x " * 500_000, "\u202e" * 1_000_000], ids=["line", "words", "marks"]
)
def test_a_megabyte_is_cut_and_quick(rows: list[SegmentVerdict], text: str) -> None:
    service = PageService(*rows, text=text)
    started = time.monotonic()
    response = get(service, "/segment?name=language%3Dsw")
    assert response.status_code == 200
    assert len(response.content) < 600_000
    assert time.monotonic() - started < 10


def test_ten_thousand_segments_make_one_page() -> None:
    many = [row(f"user={number}") for number in range(10_000)]
    page = get(PageService(*many), "/").text
    assert len(Elements(page).rows()) == MOST_ROWS
    assert f"{10_000 - MOST_ROWS} more rows match" in page


def test_an_idle_route_has_a_page_that_says_so() -> None:
    assert "No scored pair yet" in get(PageService(), "/").text


def test_states_count_segments_not_rows(rows: list[SegmentVerdict]) -> None:
    assert states(rows) == [("diverged", 1), ("ok", 1), ("explained", 1)]


def test_missing_numbers_sort_last(rows: list[SegmentVerdict]) -> None:
    assert chosen(rows, Choice(sort="evidence"))[0][0].evidence == 10.0


VIEWS = ("/", "/segment?name=language%3Dsw", "/funnel", "/candidate", "/sampling")


def test_evidence_over_time_is_drawn_beside_the_number(client: httpx.Client) -> None:
    assert 'aria-label="evidence over time"' in client.get("/").text
    segment = client.get("/segment?name=language%3Dsw").text
    assert "evidence of script over time, now 10.0" in segment
    assert segment.count("reliability curve") == 2


def test_the_candidates_view_goes_dimension_by_dimension(client: httpx.Client) -> None:
    page = Elements(client.get("/candidate").text)
    heads = [a for tag, a in page.tags if tag == "th" and a.get("scope") == "rowgroup"]
    assert len(heads) == 2
    assert "not known" in page.text
    assert by_dimension([row(), row("language=fr", "ok"), row("all")])[1][0] == "language"


def test_the_candidates_view_has_the_probed_boundaries(client: httpx.Client) -> None:
    page = Elements(client.get("/candidate").text)
    probed = [(a["data-probe"], a["data-verdict"]) for _, a in page.tags if "data-probe" in a]
    assert probed == [("json_depth", "diverged"), ("hops", "inconclusive")]
    assert "3.4 (3.1 to 3.9) levels" in page.text


class Switched:
    """A sidecar's admin port that remembers what it was told."""

    def __init__(self, *, token: str = "") -> None:
        self.fraction, self.token = 0.05, token

    async def answer(self, request: Request) -> JSONResponse:
        if request.method == "PUT":
            if self.token and request.headers.get("authorization") != f"Bearer {self.token}":
                return JSONResponse({"error": "token"}, 401)
            self.fraction = (await request.json())["fraction"]
        return JSONResponse({"fraction": self.fraction})


@contextmanager
def switchable(
    rows: list[SegmentVerdict], token: str = ""
) -> Iterator[tuple[httpx.Client, Switched, PageService]]:
    sidecar, service = Switched(token=token), PageService(*rows)
    admin = Starlette(routes=[Route("/-/sampling", sidecar.answer, methods=["GET", "PUT"])])
    with (
        listening(admin) as address,
        serving(service, pages=pages(service, Sidecar(address, token or None), 0.05)) as client,
    ):
        yield client, sidecar, service


def secret_of(client: httpx.Client) -> str:
    found = re.search(r'name="secret" value="([^"]+)"', client.get("/sampling").text)
    assert found
    return found[1]


def test_the_kill_switch_stops_mirroring_after_a_confirmation(rows: list[SegmentVerdict]) -> None:
    with switchable(rows, token="t") as (client, sidecar, service):
        form = {"secret": secret_of(client), "fraction": "0"}
        assert client.post("/sampling", data=form).status_code == 400
        assert sidecar.fraction == 0.05
        assert client.post("/sampling", data={**form, "sure": "yes"}).status_code == 303
        assert sidecar.fraction == 0
        assert "Mirroring is off" in client.get("/sampling").text
        assert service.notes == [("sampling", "fraction 0")]


@pytest.mark.parametrize(
    "change",
    [
        {"secret": "x"},
        {"secret": ""},
        {"fraction": "2"},
        {"fraction": "nan"},
        {"fraction": "-1"},
        {"fraction": "x"},
    ],
)
def test_a_forged_or_broken_form_switches_nothing(rows: list[SegmentVerdict], change: dict[str, str]) -> None:
    with switchable(rows) as (client, sidecar, service):
        form = {"secret": secret_of(client), "fraction": "0", "sure": "yes", **change}
        assert client.post("/sampling", data=form).status_code == 400
        as_json = client.post("/sampling", json={"fraction": 0})
        assert as_json.status_code == 400
        foreign = client.post("/sampling", data=form, headers={"origin": "http://evil.example"})
        assert foreign.status_code == 403
        assert (sidecar.fraction, service.notes) == (0.05, [])


def test_a_sidecar_that_is_away_is_said_to_be(client: httpx.Client) -> None:
    page = client.get("/sampling")
    assert page.status_code == 200
    assert "does not answer" in page.text
    form = {"secret": secret_of(client), "fraction": "0", "sure": "yes"}
    assert client.post("/sampling", data=form).status_code == 502
