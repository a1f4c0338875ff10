"""The nouns. Frozen, slotted values; no behaviour beyond properties, no I/O, no clock.

`Exchange` (a request and the baseline's answer) grows into a `Pair` (plus the candidate's answer
and, on a share, the replay's), which scorers turn into `Score`s. Field names follow the
OpenTelemetry GenAI conventions without their prefix where one exists.

Units: times are UNIX seconds, durations are seconds, logprobs are natural logarithms.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal, NewType

Arm = Literal["baseline", "candidate", "replay"]
Operation = Literal["chat", "text_completion", "responses"]
State = Literal["ok", "diverged", "inconclusive"]
Kind = Literal["directional", "agreement", "confidence", "latency"]

Segment = NewType("Segment", str)
"""A slice of traffic written `dimension=value`, a cross `a=x,b=y`, or `all`."""

ALL = Segment("all")
_EMPTY: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class ToolCall:
    """One function call that a model asked for; `arguments` is the JSON text as sent."""

    name: str
    arguments: str
    id: str = ""


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of the request; `text` joins the text parts, other parts are listed by kind."""

    role: str
    text: str
    other_parts: tuple[str, ...] = ()
    tool_calls: tuple[ToolCall, ...] = ()


@dataclass(frozen=True, slots=True)
class Gaps:
    """Inter-token times of one stream: how many, and their mean, p50, p99 and largest, seconds."""

    count: int
    mean: float
    p50: float
    p99: float
    largest: float


@dataclass(frozen=True, slots=True)
class Completion:
    """One model's answer, or how it failed (`error_type`; then `text` is what arrived before).

    `error_type` is low-cardinality: `timeout`, `connect`, `reset`, `http_4xx`, `http_500`,
    `shed` (503 admission rejection), `context_length`, `bad_body`, `truncated_stream`, ...
    """

    text: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    finish_reason: str | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    cached_tokens: int | None = None
    duration_seconds: float | None = None
    time_to_first_token_seconds: float | None = None
    gaps: Gaps | None = None
    # Reported by the server itself (vLLM --enable-per-request-metrics), free of our clock.
    server_time_to_first_token_seconds: float | None = None
    server_duration_seconds: float | None = None
    server_queue_seconds: float | None = None
    logprobs: tuple[float, ...] = ()
    tokens: tuple[str, ...] = ()
    token_ids: tuple[int, ...] = ()
    prompt_token_ids: tuple[int, ...] = ()
    model: str | None = None
    system_fingerprint: str | None = None
    response_id: str | None = None
    status: int | None = None
    error_type: str | None = None
    error_message: str = ""
    in_flight: int | None = None
    """Requests on the same leg when this one was sent (load, both legs)."""


@dataclass(frozen=True, slots=True)
class Request:
    """The request as sent. `body` is the parsed JSON; treat it as read-only."""

    operation: Operation
    body: Mapping[str, Any]
    messages: tuple[Message, ...]
    model: str | None = None
    stream: bool = False

    @property
    def system(self) -> str:
        """Text of the system and developer messages."""
        return "\n".join(m.text for m in self.messages if m.role in {"system", "developer"})

    @property
    def prompt(self) -> str:
        """Text of the last user message (for completions: the prompt)."""
        for message in reversed(self.messages):
            if message.role == "user":
                return message.text
        return ""

    @property
    def greedy(self) -> bool:
        """Whether sampling is switched off, so that equal answers may be expected."""
        return self.body.get("temperature") == 0


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request with the baseline's answer.

    `dims` are the declared segments known from outside (headers, recorded files); built-in ones
    are computed. `inclusion_probability` is the chance with which this exchange was mirrored.
    """

    id: str
    received_at: float
    request: Request
    baseline: Completion
    dims: Mapping[str, str] = field(default_factory=lambda: _EMPTY)
    headers: Mapping[str, str] = field(default_factory=lambda: _EMPTY)
    session: str | None = None
    subject: str | None = None
    inclusion_probability: float = 1.0
    collector: str = "jsonl"
    path: str = ""


@dataclass(frozen=True, slots=True)
class Forced:
    """The candidate's view of an answer that another arm wrote (teacher forcing, one prefill).

    Per token of the scored answer: mean signed and mean absolute drop against the sampling arm's
    own logprobs (nats/token), the largest drop with its position, top-1 agreement and mean nll.
    `drop_*` are None where the sampling arm's logprobs are unknown. `prefilled` counts the prompt's
    tokens too: what the candidate computed. `bits_per_byte` compares candidates whose tokenizers differ.
    """

    tokens: int
    top1: float
    nll: float
    drop_mean: float | None = None
    drop_absolute: float | None = None
    drop_largest: float | None = None
    drop_position: int | None = None
    of: Arm = "baseline"
    prefilled: int = 0
    bits_per_byte: float | None = None
    engine_seconds: float | None = None
    """What this prefill took in the candidate's engine, where it reports that (`--enable-per-request-metrics`)."""


