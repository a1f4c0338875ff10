"""Scores as OpenTelemetry events: what one holds, and that a receiver that is away costs nothing but a count."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import replace

from monitor.config import Config
from monitor.evaluations import _QUEUED, Evaluations, events
from monitor.judging import Judging
from monitor.ledger import Kept, Keys
from monitor.pairing import Paired
from monitor.records import Completion, Exchange, Message, Pair, Request

TRACE, SPAN = "ab" * 16, "cd" * 8
EXCHANGE = Exchange(
    "e1",
    100.0,
    Request("chat", {"temperature": 0}, (Message("user", "What is 2 + 2?"),)),
    Completion(text="4", response_id="chatcmpl-1", finish_reason="stop"),
    headers={"traceparent": f"00-{TRACE}-{SPAN}-01"},
)


def kept() -> Kept:
    pair = Pair(EXCHANGE, Completion(text="5", model="new", finish_reason="stop"))
    outcome = Judging(Config(), Keys(b"k" * 32)).judge(Paired(EXCHANGE, pair))
    assert outcome.kept is not None
    return outcome.kept


def test_an_event_names_score_span_and_response() -> None:
    found = {
        next(a["value"]["stringValue"] for a in e["attributes"] if a["key"] == "gen_ai.evaluation.name"): e
        for e in events(EXCHANGE, kept(), 200.0)
    }
    event = found["answer"]
    values = {each["key"]: next(iter(each["value"].values())) for each in event["attributes"]}
    assert (event["traceId"], event["spanId"], event["timeUnixNano"]) == (TRACE, SPAN, "100000000000")
    assert (values["gen_ai.evaluation.score.value"], values["gen_ai.response.id"]) == (1.0, "chatcmpl-1")
    assert (values["tailgate.candidate.model"], values["tailgate.segment.task"]) == ("new", "math")
    assert "gen_ai.evaluation.explanation" not in values  # store.text is none


def test_without_a_trace_there_is_no_span() -> None:
    bare = replace(EXCHANGE, headers={})
    assert all("spanId" not in event for event in events(bare, kept(), 0.0))


def test_a_receiver_that_is_away_costs_a_count_and_no_memory() -> None:
    scored, each = kept(), len(list(events(EXCHANGE, kept(), 0.0)))
    fitting, over = _QUEUED // each, 3
    counted: Counter[str] = Counter()
    done = asyncio.Event()

    def count(result: str, number: int) -> None:
        counted[result] += number
        if counted.total() == (fitting + over) * each:
            done.set()

    sender = Evaluations("http://127.0.0.1:9", "r", token=None, count=count)
    for _ in range(fitting + over):
        sender.offer(EXCHANGE, scored)

    async def until_counted() -> None:
        task = asyncio.create_task(sender.run())
        await asyncio.wait_for(done.wait(), 60)
        task.cancel()

    asyncio.run(until_counted())
    assert counted == {"queue_full": over * each, "unreachable": fitting * each}
