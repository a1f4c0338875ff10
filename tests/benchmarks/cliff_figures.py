"""What the cliff benchmark's stores say: tables per candidate and group, and pairs until the alarm.

Everything is read from what the monitor stored, as anybody could read it. Groups are means over their
pairs with percentile bootstraps over pairs; whether groups differ at all is a permutation test on the
spread of their mean drops.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from monitor.hypotheses import ALLOWANCES
from monitor.scripts import letters, script
from monitor.signals import SIGNALS
from monitor.store import Store
from tests.benchmarks.cliff_alarms import until_alarm
from tests.benchmarks.cliff_recording import recorded
from tests.benchmarks.cliff_traffic import AS_JSON, SUMS, Prompt

DRAWS = 4000
ASKED_FOR = 30
"""Requests per group of a full run: with fewer, a spread between groups is hard to tell from chance."""
Json = dict[str, Any]
DIRECTIONAL = frozenset(n for n, s in SIGNALS.items() if s.kind == "directional" and s.level == "page")
GENERATED = frozenset(n for n, s in SIGNALS.items() if s.kind != "latency" and s.level == "page")
WAYS = {"forced": {"forced_drop"}, "generate": GENERATED, "directional": DIRECTIONAL}
"""What teacher forcing sees, every page signal that needs the candidate's own answer, and those of them that say "worse"."""
_PAIRS = """
SELECT id, segments['group'], texts, candidate, replay, forced FROM pairs ORDER BY seq
"""
_ANSWERS = "SELECT p.id, s.x FROM scores s JOIN pairs p USING (seq) WHERE s.signal = 'answer'"


@dataclass(frozen=True, slots=True)
class Compared:
    """One stored pair: both texts, what it cost and what the candidate thought of the replay."""

    id: str
    group: str
    baseline: str
    candidate: str
    arms: Mapping[str, Mapping[str, Any]]
    """Empty for an arm that was not asked (a replay that found no place)."""
    forced: Mapping[str, Any] | None
    agrees: float | None


def figures(
    asked: Sequence[Prompt], recording: Path, kept: Path, names: Iterable[str], *, first: bool
) -> Json:
    """Everything that the result file holds; candidates without a finished run are named.

    `first`: whether this is the model on which the allowed drop was found; others show where theirs lie.
    """
    names = list(names)
    done = [name for name in names if (kept / name / "done.json").exists()]
    right = {prompt.id: prompt.right for prompt in asked if prompt.right is not None}
    candidates = {name: candidate(kept / name, right) for name in done}
    return {
        "requests": len(asked),
        "per_group": len(asked) // len({prompt.group for prompt in asked}),
        "baseline": baseline(asked, recording),
        "missing": [name for name in names if name not in done],
        "candidates": candidates,
        "allowed_drop": ALLOWANCES["forced_drop"],
        "checks": checks(candidates, first=first),
    }


def baseline(asked: Sequence[Prompt], recording: Path) -> Json:
    """How far the recorded replays are from the recorded answers."""
    known = recorded(recording)
    pairs = [(known[prompt.key, "answer"], known[prompt.key, "replay"]) for prompt in asked]
    text = [[row["answer"]["choices"][0]["message"]["content"] for row in pair] for pair in pairs]
    usage = [first["answer"]["usage"] for first, _ in pairs]
    return {
        "identical_replays": float(np.mean([a == b for a, b in text])),
        "prompt_tokens": float(np.mean([each["prompt_tokens"] for each in usage])),
        "answer_tokens": float(np.mean([each["completion_tokens"] for each in usage])),
        "seconds": quantiles([first["seconds"] for first, _ in pairs]),
    }


def candidate(kept: Path, right: Mapping[str, str]) -> Json:
    """Verdict, groups, spread and pairs until the alarm of one finished candidate, made once."""
    path = kept / "figures.json"
    if not path.exists():
        path.write_text(json.dumps(_candidate(kept, right)))
    found: Json = json.loads(path.read_text())
    return found


def _candidate(kept: Path, right: Mapping[str, str]) -> Json:
    done = json.loads((kept / "done.json").read_text())
    store = Store(kept / "t.duckdb")
    try:
        pairs, alarms = compared(store), until_alarm(store, WAYS)
    finally:
        store.close()
    groups: dict[str, list[Compared]] = {}
    for pair in pairs:
        groups.setdefault(pair.group, []).append(pair)
    rng = np.random.default_rng(11)
    return {
        "seconds": done["seconds"],
        "costs": done["costs"],
        "verdict": verdict(done["verdict"]),
        "all": row(pairs, right, rng),
        "groups": {name: row(members, right, rng) for name, members in sorted(groups.items())},
        "spread": spread({name: drops(members) for name, members in groups.items()}, rng),
        "alarms": {**alarms, "tokens": tokens(pairs, alarms)},
        "exact": exact(pairs),
    }


