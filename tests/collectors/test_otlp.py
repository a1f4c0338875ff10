"""Real OpenTelemetry SDK exporters into a real `tailgate collect`, over gRPC and HTTP."""

from __future__ import annotations

import gzip
import json
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import grpc
import httpx
import pytest
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcExporter
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as HttpExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from tests.collectors.collecting import Collecting, collecting

SPANS = 10_000
BATCH = 512
BOTH = ("collect.otlp.grpc=127.0.0.1:0", "collect.otlp.http=127.0.0.1:0", "sidecar.max_body_bytes=100000")


@pytest.fixture
def collector(tmp_path: Path) -> Iterator[Collecting]:
    with collecting(
        tmp_path, *BOTH, "segments.tenant.header=service.name", "privacy.subject=user.id"
    ) as running:
        yield running


def spans(count: int) -> Sequence[ReadableSpan]:
    """GenAI spans, one in ten of another kind: database call, tool, embedding, no messages."""
    memory = InMemorySpanExporter()
    provider = TracerProvider(resource=Resource.create({"service.name": "shop"}))
    provider.add_span_processor(SimpleSpanProcessor(memory))
    tracer = provider.get_tracer("test")
    for number in range(count):
        with tracer.start_as_current_span("chat m") as span:
            span.set_attributes(attributes(number))
    return memory.get_finished_spans()


def attributes(number: int) -> dict[str, str | int | float]:
    match number % 40:
        case 0:
            return {"db.system": "postgresql"}
        case 10:
            return {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "t"}
        case 20:
            return {"gen_ai.operation.name": "embeddings"}
        case 30:
            return {"gen_ai.operation.name": "chat", "gen_ai.request.model": "m"}
    asked = [{"role": "user", "parts": [{"type": "text", "content": f"What is {number} + 1?"}]}]
    parts = [{"type": "text", "content": str(number + 1)}]
    return {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "m",
        "gen_ai.request.temperature": 0.0,
        "gen_ai.input.messages": json.dumps(asked),
        "gen_ai.output.messages": json.dumps(
            [{"role": "assistant", "parts": parts, "finish_reason": "stop"}]
        ),
        "gen_ai.usage.output_tokens": 3,
        "gen_ai.response.time_to_first_chunk": 0.25,
        "user.id": f"u{number}",
    }


def export(exporter: SpanExporter, sent: Sequence[ReadableSpan]) -> None:
    for start in range(0, len(sent), BATCH):
        assert exporter.export(sent[start : start + BATCH]) is SpanExportResult.SUCCESS
    exporter.shutdown()


def over_grpc(collector: Collecting) -> SpanExporter:
    return GrpcExporter(collector.ready["otlp_grpc"], insecure=True, compression=grpc.Compression.Gzip)


def over_http(collector: Collecting) -> SpanExporter:
    return HttpExporter(f"http://{collector.ready['otlp_http']}/v1/traces", compression=Compression.Gzip)


