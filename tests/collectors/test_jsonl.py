"""Recorded pairs: the format, what is tolerated, and that a bad line costs only itself."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from collectors.jsonl import Tally, dump_pair, read_exchanges, read_pairs
from monitor.records import Completion, Exchange, Label, Pair, ToolCall

MINIMAL: dict[str, Any] = {
    "id": "p1",
    "request": {"messages": [{"role": "user", "content": "2+2?"}]},
    "baseline": {"text": "4"},
    "candidate": {"text": "5"},
}


def _line(**changes: Any) -> bytes:
    return json.dumps({**MINIMAL, **changes}).encode()


def _read(*lines: bytes) -> tuple[list[Pair], Tally]:
    tally = Tally()
    return list(read_pairs(lines, 1_000.0, tally)), tally


def _one(**changes: Any) -> Pair:
    pairs, tally = _read(_line(**changes))
    assert dict(tally.bad) == {}, tally.examples
    return pairs[0]


def _rejected(raw: bytes) -> str:
    pairs, tally = _read(raw, _line())
    assert [pair.id for pair in pairs] == ["p1"], "the next line is still read"
    (reason,) = tally.bad
    return reason


def test_the_smallest_pair_is_read() -> None:
    pair = _one()
    assert (pair.id, pair.request.prompt, pair.baseline.text, pair.candidate.text) == ("p1", "2+2?", "4", "5")


def test_a_completions_request_is_read() -> None:
    assert _one(request={"prompt": "Once"}).request.prompt == "Once"


def test_a_missing_time_is_now() -> None:
    assert _one().exchange.received_at == 1_000.0


def test_a_time_is_read_with_its_zone() -> None:
    assert _one(time="2026-11-22T19:00:00+01:00").exchange.received_at == 1_795_370_400.0


def test_segments_session_and_subject_are_kept() -> None:
    exchange = _one(segments={"task": "math", "steps": 3, "paid": True}, session="s1", subject="u1").exchange
    assert exchange.dims == {"task": "math", "steps": "3", "paid": "true"}
    assert (exchange.session, exchange.subject) == ("s1", "u1")


def test_a_label_is_read() -> None:
    label = {"baseline_correct": True, "candidate_correct": False}
    assert Label(baseline_correct=True, candidate_correct=False) == _one(label=label).label


def test_an_answer_may_be_a_response_body() -> None:
    body = {"choices": [{"message": {"role": "assistant", "content": "four"}, "finish_reason": "stop"}]}
    answer = _one(candidate={"response": body, "duration_seconds": 1.5}).candidate
    assert (answer.text, answer.finish_reason, answer.duration_seconds) == ("four", "stop", 1.5)


def test_all_fields_of_an_answer_are_read() -> None:
    given_ = {
        "text": "4", "finish_reason": "stop", "duration_seconds": 1.2, "time_to_first_token_seconds": 0.1,
        "output_tokens": 42, "logprobs": [-0.1, -0.5], "error_type": None,
    }  # fmt: skip
    expected = Completion(
        "4",
        finish_reason="stop",
        duration_seconds=1.2,
        time_to_first_token_seconds=0.1,
        output_tokens=42,
        logprobs=(-0.1, -0.5),
    )
    assert expected == _one(replay=given_).replay


def test_tool_calls_are_read_in_both_shapes() -> None:
    nested = {"id": "c1", "type": "function", "function": {"name": "add", "arguments": '{"a":1}'}}
    flat = {"name": "add", "arguments": {"a": 1}}
    calls = _one(candidate={"tool_calls": [nested, flat]}).candidate.tool_calls
    assert (ToolCall("add", '{"a":1}', "c1"), ToolCall("add", '{"a":1}', "")) == calls


def test_a_candidate_that_failed_is_an_outcome() -> None:
    assert _one(candidate={"error_type": "timeout"}).candidate.error_type == "timeout"


def test_unknown_keys_are_left_out_and_counted() -> None:
    _, tally = _read(_line(weight=2, baseline={"text": "4", "judge": 9}))
    assert dict(tally.unknown_keys) == {"weight": 1, "baseline.judge": 1}


def test_blank_lines_and_a_byte_order_mark_are_no_errors() -> None:
    pairs, tally = _read(b"\xef\xbb\xbf" + _line(), b"\n", b"  \n")
    assert (len(pairs), tally.lines, dict(tally.bad)) == (1, 1, {})


def test_a_bad_line_is_counted_with_its_number_and_reason() -> None:
    _, tally = _read(_line(), b"{not json", _line())
    assert (tally.lines, tally.usable, dict(tally.bad)) == (3, 2, {"not_json": 1})
    assert tally.examples[0].startswith("line 2: not_json: ")


def test_every_kind_of_bad_line_has_its_reason() -> None:
    assert _rejected(b"\xff\xfe") == "not_json"
    assert _rejected(b"[" * 100_000) == "not_json"
    assert _rejected(b"[1]") == "wrong_shape"
    assert _rejected(b'{"id": "x"}') == "wrong_shape"
    assert _rejected(_line(baseline={"text": 4})) == "wrong_shape"
    assert _rejected(_line(candidate={"text": "5", "duration_seconds": -1})) == "wrong_shape"
    assert _rejected(_line(candidate={"tool_calls": [{"function": {}}]})) == "wrong_shape"
    assert _rejected(_line(candidate=None)) == "no_candidate"
    assert _rejected(_line(baseline={})) == "no_answer"
    assert _rejected(_line(request={"model": "m"})) == "request_unsupported"
    assert _rejected(_line(segments={"a=b": "c"})) == "bad_segment"


def test_an_exchange_needs_no_candidate() -> None:
    exchanges = list(read_exchanges([_line(candidate=None)], 0.0, Tally()))
    assert [exchange.id for exchange in exchanges] == ["p1"]


def test_what_is_written_is_what_is_read() -> None:
    pair = _one(
        time="2026-11-22T18:00:00Z",
        segments={"task": "math"},
        session="s",
        candidate={"tool_calls": [{"name": "f", "arguments": "{}"}], "error_type": "timeout"},
        replay={"text": "4", "logprobs": [-1.0]},
        label={"baseline_correct": True, "candidate_correct": None},
    )
    assert [pair] == _read(dump_pair(pair))[0]


def test_a_captured_exchange_survives_writing() -> None:
    exchange = _one().exchange
    pair = Pair(Exchange("x", 5.0, exchange.request, Completion("a", duration_seconds=0.5)), Completion("b"))
    assert [pair] == _read(dump_pair(pair))[0]


@given(st.binary(max_size=200))
def test_no_bytes_stop_the_file(raw: bytes) -> None:
    pairs, tally = _read(raw, _line())
    assert tally.lines == tally.usable + sum(tally.bad.values())
    assert pairs[-1].id == "p1"


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=5), lambda c: st.lists(c) | st.dictionaries(st.sampled_from([*MINIMAL, "text", "segments", "label"]), c), max_leaves=12))  # fmt: skip
def test_no_json_stops_the_file(tree: Any) -> None:
    changes = tree if isinstance(tree, dict) else {"candidate": tree}
    _, tally = _read(json.dumps({**MINIMAL, **changes}).encode())
    assert tally.usable + sum(tally.bad.values()) == 1