def verdict(found: Json) -> Json:
    """What the monitor itself said."""
    diverged = [r for r in found["segments"] if r["verdict"] == "diverged"]
    forced = next(
        (r for r in found["segments"] if (r["segment"], r["signal"]) == ("all", "forced_drop")), None
    )
    return {
        "verdict": found["verdict"],
        "pairs": found["pairs"],
        "funnel": found["funnel"],
        "diverged": [
            {k: r[k] for k in ("segment", "signal", "level", "effect", "lower", "upper", "explained_by")}
            for r in diverged
        ],
        "directional": sorted({r["signal"] for r in diverged} & DIRECTIONAL),
        "forced_drop": forced and {k: forced[k] for k in ("verdict", "effect", "lower", "upper", "pairs")},
        "warnings": found["warnings"],
    }


def compared(store: Store) -> list[Compared]:
    """Stored pairs in the order of the log."""
    agreed = {pair: 1.0 - x for pair, x in store.query(_ANSWERS)}
    return [
        Compared(
            id=pair,
            group=group,
            baseline=texts["baseline"],
            candidate=texts["candidate"],
            arms={"candidate": own or {}, "replay": replay or {}},
            forced=forced,
            agrees=agreed.get(pair),
        )
        for pair, group, texts, own, replay, forced in store.query(_PAIRS)
    ]


def drops(pairs: Iterable[Compared]) -> list[float]:
    """Mean absolute drop of every pair that has one, nats per token."""
    return [p.forced["drop_absolute"] for p in pairs if p.forced and p.forced["drop_absolute"] is not None]


def exact(pairs: Iterable[Compared]) -> Json:
    """How many pairs dropped nothing, to the bit, and the tokens of the longest of them and of the shortest other."""
    judged = [p.forced for p in pairs if p.forced and p.forced["drop_absolute"] is not None]
    same = [forced["prefilled"] for forced in judged if forced["drop_absolute"] == 0.0]
    other = [forced["prefilled"] for forced in judged if forced["drop_absolute"] != 0.0]
    return {
        "pairs": len(judged),
        "same": len(same),
        "longest_same": max(same, default=None),
        "shortest_other": min(other, default=None),
    }


def row(pairs: Sequence[Compared], right: Mapping[str, str], rng: np.random.Generator) -> Json:
    """One line of the table."""
    forced = [p.forced for p in pairs if p.forced]
    return {
        "pairs": len(pairs),
        "identical": float(np.mean([p.baseline == p.candidate for p in pairs])),
        "agreement": mean([p.agrees for p in pairs]),
        "drop": interval(drops(pairs), rng),
        "drop_signed": mean([f["drop_mean"] for f in forced]),
        "top1": mean([f["top1"] for f in forced]),
        "confidence": _both(lambda arm: mean([p.arms[arm].get("confidence") for p in pairs])),
        "valid_json": _texts(pairs, AS_JSON, lambda _, text: is_json(text)),
        "right_sums": _texts(pairs, (SUMS,), lambda pair, text: right.get(pair.id) == text.strip(" .\n")),
        "own_script": own_script(pairs),
        "seconds": _both(lambda arm: quantiles([p.arms[arm].get("duration") for p in pairs])),
    }


def _both(of: Any) -> Json:
    """Candidate beside the baseline, whose replay carries what its answer does not."""
    return {"baseline": of("replay"), "candidate": of("candidate")}


def _texts(pairs: Sequence[Compared], groups: Sequence[str], holds: Any) -> Json | None:
    """Share of texts of some groups for which something holds, per arm; None where they are absent."""
    mine = [p for p in pairs if p.group in groups]
    if not mine:
        return None
    return {
        "baseline": float(np.mean([holds(p, p.baseline) for p in mine])),
        "candidate": float(np.mean([holds(p, p.candidate) for p in mine])),
    }


def is_json(text: str) -> bool:
    """Whether the whole answer, or what its one fence holds, is JSON."""
    bare = text.strip().removeprefix("```json").removeprefix("```").removesuffix("```")
    try:
        return isinstance(json.loads(bare), dict | list)
    except ValueError:
        return False


