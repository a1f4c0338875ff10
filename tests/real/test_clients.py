"""The clients that people use, through the sidecar to a real vLLM: the same bytes as without it.

Only what a server changes from one call to the next is made equal: `created` and ids that no
X-Request-Id fixes. Where two calls were cut into events differently, they are made again.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, TypeVar

import httpx
import openai
import pytest

from tests.real import vllm_server
from tests.real.product import Product, sidecar
from tests.real.vllm_server import Server

pytestmark = [pytest.mark.real, pytest.mark.slow, pytest.mark.timeout(900)]

ATTEMPTS = 5
T = TypeVar("T")
QUESTION = [{"role": "user", "content": "What is the capital of France? Answer in one sentence."}]
TOOL = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string", "maxLength": 12}},
            "required": ["city"],
        },
    },
}
BODIES: dict[str, dict[str, Any]] = {
    "plain": {},
    "logprobs": {"logprobs": True, "top_logprobs": 2},
    "streamed": {"stream": True},
    "streamed-usage-logprobs": {"stream": True, "logprobs": True, "stream_options": {"include_usage": True}},
    "two-choices": {"n": 2, "temperature": 0.8, "seed": 11},
    "two-choices-streamed": {"n": 2, "temperature": 0.8, "seed": 11, "stream": True},
    "tools": {"tools": [TOOL], "tool_choice": {"type": "function", "function": {"name": "get_weather"}}},
    "tools-streamed": {"tools": [TOOL], "tool_choice": "auto", "stream": True},
    "unknown-model": {"model": "nope"},
    "bad-temperature": {"temperature": -1},
}


@pytest.fixture(scope="module")
def vllm_plain() -> Iterator[Server]:
    """vLLM without the flags for timings in its answers: they would differ from call to call."""
    if vllm_server.interpreter() is None:
        pytest.skip(vllm_server.WHY_NOT)
    with vllm_server.serve(vllm_server.tiny(), "tiny", "--max-num-seqs=2") as server:
        yield server


@pytest.fixture(scope="module")
def product(vllm_plain: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    with sidecar(vllm_plain.url, tmp_path_factory.mktemp("sidecar")) as found:
        yield found


def body(**fields: Any) -> dict[str, Any]:
    return {"model": "tiny", "messages": QUESTION, "max_tokens": 10, "temperature": 0, **fields}


def alike(ask: Callable[[str], T], direct: str, through: str) -> tuple[T, T]:
    """What is answered directly and through the sidecar. How many tokens an event carries is the scheduler's: on a
    busy machine two calls differ in it now and then, so they are asked again; what we changed differs every time."""
    for _ in range(ATTEMPTS):
        answers = ask(direct), ask(through)
        if answers[0] == answers[1]:
            break
    return answers


def settled(raw: bytes) -> bytes:
    """Without what no two calls share. How the events of two choices interleave is the scheduler's."""
    raw = re.sub(rb'"created":\d+', b'"created":0', raw)
    raw = re.sub(rb'"id":"chatcmpl-tool-[0-9a-f]+"', b'"id":"tool"', raw)
    if not raw.startswith(b"data:"):
        return raw
    events = sorted(raw.split(b"\n\n"), key=_choice)
    return b"\n\n".join(events)


def _choice(event: bytes) -> int:
    """Index of the choice that an event belongs to; what names none (usage, [DONE]) comes last."""
    found = re.search(rb'"choices":\[\{"index":(\d+)', event)
    return int(found[1]) if found else 99


def headers(response: httpx.Response) -> list[tuple[bytes, bytes]]:
    return [(key, value) for key, value in response.headers.raw if key.lower() != b"date"]


@pytest.mark.parametrize("name", BODIES)
def test_httpx_gets_the_same_bytes_and_headers(vllm_plain: Server, product: Product, name: str) -> None:
    def ask(url: str) -> tuple[bytes, int, list[tuple[bytes, bytes]]]:
        asked = body(**BODIES[name])
        answer = httpx.post(
            f"{url}/v1/chat/completions", json=asked, headers={"x-request-id": "same"}, timeout=120
        )
        return settled(answer.content), answer.status_code, headers(answer)

    direct, through = alike(ask, vllm_plain.url, product.clients)
    assert through == direct


@pytest.mark.parametrize(
    "flags", [[], ["--no-buffer", "--compressed"], ["--http1.0"], ["-H", "Expect: 100-continue"]]
)
@pytest.mark.parametrize("stream", ["false", "true"])
def test_curl_gets_the_same_bytes(
    vllm_plain: Server, product: Product, flags: list[str], stream: str
) -> None:
    asked = f'{{"model":"tiny","messages":[{{"role":"user","content":"Say hi"}}],"max_tokens":8,"temperature":0,"stream":{stream}}}'
    sent = ["-H", "content-type: application/json", "-H", "x-request-id: same", "-d", asked]

    def ask(url: str) -> bytes:
        command = ["curl", "-s", *flags, f"{url}/v1/chat/completions", *sent]
        return settled(subprocess.run(command, capture_output=True, check=True).stdout)

    direct, through = alike(ask, vllm_plain.url, product.clients)
    assert through == direct
    assert b"choices" in direct


def sdk(url: str) -> openai.OpenAI:
    return openai.OpenAI(
        base_url=f"{url}/v1", api_key="none", max_retries=0, default_headers={"x-request-id": "same"}
    )


def told(url: str, *, fields: dict[str, Any]) -> list[dict[str, Any]]:
    """What the official SDK makes of the answer, one entry per chunk."""
    made = sdk(url).chat.completions.create(**body(**fields))
    parts = list(made) if fields.get("stream") else [made]
    dumped = [_dumped(part) for part in parts]
    return sorted(dumped, key=lambda part: part["choices"][0]["index"] if part["choices"] else 99)


def _dumped(part: Any) -> dict[str, Any]:
    found: dict[str, Any] = part.model_dump()
    found["created"] = 0
    for choice in found["choices"]:
        for call in (choice.get("message") or choice.get("delta") or {}).get("tool_calls") or ():
            call["id"] = "tool"
    return found


@pytest.mark.parametrize(
    "name", [name for name in BODIES if name not in {"unknown-model", "bad-temperature"}]
)
def test_the_openai_sdk_is_told_the_same(vllm_plain: Server, product: Product, name: str) -> None:
    direct, through = alike(partial(told, fields=BODIES[name]), vllm_plain.url, product.clients)
    assert through == direct


def test_the_openai_sdk_raises_the_same_errors(vllm_plain: Server, product: Product) -> None:
    words = []
    for url in (vllm_plain.url, product.clients):
        with pytest.raises(openai.NotFoundError) as caught:
            told(url, fields={"model": "nope"})
        words.append(str(caught.value))
    assert words[0] == words[1]


def test_the_answers_were_really_captured(product: Product) -> None:
    metrics = product.sidecar_metrics()
    captured = sum(
        float(n) for n in re.findall(r"^tailgate_requests_total\{[^}]*\} (\S+)$", metrics, re.MULTILINE)
    )
    dropped = sum(
        float(n) for n in re.findall(r"^tailgate_mirror_dropped_total\{[^}]*\} (\S+)$", metrics, re.MULTILINE)
    )
    assert captured >= 20
    assert dropped <= 0.2 * captured, metrics
