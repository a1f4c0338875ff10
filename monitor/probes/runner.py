"""Asking: both arms, several axes at once, within a budget, resumable. I/O.

Every answer is one line of the log, so that a run that was cut off goes on where it stopped: placement
depends on the seed and on the answers alone, hence the same items are asked again in the same order.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, TextIO, TypeVar

from monitor.candidate import Ask, Leg, Refused
from monitor.errors import Unreachable, UsageError
from monitor.openai_api import parse_request
from monitor.probes import sensitivity
from monitor.probes.checkers import passes
from monitor.probes.families import FAMILIES
from monitor.probes.findings import (
    AxisRow,
    Fresh,
    Outcome,
    RateRow,
    Result,
    axis_row,
    corrected,
    fell_off,
    item_rows,
    looks_lost,
    rate_rows,
)
from monitor.probes.items import Axis, Item
from monitor.probes.load import LoadRow
from monitor.probes.loading import measure_load
from monitor.probes.pack import Pack
from monitor.probes.psychometric import Belief, Precision, Trial, done
from monitor.probes.sensitivity import FlipRow, PositionRow
from monitor.records import Completion
from monitor.scorers.confidence import confidence

_TRIES, _PAUSE_SECONDS = 6, 0.5
T = TypeVar("T")
Progress = Callable[[str, int], None]
"""Hears of every answer: what was asked and the calls so far."""


class Spent(Exception):  # noqa: N818  a planned end
    """The budget does not allow another call."""


@dataclass(slots=True)
class Budget:
    """Calls and tokens of one run, both arms together; None = no limit."""

    calls: int | None = None
    tokens: int | None = None
    used_calls: int = 0
    used_tokens: int = 0
    spent: bool = False

    def allows(self, calls: int) -> bool:
        """Count so many calls that make sense only together, or none of them."""
        over = self.calls is not None and self.used_calls + calls > self.calls
        if over or (self.tokens is not None and self.used_tokens >= self.tokens):
            self.spent = True
            return False
        self.used_calls += calls
        return True

    def take(self) -> None:
        """Count one call before it is made. Raises Spent."""
        if not self.allows(1):
            raise Spent


@dataclass(slots=True)
class Log:
    """Answers of an earlier, unfinished run by (arm, item), and the file that new ones go to."""

    known: dict[tuple[str, str], Outcome] = field(default_factory=dict)
    out: TextIO | None = None

    def keep(self, arm: str, outcome: Outcome) -> None:
        """One line; flushed, because the next moment may be the last."""
        self.known[arm, outcome.item] = outcome
        if self.out is not None:
            self.out.write(json.dumps({"arm": arm, **asdict(outcome)}) + "\n")
            self.out.flush()


@contextmanager
def resumed(path: Path | None, pack: Pack, seed: int) -> Iterator[Log]:
    """The log of `path`, open for more; one that is kept nowhere without a path.

    Raises UsageError where it belongs to another pack or seed, or to what the pack was before it was edited.
    """
    if path is None:
        yield Log()
        return
    head = {"pack": pack.name, "digest": pack.digest, "seed": seed}
    known: dict[tuple[str, str], Outcome] = {}
    text = path.read_text("utf-8") if path.exists() else ""
    lines = text.splitlines()
    if lines and _line(lines[0]) != head:
        raise UsageError(f"--resume {path}: belongs to {lines[0][:80]}, not to {json.dumps(head)}")
    for line in lines[1:]:
        value = _line(line)
        if value is not None:  # None: the last line of a run that was cut off
            arm = str(value.pop("arm"))
            known[arm, value["item"]] = Outcome(**value)
    with path.open("a", encoding="utf-8") as out:
        if not lines:
            out.write(json.dumps(head) + "\n")
        elif not text.endswith("\n"):
            out.write("\n")
        yield Log(known, out)


def _line(text: str) -> dict[str, Any] | None:
    try:
        value = json.loads(text)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


@dataclass(slots=True)
class Arm:
    """One server that is asked. `deadline`: seconds per answer."""

    leg: Leg
    model: str | None
    budget: Budget
    log: Log
    deadline: float
    progress: Progress

    async def outcome(self, item: Item, *, counted: bool = False, confident: bool = False) -> Outcome:
        """The answered item, from the log or from the server. Raises Spent and Unreachable."""
        known = self.log.known.get((self.leg.arm, item.id))
        if known is not None:
            return known
        answer = await self.answer(item.id, item.body, logprobs=confident)
        read = answer.input_tokens or 0
        found = Outcome(
            item.id,
            passes(item.check, answer),
            float(read) if counted and read else item.level,
            item.group,
            read + (answer.output_tokens or 0),
            answer.error_type,
            confidence(answer, _first_line(answer)).best if confident else None,
        )
        self.log.keep(self.leg.arm, found)
        self.progress(item.id, self.budget.used_calls)
        return found

    async def answer(self, id_: str, body: Mapping[str, Any], *, logprobs: bool = False) -> Completion:
        """The server's answer; a refusal for length is one, shedding is waited out."""
        self.budget.take()
        request = parse_request("chat", dict(body))
        ask = Ask(self.model, logprobs=logprobs)
        for attempt in range(_TRIES):
            try:
                answer, _ = await self.leg.send(request, id_.replace("/", "-"), self.deadline, ask)
            except Refused as refused:
                if refused.reason.endswith("context_length"):
                    return Completion(error_type="context_length", error_message=str(refused))
                if not refused.reason.endswith("shed"):
                    raise Unreachable(f"{self.leg.url}: {refused.reason}: {refused}") from refused
                await asyncio.sleep(_PAUSE_SECONDS * 2**attempt)
                continue
            self.budget.used_tokens += (answer.input_tokens or 0) + (answer.output_tokens or 0)
            return answer
        return Completion(error_type="shed", error_message="the server sheds load")


