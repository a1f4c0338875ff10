"""The cliff benchmark's result as Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from tests.benchmarks import markdown

Json = Mapping[str, Any]


def report(found: Json) -> str:
    """One page: expectations, verdicts, pairs and tokens per decision, then a table per candidate."""
    parts = [_head(found), _checks(found), _verdicts(found), _alarms(found), *_groups(found)]
    return "\n\n".join(parts) + "\n"


def _head(found: Json) -> str:
    own = found["baseline"]
    missing = f" Not run: {', '.join(found['missing'])}." if found["missing"] else ""
    if found["per_group"] < found["asked_for"]:
        missing += f" The full run has {found['asked_for']} in each group; the machine was shared and slow."
    return (
        "# A real quantization cliff\n\n"
        f"{found['model']} in float32 against its own weights, rounded; {_served(found['server'])}. {found['requests']} "
        f"requests, {found['per_group']} in each group, through sidecar and monitor (`candidate.mode: both`). "
        f"{own['identical_replays']:.0%} of the baseline's replays are identical to its answers; on average "
        f"{own['prompt_tokens']:.0f} tokens asked and {own['answer_tokens']:.0f} answered.{missing}{_chosen(found)}"
    )


def _served(server: Mapping[str, str]) -> str:
    driver = f", driver {server['driver']}" if "driver" in server else ""
    return f"vLLM {server['vllm']} with torch {server['torch']} on one {server['device']}{driver}"


def _chosen(found: Json) -> str:
    """How requests were chosen, where they were."""
    more = {group: n for group, n in found["looked_at"].items() if n > found["per_group"]}
    if not more:
        return ""
    return (
        '\n\nA signal that says "worse" can only speak where the baseline is good. Requests of some groups were '
        "therefore taken in a fixed order until enough had a *baseline* answer that the group's own signal can judge "
        "and finds no fault in; no candidate's answer was looked at. Looked at: "
        + ", ".join(f"{group} {n}" for group, n in more.items())
        + "."
    )


def _checks(found: Json) -> str:
    rows = [("yes" if c["holds"] else "**no**", c["what"], c["detail"]) for c in found["checks"]]
    return "## Expected\n\n" + markdown.table(("holds", "what", "diverged rows"), rows)


def _verdicts(found: Json) -> str:
    rows = [
        (
            name,
            each["verdict"]["verdict"],
            _range(each["all"]["drop"]),
            each["all"]["top1"],
            each["all"]["identical"],
            each["all"]["agreement"],
            _worst(each),
        )
        for name, each in found["candidates"].items()
    ]
    head = (
        "candidate",
        "verdict",
        "mean abs. drop [95 %]",
        "top-1",
        "identical texts",
        "answers agree",
        "worst group",
    )
    note = (
        "Drop in nats per token; p: a permutation test of whether the groups' mean drops differ at all. "
        f"Signal `forced_drop` allows {found['allowed_drop']:g}: "
        + ", ".join(f"{name} lies {_place(each, found['allowed_drop'])}" for name, each in found["candidates"].items())
        + "."
    )  # fmt: skip
    return f"## Candidates\n\n{markdown.table(head, rows)}\n\n{note}"


def _place(each: Json, allowed: float) -> str:
    """Where a mean drop lies against the allowed one, by its interval."""
    drop = each["all"]["drop"]
    return "below" if drop["high"] < allowed else "above" if drop["low"] > allowed else "at it"


def _worst(each: Json) -> str | None:
    """The group with the largest mean drop; nothing where all drops are rounding errors."""
    if not each["spread"] or each["all"]["drop"]["mean"] < 0.001:
        return None
    return f"{each['spread']['worst']} (p = {each['spread']['p']:.2g})"


def _alarms(found: Json) -> str:
    rows = []
    for name, each in found["candidates"].items():
        alarms, cost = each["alarms"], each["alarms"]["tokens"]
        rows.append(
            (
                name,
                _pairs(alarms["forced"], alarms["longest"]),
                _pairs(alarms["generate"], alarms["longest"]),
                _pairs(alarms["directional"], alarms["longest"]),
                _pairs(alarms["ratio"], None),
                cost["per_pair"]["forced"],
                cost["per_pair"]["generate"],
                cost["per_decision"]["forced"],
                cost["per_decision"]["generate"],
            )
        )
    head = ("candidate", "pairs, forced", "pairs, generate", "of these directional", "generate / forced", "tokens a pair, forced", "generate", "tokens a decision, forced", "generate")  # fmt: skip
    note = (
        "Pairs until the first alarm in any segment over the run's pairs drawn again with replacement, median and "
        "middle 95 % of draws; `generate` is the first page signal that needs the candidate's own answer. Tokens are what it "
        "computes; the replay that forcing needs is the baseline's work and the same for both."
    )
    return (
        f"## Pairs and tokens until the alarm\n\n{markdown.table(head, rows)}\n\n{note}\n\n{_seconds(found)}"
    )


def _seconds(found: Json) -> str:
    """What the candidates' engines reported for all pairs, either way of asking."""
    said = [
        f"{name} {cost['forced_seconds']:.0f} s forced, {cost['generate_seconds']:.0f} s generated"
        for name, each in found["candidates"].items()
        if "forced_seconds" in (cost := each["costs"])
    ]
    return f"Seconds in the engine, as vLLM reports them per request (requests of a batch share it): {'; '.join(said)}."


def _pairs(found: Json, longest: int | None) -> str:
    silent = f", silent in {found['silent']:.0%}" if found["silent"] else ""
    if found["median"] is None:
        return f"silent in {found['silent']:.0%}" if longest else "–"
    return f"{found['median']:.3g} [{found['low']:.3g}, {found['high']:.3g}]{silent}"


def _groups(found: Json) -> Iterator[str]:
    for name, each in found["candidates"].items():
        rows = [_group(group, row) for group, row in [*each["groups"].items(), ("all", each["all"])]]
        head = ("group", "pairs", "agree", "drop [95 %]", "confidence", "valid JSON", "sums right", "own script", "p50 s", "p99 s")  # fmt: skip
        yield f"## {name}\n\nBaseline → candidate where both are measured.\n\n{markdown.table(head, rows)}"


def _group(name: str, row: Json) -> tuple[object, ...]:
    seconds = row["seconds"]
    per_quantile = [
        _arrow({arm: found and found[q] for arm, found in seconds.items()}) for q in ("p50", "p99")
    ]
    return (
        name,
        row["pairs"],
        row["agreement"],
        _range(row["drop"]),
        _arrow(row["confidence"]),
        _arrow(row["valid_json"]),
        _arrow(row["right_sums"]),
        row["own_script"],
        *per_quantile,
    )


def _arrow(found: Json | None) -> str | None:
    return (
        None if found is None else f"{markdown.cell(found['baseline'])} → {markdown.cell(found['candidate'])}"
    )


def _range(found: Json | None) -> str | None:
    return None if found is None else f"{found['mean']:.3f} [{found['low']:.3f}, {found['high']:.3f}]"
