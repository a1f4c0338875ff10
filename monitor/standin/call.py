"""One answer on its way out: timing, and the transport faults. I/O."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from monitor.records import Operation
from monitor.standin import asgi, bodies, limits, responses, tokens
from monitor.standin.gauges import Gauges
from monitor.standin.generation import Generation
from monitor.standin.settings import Settings

_HANG_SECONDS = 3600.0
_DRIBBLE_SECONDS = 1.0
_SLOW = 4.0
_TAIL_SHARE = 1 / 30


async def refuse(wire: asgi.Wire, refused: limits.Refusal) -> None:
    """Send an error object."""
    status, kind, message, param = refused
    await wire.answer(status, asgi.encode(bodies.error(status, kind, message, param)))


@dataclass(slots=True)
class Call:
    """`queued`: seconds that the request waited for its place in the batch."""

    settings: Settings
    gauges: Gauges
    generation: Generation
    stamp: bodies.Stamp
    wire: asgi.Wire
    queued: float
    _first: float = field(init=False)
    _token: float = field(init=False)

    def __post_init__(self) -> None:
        self._first, self._token = self._speed()
        self.stamp = replace(self.stamp, metrics=self._metrics())

    def _speed(self) -> tuple[float, float]:
        """Seconds to the first token and per token, for this request under the present load."""
        settings = self.settings
        spread = 1.0 + settings.latency.jitter * (2.0 * tokens.unit("jitter", self.stamp.id) - 1.0)
        load = 1.0 + self.gauges.running / settings.slots
        slow = _SLOW if self.generation.transport == "slow" else 1.0
        factor = spread * load * slow * self._tail()
        token = (
            _DRIBBLE_SECONDS if self.generation.transport == "dribble" else settings.latency.token * factor
        )
        return settings.latency.first * factor, token

    def _tail(self) -> float:
        """How much longer this request takes because too many run."""
        latency = self.settings.latency
        late = self.gauges.running > latency.above and tokens.unit("tail", self.stamp.id) < _TAIL_SHARE
        return latency.tail if late else 1.0

    def _metrics(self) -> dict[str, Any]:
        """vLLM --enable-per-request-metrics; time to first token leaves the queue out."""
        made = self.generation.output_tokens
        decode = self._token * max(made - 1, 0)
        total = self._first + decode
        return {
            "time_to_first_token_ms": self._first * 1000,
            "generation_time_ms": decode * 1000,
            "queue_time_ms": self.queued * 1000,
            "mean_itl_ms": self._token * 1000 if made > 1 else None,
            "tokens_per_second": made / total if total else None,
        }

    async def run(self) -> None:
        """Send the answer, or what the planted transport fault makes of it."""
        transport = self.generation.transport
        if transport == "hang":
            await asyncio.sleep(_HANG_SECONDS)
        if transport == "error":
            return await refuse(self.wire, (500, "InternalServerError", "engine failure", None))
        if transport == "shed":
            self.gauges.rejected += 1
            return await refuse(self.wire, limits.BUSY)
        if self.generation.request.stream:
            await self._stream()
        else:
            await self._whole()
        return self._count()

    def _count(self) -> None:
        gauges = self.gauges
        gauges.prompt_tokens += len(self.generation.prompt_ids)
        gauges.generation_tokens += self.generation.output_tokens
        gauges.cached_tokens += self.stamp.cached
        for choice in self.generation.choices:
            gauges.finished["length" if choice.answer.finish_reason == "length" else "stop"] += 1

    async def _whole(self) -> None:
        await asyncio.sleep(self._first + self._token * self.generation.output_tokens)
        operation = self.generation.request.operation
        body = asgi.encode(_WHOLE[operation](self.generation, self.stamp))
        await self.wire.start(200, asgi.JSON, (b"content-length", str(len(body)).encode()))
        if self.generation.transport in {"crash", "cut"}:
            await self.wire.piece(body[: len(body) // 2])
            raise asgi.Torn
        await self.wire.piece(body, more=False)

    async def _stream(self) -> None:
        await asyncio.sleep(self._first)
        await self.wire.start(200, asgi.EVENTS)
        torn = self.generation.transport in {"crash", "cut"}
        left = self.generation.output_tokens // 2 if torn else self.generation.output_tokens + 1
        named = self.generation.request.operation == "responses"
        for count, chunk in self._chunks():
            await self.wire.piece(asgi.event(chunk, named=named))
            left -= count
            if left <= 0 and torn:
                return await self._tear()
            await asyncio.sleep(self._token * count)
        await self._end()
        return None

    def _chunks(self) -> Iterator[tuple[int, dict[str, Any]]]:
        responses_api = self.generation.request.operation == "responses"
        make = responses.events if responses_api else bodies.chunks
        return make(self.generation, self.stamp, self.settings.stream_interval)

    async def _tear(self) -> None:
        """A crash breaks the connection; a cut stream ends politely, just without its end."""
        if self.generation.transport == "crash":
            raise asgi.Torn
        await self.wire.piece(b"", more=False)

    async def _end(self) -> None:
        request = self.generation.request
        if request.operation == "responses":
            return await self.wire.piece(b"", more=False)
        options = request.body.get("stream_options")
        if isinstance(options, dict) and options.get("include_usage"):
            last = bodies.last_chunk(self.generation, self.stamp)
            await self.wire.piece(asgi.event(last, named=False))
        return await self.wire.piece(b"data: [DONE]\n\n", more=False)


_WHOLE: Mapping[Operation, Callable[[Generation, bodies.Stamp], dict[str, Any]]] = {
    "chat": bodies.chat,
    "text_completion": bodies.text_completion,
    "responses": responses.response,
}
