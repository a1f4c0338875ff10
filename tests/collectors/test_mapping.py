"""Records of LiteLLM and Dynamo become exchanges by the shipped mapping files; others by one's own."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from collectors.jsonl import Tally
from collectors.mapping import exchange, load, read_mapped
from collectors.posted import records
from monitor.errors import BadInput, ConfigError
from monitor.records import Exchange

MESSAGES = [{"role": "user", "content": "Capital of France?"}]
ANSWER = {
    "id": "chatcmpl-1", "created": 1_790_000_000, "model": "m",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "Paris."}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 8, "completion_tokens": 3},
}  # fmt: skip
LITELLM = {
    "id": "r1", "trace_id": "t1", "call_type": "acompletion", "status": "success", "cache_hit": None,
    "startTime": 1_790_000_000.0, "endTime": 1_790_000_002.5, "completionStartTime": 1_790_000_000.5,
    "stream": True, "model": "openai/m", "model_group": "m", "messages": MESSAGES, "response": ANSWER,
    "model_parameters": {"temperature": 0, "stream": True},
    "metadata": {"user_api_key_team_id": "red"}, "end_user": "u1",
}  # fmt: skip
DYNAMO = {
    "schema_version": 1, "request_id": "r1", "requested_streaming": False, "model": "m",
    "request": {"model": "m", "messages": MESSAGES, "temperature": 0}, "response": ANSWER,
}  # fmt: skip


def read(mapping: str, record: object) -> Exchange:
    return exchange(load(mapping), json.dumps(record).encode(), 5.0)


@pytest.mark.parametrize(
    ("mapping", "record"),
    [("litellm", LITELLM), ("dynamo", DYNAMO), ("dynamo", {"timestamp": 12, "event": DYNAMO})],
)
def test_a_record_is_an_exchange(mapping: str, record: dict[str, Any]) -> None:
    found = read(mapping, record)
    assert (found.id, found.received_at, found.collector) == ("r1", 1_790_000_000.0, mapping)
    assert (found.request.prompt, found.request.model) == ("Capital of France?", "m")
    assert found.request.body["temperature"] == 0
    assert (found.baseline.text, found.baseline.output_tokens) == ("Paris.", 3)


def test_litellm_says_when_and_for_whom() -> None:
    found = read("litellm", LITELLM)
    assert found.baseline.duration_seconds == pytest.approx(2.5)
    assert found.baseline.time_to_first_token_seconds == pytest.approx(0.5)
    assert (found.session, found.headers["x-litellm-team"]) == ("t1", "red")


def test_the_first_token_of_a_whole_answer_is_not_its_end() -> None:
    assert read("litellm", LITELLM | {"stream": False}).baseline.time_to_first_token_seconds is None


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"call_type": "aembedding"}, "not_an_exchange"),
        ({"cache_hit": True}, "not_an_exchange"),
        ({"status": "failure", "response": {}}, "baseline_error"),
        ({"messages": None}, "no_content"),
        ({"response": "redacted-by-litellm"}, "no_content"),
    ],
)
def test_what_cannot_be_compared_says_why(change: dict[str, Any], reason: str) -> None:
    with pytest.raises(BadInput) as refused:
        read("litellm", LITELLM | change)
    assert refused.value.reason == reason


def test_a_mapping_of_ones_own(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(
        "name: mine\nstarted: /at\nunit: milliseconds\nduration: /took\nid: /a~1b\n"
        "request: {prompt: [/none, /texts/0], model: /m}\nresponse: /out\n"
    )
    record = {
        "at": 2000,
        "took": 250,
        "a/b": 7,
        "texts": ["Once"],
        "m": "m",
        "out": {"choices": [{"text": "upon"}]},
    }
    found = read(str(path), record)
    assert (found.id, found.received_at, found.request.operation) == ("7", 2.0, "text_completion")
    assert (found.baseline.text, found.baseline.duration_seconds) == ("upon", 0.25)


@pytest.mark.parametrize("text", ["name: x\n", "name: x\nresponse: /r\nrequest: {}\ntypo: /t\n", "["])
def test_a_wrong_mapping_is_an_error_that_names_it(tmp_path: Path, text: str) -> None:
    path = tmp_path / "wrong.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=r"wrong\.yaml"):
        load(str(path))


def test_a_missing_mapping_names_those_that_are_shipped() -> None:
    with pytest.raises(ConfigError, match="litellm, dynamo"):
        load("nowhere")


def test_bad_lines_are_counted_with_their_number_and_never_stop_the_file() -> None:
    lines = [json.dumps(LITELLM).encode(), b"{", b"", b"[1]", json.dumps(LITELLM | {"messages": []}).encode()]
    tally = Tally()
    assert len(list(read_mapped(lines, load("litellm"), 0.0, tally))) == 1
    assert tally.bad == Counter({"not_json": 1, "unreadable": 1, "no_content": 1})
    assert tally.examples[0].startswith("line 2: not_json")


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b'{"a": 1}', [{"a": 1}]),
        (b'[{"a": 1}, 2]', [{"a": 1}, 2]),
        (b'{"a": 1}\n{"b"\n2', [{"a": 1}, None, 2]),
    ],
)
def test_a_post_holds_one_many_or_lines(body: bytes, expected: list[object]) -> None:
    assert list(records(body)) == expected
