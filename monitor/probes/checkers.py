"""Does an answer pass? One function per kind of check, over the same readers as the live scorers. Pure.

A check is data: `{"type": ..., "expect": ...}` plus what the type needs, so that users can bring their own
items as JSON Lines. A failed request passes nothing, whatever the check.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from monitor.errors import BadInput
from monitor.records import Completion
from monitor.scorers.code import broken_block
from monitor.scorers.constraints import Constraint, check
from monitor.scorers.jsontext import find_json
from monitor.scorers.keys import choice, yes_or_no
from monitor.scorers.numerals import last_number, same_number
from monitor.scorers.refusal import refuses
from monitor.scripts import script

Check = Mapping[str, Any]
Checker = Callable[[Check, Completion], bool]

_ABSTAINS = re.compile(
    r"\bnot[ _](?:found|stated|mentioned|given|specified|provided|available|enough)\b|\bno (?:mention|information)\b"
    r"|\b(?:does|do|did|is|are|was|could|can)(?: not|n't|not) (?:been )?(?:say|state|mention|know|contain|specif\w+|provide|provided|stated|mentioned|given|tell|be determined)\b"
    r"|\bcannot be (?:determined|answered)\b|\bunclear\b|\bambiguous\b|\bunknown\b",
    re.IGNORECASE,
)
_DATE = re.compile(
    r"\b\d{4}-\d\d-\d\d\b|\b\d{1,2}(?:st|nd|rd|th)?(?: of)? (?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)\w*"
    r"|\b(?:january|february|march|april|may|june|july|august|september|october|november|december) \d{1,2}\b",
    re.IGNORECASE,
)
_ARTICLES = re.compile(r"\b(?:a|an|the)\b")


def plain(text: str) -> str:
    """Casefolded words and numbers, everything else one blank."""
    return " ".join(re.findall(r"\w+", text.casefold()))


def abstains(text: str) -> bool:
    """Whether an answer says that it cannot be known, and does not give a date or number all the same."""
    if not _ABSTAINS.search(text) or _DATE.search(text):
        return False
    return not re.search(r"\b(?:answer|it) is:? \**\d", text, re.IGNORECASE)


def _contains(wanted: Check, answer: Completion) -> bool:
    expected = str(wanted["expect"])
    if abstains(expected):
        return abstains(answer.text)
    return f" {plain(expected)} " in f" {plain(answer.text)} "


def _abstain(_: Check, answer: Completion) -> bool:
    return abstains(answer.text)


def _exact(wanted: Check, answer: Completion) -> bool:
    return answer.text.strip() == str(wanted["expect"]).strip()


def _regex(wanted: Check, answer: Completion) -> bool:
    return re.search(str(wanted["pattern"]), answer.text) is not None


def _lines(wanted: Check, answer: Completion) -> bool:
    given = [line.strip() for line in answer.text.splitlines() if line.strip()]
    return given == list(wanted["expect"])


def _json(wanted: Check, answer: Completion) -> bool:
    found = find_json(answer.text)
    return found.envelope in {"bare", "fenced"} and same_json(found.value, wanted["expect"])


def same_json(given: Any, expected: Any) -> bool:
    """Equal values; 2 and 2.0 are one number, true is none."""
    if isinstance(given, dict) and isinstance(expected, dict):
        return given.keys() == expected.keys() and all(same_json(given[k], v) for k, v in expected.items())
    if isinstance(given, list) and isinstance(expected, list):
        return len(given) == len(expected) and all(map(same_json, given, expected))
    return isinstance(given, bool) == isinstance(expected, bool) and bool(given == expected)


def _number(wanted: Check, answer: Completion) -> bool:
    text = answer.text
    if wanted["type"] == "numeric_after_hashes" and "####" in text:
        text = text.rpartition("####")[2]
    given, expected = last_number(text), last_number(str(wanted["expect"]))
    return given is not None and expected is not None and same_number(given, expected)


def _letter(wanted: Check, answer: Completion) -> bool:
    letters = tuple((chr(ord("A") + i), "") for i in range(int(wanted.get("options", 10))))
    key = choice(answer.text, letters)
    return key is not None and key.value.upper() == str(wanted["expect"]).upper()


def _yes_no(wanted: Check, answer: Completion) -> bool:
    key = yes_or_no(answer.text)
    return key is not None and key.value == str(wanted["expect"]).casefold()


def _calls(wanted: Check, answer: Completion) -> bool:
    """Calls in any order; per argument a list of accepted values, '' = may be left out (BFCL's AST check)."""
    rest = [(call.name.replace(".", "_"), _arguments(call.arguments)) for call in answer.tool_calls]
    expected: Sequence[Mapping[str, Mapping[str, Sequence[Any]]]] = wanted["expect"]
    for call in expected:
        ((called, accepted),) = call.items()
        name = called.replace(".", "_")
        match = next((given for given in rest if given[0] == name and _accepted(given[1], accepted)), None)
        if match is None:
            return False
        rest.remove(match)
    return not rest


def _arguments(text: str) -> dict[str, Any] | None:
    try:
        value = json.loads(text or "{}")
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _accepted(given: Mapping[str, Any] | None, accepted: Mapping[str, Sequence[Any]]) -> bool:
    if given is None or given.keys() - accepted.keys():
        return False
    return all(
        any(_same_argument(given[name], value) for value in values) if name in given else "" in values
        for name, values in accepted.items()
    )


def _same_argument(given: Any, value: Any) -> bool:
    """One accepted value; a mapping accepts per key again, strings regardless of case and spacing."""
    if isinstance(given, str) and isinstance(value, str):
        return _squeezed(given) == _squeezed(value)
    if isinstance(given, dict) and isinstance(value, dict):
        return _accepted(given, {k: v if isinstance(v, list) else [v] for k, v in value.items()})
    if isinstance(given, list) and isinstance(value, list):
        return len(given) == len(value) and all(map(_same_argument, given, value))
    return same_json(given, value)


def _squeezed(text: str) -> str:
    return re.sub(r"[ ,./\-_*^]", "", text).casefold().replace("'", '"')


def _no_call(_: Check, answer: Completion) -> bool:
    return not answer.tool_calls


def _python(_: Check, answer: Completion) -> bool:
    """Parses; running foreign code is not ours to do."""
    return broken_block(answer.text, "python") == ""


def _fact(wanted: Check, answer: Completion) -> bool:
    """A short answer whose first line says the expected fact, articles and punctuation aside."""
    first = re.split(r"\n|\bconfidence\b", answer.text.strip(), maxsplit=1, flags=re.IGNORECASE)[0]
    expected, given = (" ".join(_ARTICLES.sub(" ", plain(t)).split()) for t in (str(wanted["expect"]), first))
    return bool(expected) and f" {expected} " in f" {given} "


def _refusal(wanted: Check, answer: Completion) -> bool:
    refused = refuses(answer.text, str(wanted.get("prompt", "")))
    return (refused is not None) == (str(wanted["expect"]) in {"unsafe", "refuse"})


def _constraints(wanted: Check, answer: Completion) -> bool:
    """Every registered instruction of IFEval is kept by an answer that says something."""
    pairs = zip(wanted["instruction_id_list"], wanted["kwargs"], strict=True)
    return bool(answer.text.strip()) and all(
        check(_constraint(kind, args), answer.text) for kind, args in pairs
    )


def _constraint(kind: str, arguments: Mapping[str, Any]) -> Constraint:
    language, colon, rest = kind.partition(":")
    own = colon and len(language) == 2
    values = tuple((k, tuple(v) if isinstance(v, list) else v) for k, v in arguments.items() if v is not None)
    return Constraint(rest if own else kind, values, language if own else "en")


def _script(wanted: Check, answer: Completion) -> bool:
    return script(answer.text) == str(wanted["expect"]).casefold()


CHECKERS: Mapping[str, Checker] = MappingProxyType(
    {
        "contains_normalised": _contains,
        "abstain": _abstain,
        "exact": _exact,
        "regex": _regex,
        "lines_equal": _lines,
        "json_equal": _json,
        "numeric_last": _number,
        "numeric_after_hashes": _number,
        "choice_letter": _letter,
        "yesno": _yes_no,
        "tool_calls_ast": _calls,
        "no_tool_call": _no_call,
        "python_tests": _python,
        "python_parses": _python,
        "short_answer_with_confidence": _fact,
        "refusal": _refusal,
        "ifeval": _constraints,
        "script": _script,
    }
)


def passes(wanted: Check, answer: Completion) -> bool:
    """Whether the answer passes the check. Raises BadInput for a check that cannot be carried out."""
    if answer.error_type is not None:
        return False
    checker = CHECKERS.get(str(wanted.get("type")))
    if checker is None:
        raise BadInput("check_unknown", f"no check {wanted.get('type')!r}; known: {', '.join(CHECKERS)}")
    try:
        return checker(wanted, answer)
    except (KeyError, TypeError, ValueError, re.error) as error:
        raise BadInput(
            "check_unusable", f"check {wanted['type']}: {type(error).__name__}: {error}"
        ) from error
