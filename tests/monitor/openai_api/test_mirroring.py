"""What may be sent a second time, and how it is changed."""

from typing import Any

import pytest

from monitor.openai_api import mirrorable, operation_of, parse_request, rewrite
from monitor.records import Request


def request(**fields: Any) -> Request:
    if not {"messages", "prompt", "input"} & fields.keys():
        fields["messages"] = [{"role": "user", "content": "Hi"}]
    return parse_request(operation_of(fields), fields)


def part(**fields: Any) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": [fields]}]}


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({}, None),
        ({"tools": [{"type": "function", "function": {"name": "f"}}]}, None),
        ({"store": True}, None),
        ({"n": 8}, None),
        (part(type="image_url", image_url={"url": "data:"}), None),
        ({"n": 9}, "too_many_choices"),
        ({"tools": [{"type": "web_search"}]}, "server_side_tools"),
        ({"web_search_options": {"x": 1}}, "server_side_tools"),
        ({"input": "x", "tools": [{"type": "mcp"}]}, "server_side_tools"),
        ({"input": "x", "previous_response_id": "r"}, "stateful"),
        ({"input": "x", "conversation": "c"}, "stateful"),
        ({"input": "x", "prompt": {"id": "p"}}, "stateful"),
        ({"input": [{"type": "item_reference", "id": "i"}]}, "stateful"),
        ({"kv_transfer_params": {"remote": 1}}, "stateful"),
        (part(type="file", file={"file_id": "f"}), "stateful"),
        (part(type="input_image", file_id="f"), "stateful"),
        ({"input": "x", "background": True}, "background"),
        (part(type="input_audio", input_audio={}), "audio"),
        ({"modalities": ["text", "audio"]}, "audio"),
        ({"prompt": ["a", "b"]}, "batch_prompt"),
        ({"prompt": "a", "prompt_embeds": "b64"}, "embeddings"),
    ],
)
def test_requests_that_must_not_be_mirrored_name_their_reason(
    fields: dict[str, Any], reason: str | None
) -> None:
    if "input" in fields:
        assert reason == mirrorable(parse_request("responses", fields))
    else:
        assert reason == mirrorable(request(**fields))


def test_rewrites_are_applied_and_declared() -> None:
    body, changes = rewrite(
        request(model="prod", stream=True),
        model="cand",
        logprobs=True,
        stream_usage=True,
        token_ids=True,
        priority=100,
    )
    assert (
        body["model"],
        body["logprobs"],
        body["stream_options"],
        body["return_token_ids"],
        body["priority"],
    ) == ("cand", True, {"include_usage": True}, True, 100)
    assert changes == (
        "model=cand",
        "logprobs=true",
        'stream_options={"include_usage":true}',
        "return_token_ids=true",
        "priority=100",
    )


def test_a_request_that_needs_nothing_is_sent_as_it_is() -> None:
    original = request(
        model="prod", logprobs=True, stream=True, stream_options={"include_usage": True}, store=False
    )
    body, changes = rewrite(original, model="prod", logprobs=True, stream_usage=True)
    assert (original.body, ()) == (body, changes)


def test_other_stream_options_survive() -> None:
    body, _ = rewrite(request(stream=True, stream_options={"x": 1}), stream_usage=True)
    assert body["stream_options"] == {"x": 1, "include_usage": True}


def test_plain_requests_get_no_stream_options() -> None:
    assert "stream_options" not in rewrite(request(), stream_usage=True)[0]


def test_nothing_mirrored_is_stored() -> None:
    assert rewrite(request(store=True))[1] == ("store=false",)
    assert rewrite(parse_request("responses", {"input": "x"}))[1] == ("store=false",)


def test_text_completions_and_responses_ask_for_logprobs_in_their_own_way() -> None:
    assert rewrite(request(prompt="x"), logprobs=True)[1] == ("logprobs=1",)
    body, _ = rewrite(parse_request("responses", {"input": "x", "include": ["y"]}), logprobs=True)
    assert body["include"] == ["y", "message.output_text.logprobs"]


def test_the_request_itself_is_never_changed() -> None:
    original = request(model="prod")
    rewrite(original, model="cand", logprobs=True)
    assert {"model", "messages"} == set(original.body)
