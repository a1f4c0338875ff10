"""The hot-path result as Markdown and as the JSON that prose quotes. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tests.benchmarks.hotpath.targets import Outcome, Rounds, summary

COLUMNS = {
    "saturation": {"per_second": "requests/s", "cpu_us_per_request": "CPU µs/request", "p50_us": "p50 µs", "p99_us": "p99 µs", "pss_mb": "PSS MB", "dropped": "not mirrored"},
    "rate": {"p50_us": "p50 µs", "added_p50_us": "added p50 µs", "p99_us": "p99 µs", "cpu_us_per_request": "CPU µs/request"},
    "streams": {"chunk_p50_us": "event delay p50 µs", "added_chunk_p50_us": "added p50 µs", "chunk_p99_us": "p99 µs", "cpu_us_per_chunk": "CPU µs/event", "pss_mb": "PSS MB", "dropped": "not mirrored"},
}  # fmt: skip


def as_json(
    samples: Mapping[str, Mapping[str, Rounds]], outcomes: Sequence[Outcome], notes: Sequence[str]
) -> dict[str, Any]:
    """Targets, medians with their range, the raw rounds, and what was left out."""
    return {
        "passed": all(outcome.passed is not False for outcome in outcomes),
        "targets": {outcome.target.key: _outcome(outcome) for outcome in outcomes},
        "variants": {p: {_slug(v): summary(rounds) for v, rounds in vs.items()} for p, vs in samples.items()},
        "notes": list(notes),
        "rounds": {p: {_slug(v): list(rounds) for v, rounds in vs.items()} for p, vs in samples.items()},
    }


def out_of_reach(samples: Mapping[str, Mapping[str, Rounds]], outcomes: Sequence[Outcome]) -> list[str]:
    """Which missed multiples of a peer ask for less CPU than a bare forward costs on this machine."""
    costs = {
        variant: summary(rounds)["cpu_us_per_request"]["median"]
        for variant, rounds in samples.get("saturation", {}).items()
        if rounds and "cpu_us_per_request" in rounds[0]
    }
    bare = {name: costs[name] for name in ("nginx", "tailgate 0 %") if name in costs}
    notes = []
    for outcome in outcomes:
        target = outcome.target
        if (
            outcome.passed is False
            and target.metric == "per_second"
            and target.limit > 1
            and target.peer in costs
        ):
            allowed = costs[target.peer] / target.limit
            if bare and allowed < min(bare.values()):
                spent = ", ".join(f"{name} {cost:.1f} µs" for name, cost in bare.items())
                notes.append(
                    f"{target.peer} spends {costs[target.peer]:.1f} µs per request here: {target.limit:g} times its "
                    f"requests would leave {allowed:.1f} µs, less than forwarding alone costs ({spent})"
                )
    return notes


def _slug(variant: str) -> str:
    """`tailgate 10 %` as a key that a dotted path can name."""
    return variant.replace(" %", "").replace(" ", "_")


def _outcome(outcome: Outcome) -> dict[str, Any]:
    target = outcome.target
    return {
        "text": target.text,
        "limit": target.limit,
        "at_least": target.at_least,
        "measured": outcome.measured,
        "low": outcome.low,
        "high": outcome.high,
        "passed": outcome.passed,
    }


def as_markdown(
    texts: Mapping[str, str],
    samples: Mapping[str, Mapping[str, Rounds]],
    outcomes: Sequence[Outcome],
    notes: Sequence[str],
) -> str:
    """Targets first, then one table per profile, then the notes."""
    parts = ["# Hot path", "", *_target_table(outcomes)]
    for profile, columns in COLUMNS.items():
        if profile in samples:
            parts += ["", f"## {profile}: {texts[profile]}", "", *_profile_table(samples[profile], columns)]
    parts += ["", *(f"- {note}" for note in notes)]
    return "\n".join(parts) + "\n"


def _target_table(outcomes: Sequence[Outcome]) -> list[str]:
    lines = ["| target | limit | measured (range over rounds) | |", "|---|---|---|---|"]
    for outcome in outcomes:
        limit = f"{'≥' if outcome.target.at_least else '≤'} {outcome.target.limit:g}"
        lines.append(f"| {outcome.target.text} | {limit} | {_measured(outcome)} | {_word(outcome.passed)} |")
    return lines


def _measured(outcome: Outcome) -> str:
    if outcome.measured is None:
        return "not measured"
    return f"{outcome.measured:.3g} ({outcome.low:.3g} to {outcome.high:.3g})"


def _word(passed: bool | None) -> str:
    return {True: "pass", False: "**fail**", None: "–"}[passed]


def _profile_table(by_variant: Mapping[str, Rounds], columns: Mapping[str, str]) -> list[str]:
    lines = [f"| variant | {' | '.join(columns.values())} |", "|---" * (len(columns) + 1) + "|"]
    for variant, rounds in by_variant.items():
        figures = summary(rounds)
        cells = [f"{figures[key]['median']:,.4g}" if key in figures else "–" for key in columns]
        lines.append(f"| {variant} | {' | '.join(cells)} |")
    return lines
