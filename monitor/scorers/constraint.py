"""`constraint`: the candidate breaks a constraint of the prompt that the baseline kept.

Label-free direction on live traffic: constraints are mined once per prompt, both answers are
checked, and kept-to-broken pairs are what McNemar's test would count.
"""

from __future__ import annotations

from monitor.records import Pair, Score
from monitor.scorers.constraints import Constraint, check, constraints_of

_WRAPPING = frozenset({"detectable_format:json_format"})
"""Mined and reported, but judged by `format`: one lost envelope is one reason, not two."""


def constraint(pair: Pair) -> Score | None:
    """Directional; the measurements say whether an arm breaks any of the mined constraints."""
    if pair.baseline.error_type or pair.candidate.error_type:
        return None
    if not pair.baseline.text.strip() or not pair.candidate.text.strip():
        return None
    stated = [c for c in constraints_of(pair.request) if c.kind not in _WRAPPING]
    if not stated:
        return None
    kept = [c for c in stated if check(c, pair.baseline.text)]
    broken = [c for c in stated if not check(c, pair.candidate.text)]
    lost = [c for c in kept if c in broken]
    label = lost[0].kind.partition(":")[2] if lost else ""
    words = explain(lost[0]) if lost else ""
    return Score(
        "constraint", float(bool(lost)), label, words, float(len(kept) < len(stated)), float(bool(broken))
    )


def explain(stated: Constraint) -> str:
    """A constraint in a few words: its name and its shortest arguments."""
    name = stated.kind.partition(":")[2].replace("_", " ")
    details = " ".join(str(value)[:24] for _, value in stated.arguments if not isinstance(value, tuple))
    return f"broke {name} {details}".strip()[:80]