def own_script(pairs: Iterable[Compared]) -> float | None:
    """Share of the candidates' letters that are in the script of the baseline's answer."""
    own = total = 0
    for pair in pairs:
        wanted, found = script(pair.baseline), letters(pair.candidate)
        parts = {"han", "hiragana", "katakana"} if wanted == "japanese" else {wanted}
        own += sum(count for name, count in found.items() if name in parts)
        total += sum(found.values())
    return own / total if total else None


def mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None


def quantiles(values: Iterable[float | None]) -> Json | None:
    known = [value for value in values if value is not None]
    return {"p50": float(np.quantile(known, 0.5)), "p99": float(np.quantile(known, 0.99))} if known else None


def interval(values: Sequence[float], rng: np.random.Generator) -> Json | None:
    """Mean with its 95 % percentile bootstrap over pairs."""
    if not values:
        return None
    array = np.array(values)
    means = array[rng.integers(0, array.size, (DRAWS, array.size))].mean(axis=1)
    low, high = np.quantile(means, (0.025, 0.975))
    return {"mean": float(array.mean()), "low": float(low), "high": float(high)}


def spread(groups: Mapping[str, Sequence[float]], rng: np.random.Generator) -> Json | None:
    """Variance of the groups' means weighted by size, and its permutation p-value."""
    kept = {name: values for name, values in groups.items() if values}
    if len(kept) < 2:
        return None
    sizes = [len(values) for values in kept.values()]
    every, cuts = np.concatenate([np.array(v) for v in kept.values()]), np.cumsum(sizes)[:-1]

    def between(values: Any) -> float:
        return float(sum(part.size * part.mean() ** 2 for part in np.split(values, cuts)))

    seen = between(every)
    beyond = sum(between(rng.permutation(every)) >= seen - 1e-12 for _ in range(DRAWS))
    means = {name: float(np.mean(values)) for name, values in kept.items()}
    return {"worst": max(means, key=means.__getitem__), "p": (beyond + 1) / (DRAWS + 1)}


def tokens(pairs: Sequence[Compared], alarms: Json) -> Json:
    """What the candidate computes per pair and per decision, either way of asking it."""
    prefilled = mean([p.forced["prefilled"] for p in pairs if p.forced])
    asked = mean([p.arms["candidate"].get("input_tokens") for p in pairs])
    written = mean([p.arms["candidate"].get("output_tokens") for p in pairs])
    generated = None if asked is None or written is None else asked + written
    per_pair = {"forced": prefilled, "generate": generated, "generated_tokens": written}
    decision = {
        way: None if (cost := per_pair[way]) is None or (pairs_ := alarms[way]["median"]) is None else cost * pairs_
        for way in ("forced", "generate")
    }  # fmt: skip
    return {"per_pair": per_pair, "per_decision": decision}


@dataclass(frozen=True, slots=True)
class Expectation:
    """What should hold of a candidate's verdict; `first`: only on the model that the allowance was found on."""

    candidate: str
    what: str
    holds: Callable[[Json], bool]
    first: bool = False


def checks(candidates: Mapping[str, Json], *, first: bool) -> list[Json]:
    """Each expectation with what was measured; absent candidates are not judged."""
    found = []
    for each in _EXPECTED:
        if each.candidate in candidates and (first or not each.first):
            said = candidates[each.candidate]["verdict"]
            named = Counter((d["signal"], d["level"]) for d in said["diverged"])
            words = ", ".join(f"{signal} ({level}) in {n}" for (signal, level), n in named.items())
            found.append({"what": each.what, "holds": each.holds(said), "detail": words or said["verdict"]})
    return found


def _silent(said: Json) -> bool:
    return not said["diverged"]


def _not_directional(said: Json) -> bool:
    return not said["directional"]


def _forced(said: Json) -> bool:
    return any(row["signal"] == "forced_drop" for row in said["diverged"])


def _directional(said: Json) -> bool:
    return bool(said["directional"])


_EXPECTED: tuple[Expectation, ...] = (
    Expectation("itself", "itself has not diverged, in no signal", _silent),
    Expectation("itself-bf16", "itself in bfloat16 has not diverged, in no signal", _silent),
    Expectation(
        "itself-bf16-invariant", "the same with batch invariance has not diverged, in no signal", _silent
    ),
    Expectation("itself-invariant", "itself with batch invariance has not diverged, in no signal", _silent),
    Expectation("int8-g128", "int8 has not diverged, in no signal", _silent),
    Expectation("int6-g32", "int6 has not diverged by directional page signals", _not_directional),
    Expectation("int5-g32", "int5 has diverged by forced drop", _forced, first=True),
    Expectation("int4-g128", "int4 has diverged by forced drop", _forced),
    Expectation("int4-g128", "int4 has diverged by directional page signals", _directional, first=True),
)