@dataclass(frozen=True, slots=True)
class Label:
    """Delayed truth about one exchange, from outside."""

    baseline_correct: bool | None = None
    candidate_correct: bool | None = None


@dataclass(frozen=True, slots=True)
class Pair:
    """An exchange plus the candidate's answer, plus the replay's where there is one.

    `generated` is False where the candidate only scored another arm's answer (`candidate.mode: forced`):
    `candidate` is then empty, and signals about its answer do not apply.
    """

    exchange: Exchange
    candidate: Completion
    replay: Completion | None = None
    label: Label | None = None
    forced: Forced | None = None
    forced_replay: Forced | None = None
    generated: bool = True

    @property
    def id(self) -> str:
        return self.exchange.id

    @property
    def request(self) -> Request:
        return self.exchange.request

    @property
    def baseline(self) -> Completion:
        return self.exchange.baseline


@dataclass(frozen=True, slots=True)
class Score:
    """One signal's answer about one pair.

    `value` is in [0, 1], 1 = bad. `baseline` and `candidate` are the measurement per arm where one
    exists (1.0 = that arm shows the fault). `label` is a short low-cardinality reason, e.g.
    `lost_json`; `explanation` is one line for people and quotes no more than a few words.
    """

    signal: str
    value: float
    label: str = ""
    explanation: str = ""
    baseline: float | None = None
    candidate: float | None = None


@dataclass(frozen=True, slots=True)
class Evidence:
    """State of one (segment, signal) detector as people see it; alarm at `wealth` >= 1."""

    segment: Segment
    signal: str
    wealth: float
    firing: bool
    pairs: int
    since: float


@dataclass(frozen=True, slots=True)
class SegmentVerdict:
    """One row of the verdict (DESIGN 6, verdict JSON). Rates are in [0, 1]."""

    segment: Segment
    signal: str
    kind: Kind
    verdict: State
    pairs: int
    pairs_needed: int | None = None
    baseline: float | None = None
    candidate: float | None = None
    noise_floor: float | None = None
    effect: float | None = None
    lower: float | None = None
    upper: float | None = None
    evidence: float | None = None
    p_value: float | None = None
    explained_by: str | None = None
    examples: tuple[str, ...] = ()
    level: str = "page"


@dataclass(frozen=True, slots=True)
class Funnel:
    """Where every eligible request ended: `eligible == scored + sum(skipped) + pending`.

    `excluded` was never eligible: other endpoints, marked or no-log requests.
    """

    eligible: int = 0
    sampled: int = 0
    sent: int = 0
    completed: int = 0
    comparable: int = 0
    scored: int = 0
    pending: int = 0
    skipped: Mapping[str, int] = field(default_factory=lambda: _EMPTY)
    excluded: Mapping[str, int] = field(default_factory=lambda: _EMPTY)


@dataclass(frozen=True, slots=True)
class Verdict:
    """The route's verdict with its rows, worst unexplained divergence first."""

    verdict: State
    route: str
    pairs: int
    since: float | None
    config_hash: str
    segments: tuple[SegmentVerdict, ...]
    funnel: Funnel
    warnings: tuple[str, ...] = ()
    capabilities: Mapping[str, Mapping[str, bool | None]] = field(default_factory=lambda: _EMPTY)
    """What each live server can do, by arm (capabilities.py); None = not known, empty = nobody was asked."""


Scorer = Callable[[Pair], Score | None]
"""Pure. None = the signal does not apply to this pair. The reference x0 of the noise floor is the
same scorer on the pair with the replay in the candidate's place."""

Segmenter = Callable[[Exchange], Mapping[str, str]]
"""Pure; decided from the request alone, never from an answer."""


def spoken(header: str) -> str:
    """What was meant by a header's value that was decoded byte by byte, as HTTP has it (RFC 9110, 5.5).

    Clients send UTF-8: `JosÃ©` is José. What is no UTF-8 is what it is, and so is what was never a header.
    """
    try:
        return header.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return header
