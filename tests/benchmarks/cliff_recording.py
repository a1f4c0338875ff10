"""The cliff benchmark's baseline: recorded once, answer by answer, and played back.

The baseline answers each request twice (answer and replay), with the logprobs and token ids that a
replay asks for; a play-back server then stands in for it, so that every candidate is compared with the
same words and the CPU serves one model at a time. Every answer is kept as it comes: a run that was
stopped goes on where it was.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from monitor.candidate import MARKER
from tests.benchmarks.cliff_traffic import AT_ONCE, MODEL, Prompt, Row, key
from tests.real.vllm_server import Server
from tests.standin.running import on_a_thread

CHAT = "/v1/chat/completions"
Arm = Literal["answer", "replay"]
ARMS: tuple[Arm, ...] = ("answer", "replay")


async def send_all(
    url: str,
    bodies: Sequence[tuple[Row, Mapping[str, str]]],
    done: Callable[[int, Row, float], None] | None = None,
) -> None:
    """Send each (body, headers) and tell `done` its number, answer and seconds; what is no 200 raises."""
    slots = asyncio.Semaphore(AT_ONCE)

    async def ask(client: httpx.AsyncClient, number: int) -> None:
        body, headers = bodies[number]
        async with slots:
            began = time.perf_counter()
            response = await client.post(f"{url}{CHAT}", json=body, headers=dict(headers))
            response.raise_for_status()
            if done is not None:
                done(number, response.json(), time.perf_counter() - began)

    async with httpx.AsyncClient(timeout=None, trust_env=False) as client:  # noqa: S113  CPUs are slow
        await asyncio.gather(*(ask(client, number) for number in range(len(bodies))))


def answers(server: Server, asked: Sequence[Prompt], arm: Arm, to: Path) -> list[Row]:
    """The baseline's answers with all that a replay asks for; only what `to` does not hold yet is asked."""
    known = recorded(to)
    missing = [prompt for prompt in asked if (prompt.key, arm) not in known]
    extras = {"logprobs": True, "return_token_ids": True}
    bodies = [({**prompt.body, **extras}, dict[str, str]()) for prompt in missing]
    with to.open("a") as log:

        def keep(number: int, answer: Row, seconds: float) -> None:
            row = {"key": missing[number].key, "arm": arm, "answer": answer, "seconds": seconds}
            log.write(json.dumps(row) + "\n")
            log.flush()

        asyncio.run(send_all(server.url, bodies, keep))
    known = recorded(to)
    return [known[prompt.key, arm]["answer"] for prompt in asked]


def recorded(path: Path) -> dict[tuple[str, Arm], Row]:
    """What a recording holds, by request and arm; a line that a dying process tore is cut off the file."""
    if not path.exists():
        return {}
    text = path.read_text()
    whole = text[: text.rfind("\n") + 1]
    if whole != text:
        path.write_text(whole)
    return {(row["key"], row["arm"]): row for row in map(json.loads, whole.splitlines())}


def complete(asked: Sequence[Prompt], path: Path) -> bool:
    """Whether both arms of all requests are recorded."""
    known = recorded(path)
    return all((prompt.key, arm) in known for prompt in asked for arm in ARMS)


@contextmanager
def playing(recording: Path) -> Iterator[str]:
    """URL of a server that answers as the recorded baseline did, at once."""
    rows = recorded(recording)
    server = uvicorn.Server(
        uvicorn.Config(_player(rows), log_level="warning", lifespan="off", timeout_keep_alive=300)
    )
    with on_a_thread(server) as port:
        yield f"http://127.0.0.1:{port}"


def _player(rows: Mapping[tuple[str, Arm], Row]) -> Starlette:
    sample = next(iter(rows.values()))

    async def chat(request: Request) -> Response:
        body = await request.json()
        # The capability check asks what nobody recorded; any recorded answer shows what this server gives.
        arm: Arm = "replay" if request.headers.get(MARKER) == "replay" else "answer"
        return JSONResponse(_as_asked(rows.get((key(body), arm), sample)["answer"], body))

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
