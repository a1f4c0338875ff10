"""`answer`: does the candidate give the same checkable answer?

Compared are tool calls, JSON leaves, final keys (number, choice, yes/no, label, short fact) and the
definitions that a programming task names. Open text, and the body of a program, has no checkable answer: a harmless int8 copy rewrites 44 % of greedy
answers, so difference there says nothing. A lost envelope is `format`, not `answer`.
"""

from __future__ import annotations

import json
import re
from typing import Any

from monitor.records import Completion, Pair, Score, ToolCall
from monitor.scorers.code import definitions
from monitor.scorers.jsontext import find_json, leaves
from monitor.scorers.keys import (
    Key,
    answer_field,
    field_text,
    is_prose,
    key_of,
    literal,
    marked,
    normalised,
    same_key,
)
from monitor.scorers.numerals import first_number, same_number
from monitor.scorers.questions import Question, question_of

_SHOWN = 24
_TAIL = 400
_LAST_SENTENCE = re.compile(r"(?<=[.!?])\s+(?=\S)|(?<=[。！？])(?=\S)|\n+")
SIGNAL = "answer"


def answer(pair: Pair) -> Score | None:
    """Agreement; 0 = same answer, 1 = another or none, a share for the leaves of JSON."""
    baseline, candidate = pair.baseline, pair.candidate
    if not _answered(baseline) or not _answered(candidate):
        return None
    if baseline.tool_calls or candidate.tool_calls:
        return _tool_calls(baseline.tool_calls, candidate.tool_calls)
    question = question_of(pair.request)
    if question.json:
        by_leaf = _json(baseline.text, candidate.text)
        if by_leaf is not None:
            return by_leaf
    if question.code:
        return _code(pair.request.prompt, baseline.text, candidate.text)
    return _keys(question, baseline.text, candidate.text)


def keys_of_pair(pair: Pair) -> tuple[Key, Key | None] | None:
    """(baseline's key, candidate's key) of a text answer; None where the baseline gives none."""
    question = question_of(pair.request)
    first = key_of(question, pair.baseline.text)
    return (first, key_of(question, pair.candidate.text)) if first else None


def _answered(completion: Completion) -> bool:
    return completion.error_type is None and bool(completion.text.strip() or completion.tool_calls)


def _keys(question: Question, baseline: str, candidate: str) -> Score | None:
    first = key_of(question, baseline)
    if first is None:
        return None
    if baseline == candidate:
        return Score(SIGNAL, 0.0)
    second = key_of(question, candidate)
    if second is None:
        said = first.kind in {"text", "literal"} and _said(first, candidate)
        return (
            Score(SIGNAL, 0.0)
            if said
            else Score(SIGNAL, 1.0, "no_answer", f"{_short(first.raw)} → no answer")
        )
    if same_key(first, second) or _concludes(first, candidate) or _concludes(second, baseline):
        return Score(SIGNAL, 0.0)
    return Score(SIGNAL, 1.0, first.kind, f"{_short(first.raw)} → {_short(second.raw)}")


def _code(prompt: str, baseline: str, candidate: str) -> Score | None:
    """Two programs agree when their trees do; else only the definitions that the request names are checkable."""
    first, second = definitions(baseline), definitions(candidate)
    wanted = {name: signature for name, signature in first.items() if name.rpartition(".")[2] in prompt}
    if not wanted or not second:
        return None
    wrong = [name for name, signature in wanted.items() if second.get(name) != signature]
    if not wrong:
        return Score(SIGNAL, 0.0)
    name = wrong[0]
    new = f"{name}({second[name]})" if name in second else "absent"
    return Score(
        SIGNAL, len(wrong) / len(wanted), "code", f"{_short(f'{name}({wanted[name]})')} → {_short(new)}"
    )


def _said(key: Key, text: str) -> bool:
    """Whether the end of an answer without a marker still says the baseline's answer."""
    return len(key.raw) >= 2 and key.raw.strip(" `*\"'") in text[-400:]


def _concludes(key: Key, text: str) -> bool:
    """Whether the last sentence names this number before others: "42 in total, 12 for the pens and 30 for the books".

    Not where it calculates (`=`) or a mark names the answer: then the last number is the answer.
    """
    if key.number is None or marked(text) is not None:
        return False
    last = _LAST_SENTENCE.split(text.strip()[-_TAIL:])[-1]
    first = first_number(last) if "=" not in last else None
    return first is not None and same_number(first, key.number)


def _short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"