def _first_line(answer: Completion) -> str:
    return answer.text.strip().partition("\n")[0].strip()


async def opened(leg: Leg, model: str | None) -> str | None:
    """The model to ask for. Raises Unreachable where nothing answers."""
    identity = await leg.identity()
    if identity is None:
        raise Unreachable(f"{leg.url}: the {leg.arm} does not answer /v1/models")
    return model or identity.model


@dataclass(frozen=True, slots=True)
class Plan:
    """One run: what is asked and of whom. `seed` chooses the items."""

    pack: Pack
    seed: int = 0
    exchanges: tuple[Mapping[str, Any], ...] = ()
    """Recorded chat requests whose answers must not depend on their wording; asked of the candidate alone."""
    arrivals: tuple[float, ...] = ()
    """Seconds of a trace whose gaps the load takes; Poisson without one."""


async def measure(
    arm: Arm, axis: Axis, wanted: Precision, seed: int, *, known: Belief | None = None, least: int = 0
) -> Belief:
    """One axis on one arm, one call after the other: each level depends on the answers before.

    Goes on from what is `known`, until it suffices and there were `least` calls. What is known when the budget
    is spent is returned; the precision shows in its interval.
    """
    belief = known or Belief(axis.scale)
    while len(belief.trials) < least or not done(belief, wanted):
        level = belief.next_level()
        try:
            outcome = await arm.outcome(axis.item(level, seed, len(belief.trials)), counted=axis.counted)
        except Spent:
            break
        belief = belief.after(Trial(outcome.level, outcome.passed), asked=level)
    return belief


async def _asked(
    items: Sequence[Item], candidate: Arm, baseline: Arm | None, *, confident: bool = False
) -> tuple[list[Outcome], list[Outcome] | None]:
    """Outcomes of both arms on the items that the budget allowed.

    By item, not by arm: where the budget ends, both have answered the same ones.
    """
    arms = [arm for arm in (candidate, baseline) if arm is not None]
    asking = [arm.outcome(item, confident=confident) for item in items for arm in arms]
    found = await asyncio.gather(*asking, return_exceptions=True)
    for outcome in found:
        if isinstance(outcome, BaseException) and not isinstance(outcome, Spent):
            raise outcome
    own, *before = (
        [outcome for outcome in found[place :: len(arms)] if isinstance(outcome, Outcome)]
        for place in range(len(arms))
    )
    return own, before[0] if before else None


async def run(plan: Plan, candidate: Arm, baseline: Arm | None) -> Result:
    """The whole pack on both arms. What the budget did not allow is a note, not an error. Raises Unreachable."""
    pack, used = plan.pack, candidate.budget
    calls, tokens = used.used_calls, used.used_tokens
    axes, rates, own = await asyncio.gather(
        asyncio.gather(*(_axis(plan, pack.axis(name), candidate, baseline) for name in pack.axes)),
        asyncio.gather(*(_family(plan, name, candidate, baseline) for name in pack.families)),
        _asked(pack.items, candidate, baseline),
    )
    axis_rows, rate_rows_ = corrected(axes, [row for rows in rates for row in rows])
    flips, position = await _sensitivity(plan, candidate)
    load = await _load(plan, [arm for arm in (candidate, baseline) if arm is not None])
    notes = (f"the budget was spent after {used.used_calls} calls",) if used.spent else ()
    return Result(
        pack.name,
        plan.seed,
        axes=axis_rows,
        rates=rate_rows_,
        items=item_rows(*own) if pack.items else (),
        flips=flips,
        position=position,
        load=load,
        calls=used.used_calls - calls,
        tokens=used.used_tokens - tokens,
        notes=notes,
    )


async def _load(plan: Plan, arms: Sequence[Arm]) -> tuple[LoadRow, ...]:
    if plan.pack.load is None or not arms[0].budget.allows(plan.pack.load.calls(len(arms))):
        return ()
    legs = [(arm.leg, arm.model) for arm in arms]
    return await measure_load(legs, plan.pack.load, plan.seed, plan.arrivals, arms[0].deadline)


