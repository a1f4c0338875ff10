"""Exchanges by the ten thousand: recorded or made pairs, spools full of them, and a candidate that knows its answers.

    python -m tests.benchmarks.exchanges recorded|made     serves the candidate; prints its port

Each request ends with its number in brackets, so that no two are repeats of each other and the candidate
finds its recorded answer without a model. It is a process of its own: its CPU is not the monitor's.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from itertools import zip_longest
from pathlib import Path
from typing import Any, Literal, NamedTuple

from collectors.spool import Limits, Writer
from collectors.wire import Capture, Counters
from tests.benchmarks.results import ROOT
from tests.benchmarks.runs import RUNS, answers, listed, prompts

KEY = b"k" * 32
LIMITS = Limits(max_bytes=1 << 30, max_age_seconds=24 * 3600, sync_seconds=0.05)
SETS = (
    "alpaca_eval",
    "arena_hard",
    "ifeval_multilingual",
    "shaberi_quant_ja",
    "zeroeval_gsm",
    "xstest_completions",
)
AHEAD = 500
BATCH = 128
Source = Literal["recorded", "made"]


class Recorded(NamedTuple):
    """One question with both answers."""

    messages: list[dict[str, Any]]
    baseline: str
    candidate: str


@cache
def pairs(source: Source) -> list[Recorded]:
    """Published outputs of real models, the sets in turn; or made ones, of which the candidate breaks one in ten."""
    if source == "made":
        return [made(number) for number in range(500)]
    first = {pair.set: pair for pair in reversed(listed()) if pair.set in SETS}
    by_set = [
        [
            Recorded(
                prompts(p.set)[key]["messages"], answer["text"], answers(p.set, p.candidate)[key]["text"]
            )
            for key, answer in answers(p.set, p.baseline).items()
            if key in answers(p.set, p.candidate) and key in prompts(p.set)
        ]
        for p in first.values()
    ]
    return [each for row in zip_longest(*by_set) for each in row if each is not None]


def made(number: int) -> Recorded:
    """A small sum in one of three languages."""
    words = ("What is {} plus {}?", "Was ist {} plus {}?", "¿Cuánto es {} más {}?")[number % 3]
    answer = f"The answer is {7 * number + 3}."
    question = words.format(7 * number, 3)
    return Recorded([{"role": "user", "content": question}], answer, "" if number % 10 == 7 else answer)


def available() -> Source:
    """Recorded pairs where the corpora are, else made ones; results say which."""
    return "recorded" if RUNS.is_dir() else "made"


def capture_of(pair: Recorded, stream: str, number: int, at: float, tag: int) -> Capture:
    """What a sidecar would have written of it."""
    *before, last = pair.messages
    messages = [*before, {**last, "content": f"{last['content']}\n\n[{tag}]"}]
    return Capture(
        f"{stream}-{number}", number, at, "POST", "/v1/chat/completions",
        {"content-type": "application/json"}, json.dumps({"model": "m", "messages": messages}).encode(),
        200, {"content-type": "application/json"}, _answer(pair.baseline), [(150_000, 1)], 200_000, "ok", 1.0, 0, 1,
    )  # fmt: skip


def _answer(text: str) -> bytes:
    words = max(1, len(text) // 4)
    body = {
        "id": "chatcmpl-1", "object": "chat.completion", "created": 1_790_000_000, "model": "m",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 100, "completion_tokens": words, "total_tokens": 100 + words},
    }  # fmt: skip
    return json.dumps(body).encode()


class Numbered(NamedTuple):
    """What is handed to the spool's writer."""

    pair: Recorded
    tag: int
    at: float
    size: int = 100


def fill(
    directory: Path, stream: str, source: Source, tags: Sequence[int], *, rate: float = float("inf")
) -> None:
    """Write one exchange per tag into a spool, as a live stream of at most `rate` per second."""
    known, written, lost = pairs(source), 0, 0

    def wrote(count: int) -> None:
        nonlocal written
        written += count

    def count_lost(_reason: str, count: int) -> None:
        nonlocal lost
        lost += count

    writer: Writer[Numbered] = Writer(
        directory, stream, KEY, LIMITS,
        render=lambda item, number: (capture_of(item.pair, stream, number, item.at, item.tag), None),
        account=lambda final: Counters(stream, time.time(), 0.0, 0, sampled=written, written=written, final=final),
        lost=count_lost, wrote=wrote,
    )  # fmt: skip
    writer.start()
    began = time.monotonic()
    for count, tag in enumerate(tags, 1):
        writer.queue.append(Numbered(known[tag % len(known)], tag, time.time()))
        if not count % BATCH:
            writer.wake()
        while count - written > AHEAD or count > rate * (time.monotonic() - began):
            time.sleep(0.01)
    while written < len(tags):
        time.sleep(0.01)
    writer.close()
    assert lost == 0, f"{lost} were not written"


class Candidate(asyncio.Protocol):
    """Answers by the number at the end of the question; other questions get the first answer."""

    def __init__(self, known: Sequence[bytes]) -> None:
        self._known, self._data = known, b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._data += data
        while (end := self._data.find(b"\r\n\r\n")) >= 0:
            head = self._data[:end].lower()
            _, named, rest = head.partition(b"content-length:")
            length = int(rest.split(b"\r\n", 1)[0]) if named else 0
            if len(self._data) < end + 4 + length:
                return
            body, self._data = self._data[end + 4 : end + 4 + length], self._data[end + 4 + length :]
            self._transport.write(self._respond(head.split(b" ", 2)[1], body))

    def _respond(self, path: bytes, body: bytes) -> bytes:
        if path == b"/v1/chat/completions":
            # the forwarded text and its escapes are JSON's: a newline is two characters
            tag = body.rpartition(b"\\n\\n[")[2].partition(b"]")[0]
            number = int(tag) if tag.isdigit() else 0  # a monitor's own question, asked to see what it can do
            return _http(b"200 OK", self._known[number % len(self._known)])
        if path == b"/v1/models":
            return _http(b"200 OK", b'{"data": [{"id": "m", "root": "recorded"}]}')
        return _http(b"404 Not Found", b"{}")


def _http(status: bytes, body: bytes) -> bytes:
    return b"HTTP/1.1 %b\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b" % (
        status,
        len(body),
        body,
    )


async def _serve(source: Source) -> None:
    known = [_answer(pair.candidate) for pair in pairs(source)]
    server = await asyncio.get_running_loop().create_server(lambda: Candidate(known), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


@contextmanager
def candidate(source: Source) -> Iterator[str]:
    """URL of the running candidate."""
    command = [sys.executable, "-m", "tests.benchmarks.exchanges", source]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        try:
            assert process.stdout is not None
            yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        finally:
            process.kill()


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        asyncio.run(_serve("recorded" if sys.argv[1] == "recorded" else "made"))