def _json(baseline: str, candidate: str) -> Score | None:
    """Leaves of structured answers; None where there is one answer field, or no JSON to compare."""
    first, second = find_json(baseline), find_json(candidate)
    if first.envelope == "none" or answer_field(first.value) is not None:
        return None
    wanted = _checkable(first.value)
    if not wanted:
        return Score(SIGNAL, 0.0) if baseline == candidate else None
    if second.envelope == "none":
        return None if field_text(candidate) else _leaves_in_text(wanted, candidate)
    given = dict(leaves(second.value))
    extra = {path for path, leaf in _checkable(second.value).items() if path not in wanted}
    wrong = [path for path, leaf in wanted.items() if path not in given or not _same_leaf(leaf, given[path])]
    value = (len(wrong) + len(extra)) / (len(wanted) + len(extra))
    if not value:
        return Score(SIGNAL, 0.0)
    path = wrong[0] if wrong else min(extra)
    return Score(SIGNAL, value, "json_leaf", _explain_leaf(path, wanted, given))


def _checkable(value: Any) -> dict[str, Any]:
    return {path: leaf for path, leaf in leaves(value) if not is_prose(path, leaf)}


def _explain_leaf(path: str, wanted: dict[str, Any], given: dict[str, Any]) -> str:
    old = _short(str(wanted[path])) if path in wanted else "absent"
    new = _short(str(given[path])) if path in given else "absent"
    return f"{_short(path.lstrip('.'))}: {old} → {new}"


def _same_leaf(a: Any, b: Any) -> bool:
    if a == b and isinstance(a, bool) == isinstance(b, bool):
        return True
    if isinstance(a, bool) or isinstance(b, bool) or a is None or b is None:
        return str(a).casefold() == str(b).casefold()
    first, second = literal(str(a)), literal(str(b))
    return (first is not None and second is not None and normalised(str(a)) == normalised(str(b))) or (
        first is not None and second is not None and first.number is not None and same_key(first, second)
    )


def _leaves_in_text(wanted: dict[str, Any], text: str) -> Score:
    """The envelope is lost: the share of the baseline's values that the text does not even mention."""
    plain = normalised(text[:20_000])
    missing = [path for path, leaf in wanted.items() if normalised(str(leaf)) not in plain]
    value = len(missing) / len(wanted)
    return Score(
        SIGNAL,
        value,
        "json_leaf" if value else "",
        f"{len(missing)} of {len(wanted)} values not given" if value else "",
    )


def _tool_calls(baseline: tuple[ToolCall, ...], candidate: tuple[ToolCall, ...]) -> Score:
    """Calls in any order: names must match, then the arguments' leaves."""
    if not baseline:
        return Score(SIGNAL, 1.0, "tool_name", f"no call → {_short(candidate[0].name)}()")
    rest = list(candidate)
    total = 0.0
    explanation = label = ""
    for call in baseline:
        match = min(
            (c for c in rest if c.name == call.name), key=lambda c: _argument_gap(call, c), default=None
        )
        gap = 1.0 if match is None else _argument_gap(call, match)
        if match is not None:
            rest.remove(match)
        if gap and not label:
            label = "tool_arguments" if match else "tool_name"
            explanation = _explain_call(call, match, rest)
        total += gap
    value = min(1.0, (total + len(rest)) / max(len(baseline), len(candidate)))
    if rest and not label:
        label, explanation = "tool_name", f"extra call {_short(rest[0].name)}()"
    return Score(SIGNAL, value, label, explanation)


def _arguments(call: ToolCall) -> dict[str, Any]:
    try:
        return dict(leaves(json.loads(call.arguments or "{}")))
    except (ValueError, RecursionError):
        return {"": call.arguments}


def _argument_gap(a: ToolCall, b: ToolCall) -> float:
    """Share of differing leaves over the union of both calls' arguments."""
    if a.arguments == b.arguments:
        return 0.0
    first, second = _arguments(a), _arguments(b)
    paths = first.keys() | second.keys()
    wrong = sum(p not in first or p not in second or not _same_leaf(first[p], second[p]) for p in paths)
    return wrong / len(paths) if paths else 0.0


def _explain_call(call: ToolCall, match: ToolCall | None, rest: list[ToolCall]) -> str:
    if match is None:
        return f"{_short(call.name)}() → {_short(rest[0].name) + '()' if rest else 'no call'}"
    first, second = _arguments(call), _arguments(match)
    path = next((p for p in first if p not in second or not _same_leaf(first[p], second[p])), None)
    if path is None:
        path = next(p for p in second if p not in first)
    return f"{_short(call.name)}.{_explain_leaf(path, first, second)}"