async def _sensitivity(plan: Plan, candidate: Arm) -> tuple[tuple[FlipRow, ...], PositionRow | None]:
    """The candidate's own answers against each other; what the budget cut off is left out."""
    if not plan.pack.sensitivity and not plan.exchanges:
        return (), None
    asked = sensitivity.choices(plan.pack.sensitivity or 0, plan.seed)
    turns = await asyncio.gather(*(_turned(candidate, choice, number) for number, choice in enumerate(asked)))
    bodies = [(choice.segment, choice.turned(0).body) for choice in asked]
    bodies += [("recorded", body) for body in plan.exchanges]
    rows = await asyncio.gather(
        *(_changed(candidate, body, f"sensitivity/{number}") for number, (_, body) in enumerate(bodies))
    )
    segments = [segment for segment, _ in bodies]
    return sensitivity.corrected(list(sensitivity.flip_rows(segments, rows)), sensitivity.position_row(turns))


async def _turned(arm: Arm, choice: sensitivity.Choice, number: int) -> list[int | None]:
    """The place chosen at each turn of the options."""
    items = [choice.turned(places) for places in range(sensitivity.OPTIONS)]
    names = [f"turned/{number}/{places}" for places in range(sensitivity.OPTIONS)]
    answers = await asyncio.gather(
        *(_or_none(arm, name, item.body) for name, item in zip(names, items, strict=True))
    )
    return [
        None if given is None else sensitivity.letter(item, given)
        for item, given in zip(items, answers, strict=True)
    ]


async def _changed(arm: Arm, body: Mapping[str, Any], name: str) -> dict[str, bool | None]:
    """Per change, and for `repeat`, whether the answer flipped; None where there is nothing to compare."""
    changed = {change: make(body) for change, make in sensitivity.CHANGES.items()}
    asked = {"": body, sensitivity.REPEAT: body, **{k: v for k, v in changed.items() if v is not None}}
    answers = await asyncio.gather(*(_or_none(arm, f"{name}/{key}", value) for key, value in asked.items()))
    first, *rest = answers
    if first is None:
        return {}
    return {
        key: None if given is None else sensitivity.flipped(body, first, given)
        for key, given in zip(list(asked)[1:], rest, strict=True)
    }


async def _or_none(arm: Arm, name: str, body: Mapping[str, Any]) -> Completion | None:
    try:
        answer = await arm.answer(name, body)
    except Spent:
        return None
    arm.progress(name, arm.budget.used_calls)
    return answer


async def _both(
    ask: Callable[..., Awaitable[T]], candidate: Arm, baseline: Arm | None, *arguments: Any
) -> tuple[T, T | None]:
    """The same of both arms at once."""
    if baseline is None:
        return await ask(candidate, *arguments), None
    own, before = await asyncio.gather(ask(candidate, *arguments), ask(baseline, *arguments))
    return own, before


async def _axis(plan: Plan, axis: Axis, candidate: Arm, baseline: Arm | None) -> AxisRow:
    wanted = plan.pack.precision
    own, before = await _both(measure, candidate, baseline, axis, wanted, plan.seed)
    if baseline is None or before is None:
        return axis_row(axis, wanted, own, None, floor=plan.pack.floor)
    reference = before
    if looks_lost(reference, own, wanted):
        # A few calls show where each arm ends, and not yet that one ends before the other: the rest is spent.
        # The p-value is a posterior's, which no rule of stopping biases.
        own, reference = await asyncio.gather(
            measure(candidate, axis, wanted, plan.seed, known=own, least=wanted.calls),
            measure(baseline, axis, wanted, plan.seed, known=reference, least=wanted.calls),
        )
    fresh = await _fresh(plan, axis, candidate, baseline) if fell_off(reference, own, wanted) else None
    return axis_row(axis, wanted, own, reference, floor=plan.pack.floor, fresh=fresh)


async def _fresh(plan: Plan, axis: Axis, candidate: Arm, baseline: Arm) -> Fresh:
    """Both arms on the same items at the easiest level, none of which was asked before."""
    easiest = axis.scale.levels[0]
    placed = [axis.item(easiest, plan.seed, number) for number in range(plan.pack.calls)]
    answered = {item for _, item in candidate.log.known}
    seen = {item.prompt for item in placed if item.id in answered}
    items = axis.fresh(plan.seed, plan.pack.fresh, seen)
    own, before = await _asked(items, candidate, baseline)
    return Fresh(easiest, len(items), own, before or ())


async def _family(plan: Plan, name: str, candidate: Arm, baseline: Arm | None) -> tuple[RateRow, ...]:
    family = FAMILIES[name]
    items = family.items(plan.pack.families[name], plan.seed)
    return rate_rows(name, *await _asked(items, candidate, baseline, confident=family.confident))


async def probe(
    plan: Plan,
    candidate: Leg,
    baseline: Leg | None,
    *,
    models: tuple[str | None, str | None],
    budget: Budget,
    log: Log,
    deadline: float,
    progress: Progress,
) -> Result:
    """Open both legs, ask, close. Raises Unreachable where a server does not answer at all."""
    async with AsyncExitStack() as stack:
        arms: list[Arm | None] = []
        for leg, model in zip((candidate, baseline), models, strict=True):
            if leg is None:
                arms.append(None)
                continue
            await stack.enter_async_context(leg)
            arms.append(Arm(leg, await opened(leg, model), budget, log, deadline, progress))
        assert arms[0] is not None  # noqa: S101  the candidate is not optional
        return await run(plan, arms[0], arms[1])