@pytest.mark.slow
def test_ten_thousand_spans_become_ten_thousand_exchanges_or_counted_skips(collector: Collecting) -> None:
    sent = spans(SPANS)
    export(over_grpc(collector), sent[: SPANS // 2])
    export(over_http(collector), sent[SPANS // 2 :])
    funnel = collector.settled(SPANS)
    assert funnel["excluded"] == {"not_genai": SPANS // 40, "not_an_exchange": SPANS // 20}
    assert funnel["dropped"] == {"no_content": SPANS // 40}
    exchanges = collector.exchanges(subject="user.id")
    assert len(exchanges) == SPANS * 9 // 10
    assert len({exchange.id for exchange in exchanges}) == len(exchanges)
    assert {e.request.prompt: e.baseline.text for e in exchanges}["What is 7 + 1?"] == "8"
    assert Counter(e.headers["service.name"] for e in exchanges) == {"shop": len(exchanges)}


@pytest.mark.parametrize("exporter", [over_grpc, over_http])
def test_a_span_says_what_the_sidecar_would_have_seen(collector: Collecting, exporter: object) -> None:
    export(exporter(collector), spans(2)[1:])  # type: ignore[operator]
    collector.settled(1)
    (exchange,) = collector.exchanges(subject="user.id")
    assert exchange.request.body["temperature"] == 0.0
    assert (exchange.baseline.finish_reason, exchange.baseline.output_tokens) == ("stop", 3)
    assert exchange.baseline.time_to_first_token_seconds == pytest.approx(0.25)
    assert (exchange.collector, exchange.subject) == ("otlp", "u1")
    assert abs(exchange.received_at - time.time()) < 60


def trace(span: Mapping[str, object]) -> dict[str, object]:
    return {"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}


def test_json_keeps_its_ids_in_hex(collector: Collecting) -> None:
    text = json.dumps([{"role": "user", "parts": [{"type": "text", "content": "hi"}]}])
    values = {"gen_ai.operation.name": "chat", "gen_ai.input.messages": text, "gen_ai.output.messages": text}
    span = {
        "traceId": "0AF7651916CD43DD8448EB211C80319C", "spanId": "b7ad6b7169203331",
        "startTimeUnixNano": str(time.time_ns()), "endTimeUnixNano": str(time.time_ns()),
        "attributes": [{"key": key, "value": {"stringValue": value}} for key, value in values.items()],
    }  # fmt: skip
    url = f"http://{collector.ready['otlp_http']}/v1/traces"
    assert httpx.post(url, json=trace(span)).json() == {}
    collector.settled(1)
    assert collector.exchanges()[0].id == "0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331"


UNREADABLE: tuple[tuple[dict[str, str], bytes, int], ...] = (
    ({"content-encoding": "gzip"}, gzip.compress(bytes(64 << 20)), 413),
    ({}, bytes(5 << 20), 413),
    ({"content-encoding": "gzip"}, gzip.compress(b"x" * 1000)[:-9], 400),
    ({"content-encoding": "br"}, b"x", 400),
    ({}, b"\xff\xff\xff", 400),
    ({"content-type": "application/json"}, b'{"resourceSpans": 7}', 400),
    ({"content-type": "text/plain"}, b"", 415),
)


def test_what_cannot_be_read_is_refused_and_counted(collector: Collecting) -> None:
    url = f"http://{collector.ready['otlp_http']}/v1/traces"
    for headers, body, status in UNREADABLE:
        given = {"content-type": "application/x-protobuf", **headers}
        assert httpx.post(url, content=body, headers=given).status_code == status
    assert collector.funnel()["dropped"] == {"too_large": 2, "unreadable": 4}


def test_a_decompression_bomb_over_grpc_stays_outside(collector: Collecting) -> None:
    with grpc.insecure_channel(collector.ready["otlp_grpc"]) as channel:
        call = channel.unary_unary("/opentelemetry.proto.collector.trace.v1.TraceService/Export")
        with pytest.raises(grpc.RpcError) as refused:
            call(bytes(64 << 20), compression=grpc.Compression.Gzip, timeout=20)
        assert refused.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


def test_beyond_loopback_a_token_is_needed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLLECT_TOKEN", "s3cret")
    with collecting(tmp_path, *BOTH, "collect.token_env=COLLECT_TOKEN") as running:
        url = f"http://{running.ready['otlp_http']}/v1/traces"
        given = {"content-type": "application/x-protobuf"}
        assert httpx.post(url, headers=given).status_code == 401
        assert httpx.post(url, headers=given | {"authorization": "Bearer s3cret"}).status_code == 200
        exporter = GrpcExporter(
            running.ready["otlp_grpc"], insecure=True, headers={"authorization": "Bearer s3cret"}
        )
        export(exporter, spans(2))
        assert running.settled(2)["written"] == 1
