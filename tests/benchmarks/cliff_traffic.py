"""What the cliff benchmark asks, and the baseline's answers recorded once and played back.

Eight groups of requests from the corpora and one of our own sums, the shortest of each, because a
prefill on a CPU costs as much as it does. The baseline answers each request twice (answer and replay),
with the logprobs and token ids that a replay asks for; a play-back server then stands in for it, so
that every candidate is compared with the same words and the CPU serves one model at a time.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random
from typing import Any

import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from monitor.candidate import MARKER
from tests.benchmarks.runs import CORPORA
from tests.real.vllm_server import Server
from tests.standin.running import on_a_thread

REQUESTS = CORPORA / "requests"
MAX_TOKENS = 32
JSON_TOKENS = 96  # a JSON answer of this corpus does not end in 32
AT_ONCE = 8
MODEL = "smollm2"
CHAT = "/v1/chat/completions"

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Prompt:
    """One request, the group that it is reported under, and the right answer where one is known."""

    id: str
    group: str
    body: Row
    right: str | None = None

    @property
    def key(self) -> str:
        """What the play-back server finds the answer by."""
        return _key(self.body)


def _key(body: Row) -> str:
    return json.dumps([body.get("messages"), body.get("max_tokens")], sort_keys=True)


GROUPS = {
    "json": "json_extraction",
    "code": "humaneval",
    "math": "gsm8k",
    "facts": "simpleqa_calibration",
    "choice": "mmlu",
    "chat": "xstest",
    "languages": "m_ifeval",
    "scripts": "udhr_lowresource",
}
SUMS = "arithmetic"


def prompts(each: int) -> list[Prompt]:
    """`each` requests per group, groups interleaved as traffic would be."""
    groups = [_of_corpus(group, each) for group in GROUPS]
    return [prompt for row in zip(*groups, _sums(each), strict=True) for prompt in row]


def _of_corpus(group: str, each: int) -> list[Prompt]:
    rows = [json.loads(line) for line in (REQUESTS / f"{GROUPS[group]}.jsonl").read_text().splitlines()]
    if group == "scripts":
        rows = [row for row in rows if row["dims"]["script"] != "Latin"]
    rows = sorted(rows, key=_size)[:each]
    return [Prompt(row["id"], group, _body(row["request"], group)) for row in rows]


def _size(row: Row) -> tuple[int, str]:
    return len(json.dumps(row["request"]["messages"], ensure_ascii=False).encode()), row["id"]


def _body(request: Row, group: str) -> Row:
    most = JSON_TOKENS if group == "json" else MAX_TOKENS
    return {
        "model": MODEL,
        "messages": request["messages"],  # without response_format: a grammar would write the JSON for it
        "temperature": 0,
        "max_tokens": min(most, request["max_tokens"]),
    }


def _sums(each: int) -> list[Prompt]:
    random, made = Random(5), []
    for number in range(each):
        a, b = random.randint(2, 60), random.randint(2, 60)
        asked = f"What is {a} + {b}? Answer with the number only."
        body = {
            "model": MODEL,
            "messages": [{"role": "user", "content": asked}],
            "temperature": 0,
            "max_tokens": 8,
        }
        made.append(Prompt(f"sum/{number}", SUMS, body, str(a + b)))
    return made


def fingerprint(asked: Sequence[Prompt]) -> str:
    """Names the set of requests; recordings of another set are not mixed with it."""
    text = json.dumps([asdict(prompt) for prompt in asked], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:10]


async def send_all(
    url: str, bodies: Sequence[tuple[Row, Mapping[str, str]]], at_once: int = AT_ONCE
) -> list[tuple[dict[str, Any], float]]:
    """Answer and seconds of each (body, headers), in order; an answer that is no 200 raises."""
    slots = asyncio.Semaphore(at_once)

    async def ask(client: httpx.AsyncClient, body: Row, headers: Mapping[str, str]) -> tuple[Any, float]:
        async with slots:
            began = time.perf_counter()
            response = await client.post(f"{url}{CHAT}", json=body, headers=dict(headers))
            response.raise_for_status()
            return response.json(), time.perf_counter() - began

    async with httpx.AsyncClient(timeout=None, trust_env=False) as client:  # noqa: S113  CPUs are slow
        return list(await asyncio.gather(*(ask(client, *each) for each in bodies)))


def record(server: Server, asked: Sequence[Prompt], to: Path) -> None:
    """Both answers of the baseline to every prompt, one line each."""
    extras = {"logprobs": True, "return_token_ids": True}
    bodies = [({**prompt.body, **extras}, dict[str, str]()) for prompt in asked]
    first, second = (asyncio.run(send_all(server.url, bodies)) for _ in range(2))
    lines = [
        json.dumps({"key": prompt.key, "answer": a, "replay": b, "seconds": seconds})
        for prompt, (a, seconds), (b, _) in zip(asked, first, second, strict=True)
    ]
    part = to.with_suffix(".part")
    part.write_text("\n".join(lines) + "\n")
    part.rename(to)


@contextmanager
def playing(recording: Path) -> Iterator[str]:
    """URL of a server that answers as the recorded baseline did, at once."""
    rows = {row["key"]: row for row in map(json.loads, recording.read_text().splitlines())}
    server = uvicorn.Server(
        uvicorn.Config(_player(rows), log_level="warning", lifespan="off", timeout_keep_alive=300)
    )
    with on_a_thread(server) as port:
        yield f"http://127.0.0.1:{port}"


def _player(rows: Mapping[str, Row]) -> Starlette:
    sample = next(iter(rows.values()))

    async def chat(request: Request) -> Response:
        body = await request.json()
        # The capability check asks what nobody recorded; any recorded answer shows what this server gives.
        row = rows.get(_key(body), sample)
        arm = "replay" if request.headers.get(MARKER) == "replay" else "answer"
        return JSONResponse(_as_asked(row[arm], body))

    async def models(_: Request) -> Response:
        return JSONResponse({"data": [{"id": MODEL, "root": "recorded", "max_model_len": 2048}]})

    async def load(_: Request) -> Response:
        return Response("vllm:num_requests_waiting 0\n", media_type="text/plain")

    routes = [
        Route(CHAT, chat, methods=["POST"]),
        Route("/v1/models", models),
        Route("/metrics", load),
        Route("/health", load),
    ]
    return Starlette(routes=routes)


def _as_asked(answer: Row, body: Row) -> Row:
    """The recorded answer without what this request did not ask for."""
    hidden = set() if body.get("return_token_ids") else {"token_ids"}
    hidden |= set() if body.get("logprobs") else {"logprobs"}
    choices = [{k: v for k, v in choice.items() if k not in hidden} for choice in answer["choices"]]
    kept = {k: v for k, v in answer.items() if k != "prompt_token_ids" or body.get("return_token_ids")}
    return {**kept, "choices": choices}
