"""The observer alone: what it keeps, what it gives up, and that its books always balance."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from collectors.admission import Admission, numbering, path_of
from collectors.counters import CELL, DROPPED, EXCLUDED, Board
from collectors.observer import Observer
from collectors.settings import Boost, Settings
from collectors.wire import Capture, Exchange, Packed, capture_of
from monitor.sampling import position
from tests.collectors.harness import answer, chunked, request
from tests.fuzz.sink import Sink

OK = answer()


class Bench:
    """An observer with its admission on a board of its own."""

    def __init__(self, draw: float = 0.0, **changes: Any) -> None:
        self.settings = Settings(upstream=("a", 1), spool="", **({"fraction": 1.0} | changes))
        self.board, self.sink = Board(1, self.settings.fraction), Sink()
        self.admission = Admission(self.settings, self.board, 0, self.sink, lambda: draw)
        self.observer = Observer(self.admission)

    def play(self, *reads: tuple[str, bytes]) -> Bench:
        """Feed reads, `>` from the client and `<` from the upstream, a microsecond apart."""
        for now, (direction, data) in enumerate(reads, 1):
            if self.observer.following:
                feed = self.observer.request if direction == ">" else self.observer.response
                feed(data, now * 1000)
        return self

    def captures(self) -> list[Capture]:
        """What a reader of the spool would get."""
        return [capture_of(exchange, "w0-a") for exchange in self.sink.items]

    def count(self, name: str) -> int:
        return self.board.total(name)

    def balance(self) -> int:
        """Sampled requests without an end; 0 once the connection has ended."""
        dropped = sum(self.count(f"dropped:{reason}") for reason in DROPPED)
        return self.count("sampled") - dropped - len(self.sink.items)


def test_an_exchange_in_any_pieces_is_the_same_exchange() -> None:
    ask = request(b'{"a": 1}', headers=["X-Request-Id: r1", "Content-Type: application/json"])
    reply = answer(headers=["Transfer-Encoding: chunked"]).replace(b"Content-Length: 12\r\n", b"")
    reply = reply.partition(b"{")[0] + chunked(b"ab", b"cde")
    whole = Bench().play((">", ask), ("<", reply)).captures()[0]
    assert whole.request_body == b'{"a": 1}'
    assert whole.response_body == b"abcde"
    assert whole.request_headers == {"x-request-id": "r1", "content-type": "application/json"}
    for size in (1, 2, 3, 7):
        pieces = [(">", ask[i : i + size]) for i in range(0, len(ask), size)]
        pieces += [("<", reply[i : i + size]) for i in range(0, len(reply), size)]
        part = Bench().play(*pieces).captures()[0]
        assert (part.request_body, part.response_body, part.request_headers, part.response_headers) == (
            whole.request_body, whole.response_body, whole.request_headers, whole.response_headers,
        )  # fmt: skip
        assert sum(length for _, length in part.marks) == 5


def test_marks_are_the_times_of_the_reads() -> None:
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    bench = Bench().play(
        (">", request()), ("<", head), ("<", b"2\r\nab\r\n2\r\ncd\r\n"), ("<", b"1\r\ne\r\n0\r\n\r\n")
    )
    assert bench.sink.items[0].marks == [(3000, 4), (4000, 1)]


def test_the_query_is_cut_and_the_path_kept() -> None:
    assert path_of(b"POST /v1/completions?api-key=secret HTTP/1.1") == b"/v1/completions"


@pytest.mark.parametrize(("key", "header"), [(b"s7", "X-Session: s7"), (b"r1", "X-Request-Id: r1")])
def test_the_hash_of_the_key_decides_and_is_the_same_everywhere(key: bytes, header: str) -> None:
    where = position(key, b"tailgate")
    changes: dict[str, Any] = {"sampling_header": "x-session"} if header.startswith("X-Session") else {}
    for fraction, sampled in ((where * 0.99, 0), (min(1.0, where * 1.01), 1)):
        bench = Bench(fraction=fraction, **changes).play((">", request(headers=[header])))
        assert (bench.count("sampled"), bench.count("unkeyed")) == (sampled, 0)


def test_all_requests_of_a_trace_share_its_fate() -> None:
    trace = "0af7651916cd43dd8448eb211c80319c"
    where = position(trace.encode(), b"tailgate")
    for span in ("b7ad6b7169203331", "00f067aa0ba902b7"):
        header = f"traceparent: 00-{trace}-{span}-01"
        assert Bench(fraction=where * 0.99).play((">", request(headers=[header]))).count("sampled") == 0
        assert (
            Bench(fraction=min(1, where * 1.01)).play((">", request(headers=[header]))).count("sampled") == 1
        )


def test_without_a_key_the_draw_decides_and_is_counted() -> None:
    assert Bench(draw=0.2, fraction=0.1).play((">", request())).count("unkeyed") == 1


@pytest.mark.parametrize(
    ("boost", "headers", "sampled"),
    [
        (Boost(1.0, path="/v1/chat/completions"), [], 1),
        (Boost(1.0, path="/v1/completions"), [], 0),
        (Boost(1.0, header="X-Team", value="a"), ["x-team: a"], 1),
        (Boost(1.0, header="X-Team", value="a"), ["x-team: b"], 0),
        (Boost(1.0, header="X-Team"), ["X-TEAM: b"], 1),
    ],
)
def test_boosts_look_at_the_head_alone(boost: Boost, headers: Sequence[str], sampled: int) -> None:
    bench = Bench(draw=0.5, fraction=0.01, boosts=(boost,)).play((">", request(headers=headers)))
    assert bench.count("sampled") == sampled


def test_fields_that_only_admission_looks_at_are_not_kept() -> None:
    boost = Boost(1.0, header="X-Team")
    head = ["x-team: secret", "x-litellm-enable-message-redaction: false", "x-session-id: s1"]
    bench = Bench(boosts=(boost,)).play((">", request(headers=head)), ("<", OK))
    assert bench.captures()[0].request_headers == {"x-session-id": "s1"}


@pytest.mark.parametrize("mark", ["x-tailgate-mirror: 1", "X-Tailgate-Mirror: 1"])
@pytest.mark.parametrize("fraction", [0.999, 1.0])
def test_what_is_marked_is_excluded_and_nothing_else(mark: str, fraction: float) -> None:
    bench = Bench(fraction=fraction).play((">", request(headers=["x-request-id: r1", mark])))
    assert (bench.count("excluded:marked"), bench.count("sampled")) == (1, 0)


def test_answers_are_kept_and_passed_over_in_turn_on_one_connection() -> None:
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    bench = Bench()
    for fraction, text in ((0.0, b"no"), (1.0, b"yes"), (0.0, b"not"), (1.0, b"yes!")):
        bench.board.fraction = fraction
        bench.play((">", request()), ("<", head), ("<", chunked(text)[:4]), ("<", chunked(text)[4:]))
    assert [capture.response_body for capture in bench.captures()] == [b"yes", b"yes!"]
    assert (bench.observer.following, bench.observer.awaiting, bench.admission.in_flight) == (True, False, 0)


def test_an_exchange_that_grew_too_large_ends_and_the_next_one_is_kept() -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 40\r\n\r\n"
    bench = Bench(max_body_bytes=20).play((">", request(b"x")), ("<", head + b"y" * 30), ("<", b"y" * 10))
    bench.play((">", request(b"x")), ("<", OK))
    assert [capture.response_body for capture in bench.captures()] == [OK.partition(b"\r\n\r\n")[2]]
    assert (bench.count("dropped:too_large"), bench.admission.in_flight) == (1, 0)


def test_above_the_watermark_the_sample_is_thinned_by_a_recorded_probability() -> None:
    bench = Bench(draw=0.2, max_queue_items=10)
    for expected in [1.0] * 6 + [0.82, 0.64]:
        bench.play((">", request()), ("<", OK))
        assert bench.sink.items[-1].probability == pytest.approx(expected)
    for _ in range(5):
        bench.play((">", request()), ("<", OK))
    assert bench.count("dropped:thinned") > 0
    assert bench.balance() == 0


@pytest.mark.parametrize(
    ("changes", "reason"),
    [({"max_body_bytes": 10}, "too_large"), ({"max_queue_bytes": 100}, "memory_full")],
)
def test_bounds_drop_the_newest_and_name_the_reason(changes: dict[str, int], reason: str) -> None:
    bench = Bench(**changes).play((">", request(b"x" * 50)), ("<", OK))
    assert (bench.count(f"dropped:{reason}"), bench.balance()) == (1, 0)
    assert bench.admission.held == 0


def test_in_flight_is_bounded() -> None:
    bench = Bench(max_in_flight=1).play((">", request()))
    Observer(bench.admission).request(request(), 1)
    assert bench.count("dropped:in_flight_full") == 1


@pytest.mark.parametrize("outcome", ["client_left", "upstream_reset", "upstream_closed"])
def test_a_broken_answer_is_handed_over_with_its_outcome(outcome: str) -> None:
    bench = Bench().play((">", request()), ("<", OK[:-3]))
    bench.observer.closed(outcome, 9000)
    assert [item.outcome for item in bench.sink.items] == [outcome]


reads = st.lists(
    st.tuples(
        st.sampled_from("><"),
        st.one_of(
            st.binary(max_size=40),
            st.sampled_from(
                [
                    request(), request()[:40], request()[40:], request(b"", method="HEAD"), OK, OK[:30], OK[30:], b"\r\n",
                    request(headers=["Transfer-Encoding: chunked"]), chunked(b"ab"), b"HTTP/1.1 100 Continue\r\n\r\n",
                    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"HTTP/1.1 101 S\r\nUpgrade: a\r\n\r\n",
                    request(headers=["Connection: upgrade", "Upgrade: a"]), b"HTTP/1.1 200 OK\r\n\r\n",
                ]
            ),
        ),
    ),
    max_size=12,
)  # fmt: skip


# Without the health check on seconds: a busy machine is no defect of the observer's.
@settings(max_examples=2000, derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(reads, st.sampled_from(["client_left", "upstream_reset", "upstream_closed", "shutdown"]))
def test_whatever_comes_every_sampled_request_has_one_end(
    script: list[tuple[str, bytes]], outcome: str
) -> None:
    bench = Bench().play(*script)
    if bench.observer.following:
        bench.observer.closed(outcome, 99_000)
    assert bench.balance() == 0
    assert bench.admission.in_flight == 0
    assert bench.admission.observing == 0
    assert bench.admission.held == sum(item.size for item in bench.sink.items)
    assert all(count >= 0 for count in bench.board.pages[0][: len(CELL)])
    assert not bench.count("unobserved:observer_error")
    assert sum(bench.count(f"excluded:{name}") for name in EXCLUDED) <= len(script) * 2


def test_a_clock_that_is_set_back_changes_no_duration(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([2e9, 1e9])
    monkeypatch.setattr("collectors.admission.time", lambda: next(clock))
    bench = Bench().play((">", request()), ("<", OK), (">", request()), ("<", OK))
    captures = bench.captures()
    assert [capture.received_at for capture in captures] == [2e9, 1e9]
    assert [capture.duration_us for capture in captures] == [1, 1]


def test_what_cannot_be_encoded_is_dropped_and_counted() -> None:
    bench = Bench().play(*[(">", request()), ("<", OK)] * 40, (">", request()))  # fast: encoded by the loop
    assert bench.observer._exchange is not None
    bench.observer._exchange.number = 1 << 70
    with pytest.raises(OverflowError):
        bench.play(("<", OK))
    bench.observer.stop("observer_error")
    assert (bench.count("dropped:observer_error"), bench.balance()) == (1, 0)


def test_fast_small_exchanges_are_packed_by_the_loop_and_the_others_by_the_thread() -> None:
    bench = Bench().play(*[(">", request()), ("<", OK)] * 40)
    large = b"x" * (1 << 16)
    bench.play((">", request(large)), ("<", OK))
    assert [exchange.number for exchange in bench.sink.items] == list(range(1, 42))
    assert [isinstance(item, Packed) for item in bench.sink.queue] == [False] * 32 + [True] * 8 + [False]


def test_a_data_subject_is_named_whoever_packs() -> None:
    ask = request(headers=["X-User: u1 "])
    bench = Bench(subject_header="X-User").play(*[(">", ask), ("<", OK)] * 40)
    rendered = [numbering(bench.settings)(item, 1) for item in bench.sink.queue]
    assert {(type(record), subject) for record, subject in rendered} == {(Exchange, "u1"), (bytes, "u1")}
