"""Streamed answers, cut anywhere."""

import gzip
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.openai_api import Mark, StreamDecoder, decode_response
from monitor.records import Completion, Operation, ToolCall

SSE = {"content-type": "text/event-stream; charset=utf-8"}
DONE = b"data: [DONE]\n\n"


def event(**fields: Any) -> bytes:
    return b"data: " + json.dumps(fields, ensure_ascii=False).encode() + b"\n\n"


def delta(finish: str | None = None, **fields: Any) -> bytes:
    return event(id="x", model="m", choices=[{"index": 0, "delta": fields, "finish_reason": finish}])


def whole(body: bytes, operation: Operation = "chat") -> Completion:
    return decode_response(operation, SSE, body)


ANSWER = (
    delta(role="assistant", content="") + delta(content="ሰላም ") + delta(content="Ω🙂") + delta("stop") + DONE
)


@given(st.lists(st.integers(1, 40), max_size=60))
def test_events_and_characters_may_be_cut_anywhere(marks: list[int]) -> None:
    assert decode_response("chat", SSE, ANSWER, [(0.0, length) for length in marks]).text == "ሰላም Ω🙂"


@pytest.mark.parametrize("end", [b"\r\n", b"\r", b"\n"])
@pytest.mark.parametrize("step", [1, 2, 3, 7, 10_000])
def test_all_line_ends_work_however_cut(end: bytes, step: int) -> None:
    body = b"\xef\xbb\xbf: ping\n\n" + ANSWER + b": bye\n\n"
    body = body.replace(b"\n", end)
    marks: list[Mark] = [(0.0, step)] * (len(body) // step + 1)
    answer = decode_response("chat", SSE, body, marks)
    assert (answer.text, answer.error_type) == ("ሰላም Ω🙂", None)


def test_times_come_from_the_marks() -> None:
    parts = [
        delta(role="assistant", content=""),
        delta(content="a"),
        delta(content="b"),
        delta(content="c"),
        DONE,
    ]
    times = [0.05, 0.1, 0.12, 0.2, 0.25]
    marks = [(t, len(part)) for t, part in zip(times, parts, strict=True)]
    answer = decode_response("chat", SSE, b"".join(parts), marks)
    assert (answer.time_to_first_token_seconds, answer.duration_seconds) == (0.1, 0.25)
    assert answer.gaps is not None
    assert answer.gaps.count == 2
    assert (answer.gaps.mean, answer.gaps.p50, answer.gaps.largest) == pytest.approx((0.05, 0.08, 0.08))


def test_live_and_captured_bytes_read_the_same() -> None:
    decoder = StreamDecoder("chat", SSE)
    for position in range(0, len(ANSWER), 9):
        decoder.feed(ANSWER[position : position + 9], position / 100)
    marks = [(position / 100, 9) for position in range(0, len(ANSWER), 9)]
    assert decoder.finish() == decode_response("chat", SSE, ANSWER, marks)


def test_reasoning_and_tool_calls_count_as_first_token() -> None:
    for fields in ({"reasoning_content": "hm"}, {"tool_calls": [{"index": 0, "function": {"name": "f"}}]}):
        answer = decode_response("chat", SSE, delta(**fields) + delta("stop"), [(0.3, 1 << 20)])
        assert (answer.time_to_first_token_seconds, answer.text) == (0.3, "")


def test_a_token_inside_a_character_counts_though_it_has_no_text() -> None:
    piece = {"index": 0, "delta": {}, "logprobs": None, "token_ids": [150]}
    answer = decode_response("chat", SSE, event(choices=[piece]) + DONE, [(0.3, 1 << 20)])
    assert (answer.time_to_first_token_seconds, answer.token_ids) == (0.3, (150,))


def test_tool_calls_assemble_from_pieces() -> None:
    def call(index: int, arguments: str, **fields: Any) -> bytes:
        function = {"arguments": arguments, **({"name": fields.pop("name")} if "name" in fields else {})}
        return delta(tool_calls=[{"index": index, "function": function, **fields}])

    body = (
        call(0, "", id="c0", name="f") + call(1, "{", id="c1", name="g") + call(0, '{"a"') + call(0, ": 1}")
    )
    body += call(1, "}") + delta("tool_calls") + DONE
    assert whole(body).tool_calls == (ToolCall("f", '{"a": 1}', "c0"), ToolCall("g", "{}", "c1"))


def test_logprobs_ids_usage_and_metrics_are_gathered() -> None:
    def token(text: str, value: float, number: int) -> dict[str, Any]:
        logprobs = {"content": [{"token": text, "logprob": value}]}
        return {"index": 0, "delta": {"content": text}, "logprobs": logprobs, "token_ids": [number]}

    body = event(choices=[token("a", -1, 7)], prompt_token_ids=[1, 2])
    body += event(choices=[token("b", -2, 8)]) + delta("stop")
    body += (
        event(choices=[], usage={"prompt_tokens": 2, "completion_tokens": 2}, metrics={"queue_time_ms": 5})
        + DONE
    )
    answer = whole(body)
    assert (answer.logprobs, answer.token_ids, answer.prompt_token_ids) == ((-1.0, -2.0), (7, 8), (1, 2))
    assert (answer.input_tokens, answer.output_tokens, answer.server_queue_seconds) == (2, 2, 0.005)


def test_other_choices_are_left_out() -> None:
    body = (
        event(choices=[{"index": 1, "delta": {"content": "b"}}]) + delta(content="a") + delta("stop") + DONE
    )
    assert whole(body).text == "a"


def test_a_text_completion_streams_text() -> None:
    body = event(choices=[{"index": 0, "text": "a"}]) + event(
        choices=[{"text": "b", "finish_reason": "stop"}]
    )
    assert whole(body, "text_completion").text == "ab"


def test_the_end_is_done_or_a_finish_reason() -> None:
    assert whole(delta(content="a") + DONE).error_type is None
    assert whole(delta(content="a") + delta("stop")).error_type is None
    assert whole(delta(content="a") + delta("stop")[:-2]).error_type is None


@pytest.mark.parametrize("body", [b"", delta(content="a"), delta(content="a") + delta(content="b")[:-20]])
def test_a_stream_without_its_end_is_truncated_and_keeps_its_text(body: bytes) -> None:
    answer = whole(body)
    assert (answer.error_type, answer.text) == ("truncated_stream", "a" if body else "")


def test_an_error_event_ends_the_answer() -> None:
    broken = event(error={"message": "engine died", "type": "InternalServerError", "code": 500})
    answer = whole(delta(content="a") + broken + DONE)
    assert (answer.error_type, answer.error_message, answer.text) == ("http_500", "engine died", "a")


def test_an_event_that_is_no_json_is_a_bad_body() -> None:
    assert whole(delta(content="a") + b"data: {oops\n\n" + DONE).error_type == "bad_body"


def test_what_the_transport_saw_is_kept() -> None:
    decoder = StreamDecoder("chat", SSE)
    decoder.feed(delta(content="a"), 0.1)
    answer = decoder.finish(2.0, error_type="timeout")
    assert (answer.error_type, answer.text, answer.duration_seconds) == ("timeout", "a", 2.0)


def test_several_data_lines_are_one_event() -> None:
    body = b'event: x\nid: 1\ndata: {"choices": [{"delta":\ndata: {"content": "a"}}]}\n\n' + DONE
    assert whole(body).text == "a"


def test_compressed_streams_are_read_as_they_arrive() -> None:
    raw = gzip.compress(ANSWER)
    marks = [(i / 10, 5) for i in range(len(raw) // 5 + 1)]
    answer = decode_response("chat", {**SSE, "Content-Encoding": "gzip"}, raw, marks)
    assert answer.text == "ሰላም Ω🙂"


def test_an_unknown_coding_is_named() -> None:
    assert (
        decode_response("chat", {**SSE, "content-encoding": "br"}, b"x").error_type == "encoding_unsupported"
    )


def test_events_under_another_content_type_are_recognised() -> None:
    assert decode_response("chat", {"content-type": "application/octet-stream"}, ANSWER).text == "ሰላም Ω🙂"


def test_a_responses_stream_takes_its_answer_from_the_last_event() -> None:
    final = {
        "id": "r",
        "status": "completed",
        "output": [{"type": "message", "content": [{"type": "output_text", "text": "Hello"}]}],
    }
    body = event(type="response.created", response={"id": "r", "status": "in_progress"})
    body += event(type="response.output_text.delta", delta="Hel")
    torn = whole(body, "responses")
    assert (torn.text, torn.error_type) == ("Hel", "truncated_stream")
    answer = whole(body + event(type="response.completed", response=final), "responses")
    assert (answer.text, answer.finish_reason, answer.error_type) == ("Hello", "stop", None)


def test_a_failed_responses_stream_is_an_error() -> None:
    assert (
        whole(event(type="error", message="boom", code="server_error"), "responses").error_type
        == "stream_error"
    )
    failed = event(
        type="response.failed",
        response={"status": "failed", "error": {"message": "x", "code": "server_error"}},
    )
    assert whole(failed, "responses").error_type == "stream_error"


@given(st.binary(max_size=400), st.sampled_from(["chat", "text_completion", "responses"]), st.booleans())
def test_no_bytes_make_the_decoder_raise(body: bytes, operation: Operation, events: bool) -> None:
    headers = SSE if events else {"content-type": "application/json"}
    assert isinstance(decode_response(operation, headers, body, [(0.0, 7)]), Completion)
