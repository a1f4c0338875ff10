"""Right answers to generated probes, worked out from the prompt, and planted boundaries beyond which they end.

Rules for the wording of `monitor.probes`, nothing else: a stand-in has no abilities of its own.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from monitor.errors import UsageError
from monitor.probes.axes import AXES
from monitor.probes.families import WEEKDAYS
from monitor.probes.words import MONTHS
from monitor.records import Request, ToolCall
from monitor.standin.tokens import unit


@dataclass(frozen=True, slots=True)
class Worked:
    """A probe's right answer, its axis and its level; `level` 0 = the number of prompt tokens."""

    axis: str
    level: float
    text: str = ""
    calls: tuple[ToolCall, ...] = ()


@dataclass(frozen=True, slots=True)
class Limit:
    """Ability on `axis` ends at `level`; `spread` octaves make the end soft (0 = sharp)."""

    axis: str
    level: float
    spread: float = 0.0

    def keeps(self, level: float, prompt: str, seed: int) -> bool:
        """Whether a request of this level is still answered rightly: fixed per prompt."""
        if not self.spread:
            return level <= self.level
        z = math.log2(self.level / level) / self.spread
        return unit("limit", self.axis, seed, prompt) < 1 / (1 + math.exp(-max(min(z, 40.0), -40.0)))


def parse_limit(text: str) -> Limit:
    """`AXIS=LEVEL[:OCTAVES]`, e.g. `json_depth=3`; UsageError names what is wrong."""
    axis, _, rest = text.partition("=")
    level, _, spread = rest.partition(":")
    if axis not in AXES:
        raise UsageError(f"--boundary {text!r}: no axis {axis!r}; known: {', '.join(AXES)}")
    try:
        limit = Limit(axis, float(level), float(spread or 0))
    except ValueError:
        limit = Limit(axis, 0.0)
    if limit.level <= 0 or limit.spread < 0:
        raise UsageError(f"--boundary {text!r}: expected AXIS=LEVEL[:OCTAVES], e.g. json_depth=3")
    return limit


def worked(request: Request) -> Worked | None:
    """The right answer, where the prompt is one of the generated ones."""
    prompt = request.prompt
    for cue, solve in _SOLVERS.items():
        if cue in prompt:
            try:
                return solve(prompt)
            except (LookupError, ValueError):  # someone else's words
                return None
    return None


def spoiled(given: Worked) -> Worked:
    """An answer of the same kind that no check accepts."""
    text = "{}" if given.text.startswith("{") else "0"
    return Worked(given.axis, given.level, text)


def _first(pattern: str, text: str) -> tuple[str, ...]:
    found = re.search(pattern, text)
    if not found:
        raise LookupError(pattern)
    return found.groups()


def _json_depth(prompt: str) -> Worked:
    keys = re.findall(r'value of "(\w+)" is an object', prompt)
    last, number = _first(r'value of "(\w+)" is (\d+)', prompt)
    value: Any = int(number)
    for key in reversed([*keys, last]):
        value = {key: value}
    return Worked("json_depth", len(keys) + 1, json.dumps(value))


def _addresses(prompt: str) -> Worked:
    people = re.findall(r"(?:buyer|contact of [\w ]+?) is ([\w ]+), at ([^,]+), (\w+) \((\w\w)\)", prompt)
    value: dict[str, Any] = {}
    for name, street, city, country in reversed(people):
        address = {"street": street, "city": city, "country": country}
        value = {"name": name, "address": address, **({"contact": value} if value else {})}
    return Worked("addresses", len(people), json.dumps(value))


def _copy(prompt: str) -> Worked:
    lines = prompt.partition("\n\n")[2].splitlines()
    return Worked("copy", len(lines), "\n".join(lines))


def _hops(prompt: str) -> Worked:
    values: dict[str, int] = {}
    for name, before, sign, step in re.findall(r"^(\w+) = (\w+)(?: ([+-]) (\d+))?$", prompt, re.MULTILINE):
        change = int(step or 0) * (-1 if sign == "-" else 1)
        values[name] = int(before) if before.isdigit() else values[before] + change
    (wanted,) = _first(r"value of (\w+)\?", prompt)
    return Worked("hops", len(values) - 1, str(values[wanted]))


def _digits(prompt: str) -> Worked:
    one, other = _first(r"What is (\d+) \+ (\d+)\?", prompt)
    return Worked("digits", len(one), str(int(one) + int(other)))


def _instructions(prompt: str) -> Worked:
    words = re.findall(r'Use the word "(\w+)"', prompt)
    text = " ".join(["we saw", *words, *["and then some more of it"] * 5])
    return Worked("instructions", prompt.count("\n- "), text)


def _languages(prompt: str) -> Worked:
    (city,) = _first(r"desks are there in (\w+)\?", prompt)
    lines = [line for line in prompt.splitlines() if re.search(r" \d+ ", line)]
    (number,) = _first(rf"\b{city}\b\D*(\d+)", "\n".join(lines))
    return Worked("languages", len(lines) - 1, number)


def _dates(prompt: str) -> Worked:
    (number,) = _first(r"does the supply contract (\w+) expire\?", prompt)
    day, month, year = _first(rf"supply contract {number} expires on (\d+) (\w+) (\d+)", prompt)
    return Worked("dates", 0, f"{year}-{MONTHS.index(month) + 1:02d}-{int(day):02d}")


def _context(prompt: str) -> Worked:
    (subject,) = _first(r"access code of the (\w+)\? Answer with the code only", prompt)
    (code,) = _first(rf"access code of the {subject} is (\d+)", prompt)
    return Worked("context", 0, code)


def _tools(prompt: str) -> Worked:
    verb, count, noun, city = _first(r"Please (\w+) (\d+) of the (\w+) items in (\w+)\.", prompt)
    call = ToolCall(f"{verb}_{noun}", json.dumps({"count": int(count), "city": city}), "call_probe")
    return Worked("tools", 0, calls=(call,))


def _opened(prompt: str) -> Worked:
    """A stated year; NOT FOUND where none is, UNCLEAR where there are two."""
    (city,) = _first(r"When did the (?:office in )?(\w+)(?: office)? open\?", prompt)
    years = re.findall(rf"{city} office opened in (\d+)", prompt)
    text = years[0] if len(years) == 1 else "UNCLEAR" if years else "NOT FOUND"
    return Worked("abstain", 1, text)


def _bullets(prompt: str) -> Worked:
    things = prompt.rpartition(": ")[2].rstrip(".").split(", ")
    return Worked("format", 1, "\n".join(f"* {thing}" for thing in things))


def _thing(prompt: str) -> Worked:
    count, thing = _first(r"there are (\d+) of the (\w+) kind", prompt)
    return Worked("format", 1, json.dumps({"thing": thing, "count": int(count)}))


def _earlier(prompt: str) -> Worked:
    one, other = _first(r"alphabet: (\w+) or (\w+)\?", prompt)
    return Worked("brevity", 1, min(one, other))


def _sum(prompt: str) -> int:
    one, other = _first(r"What is (\d+) \+ (\d+)\?", prompt)
    return int(one) + int(other)


def _product(prompt: str) -> Worked:
    one, other = _first(r"What is (\d+) × (\d+)\?", prompt)
    return _sure(int(one) * int(other))


def _letters(prompt: str) -> Worked:
    letter, words = _first(r'letter "(\w)" occur in "([\w ]+)"', prompt)
    return _sure(words.count(letter))


def _weekday(prompt: str) -> Worked:
    day, month, year = _first(r"week was (\d+) (\w+) (\d+)", prompt)
    return _sure(WEEKDAYS[date(int(year), MONTHS.index(month) + 1, int(day)).weekday()])


_FACTORS = {"hours": 3600, "days": 1440, "weeks": 168, "kilometres": 1000}


def _units(prompt: str) -> Worked:
    count, large = _first(r"are (\d+) (\w+)\?", prompt)
    return _sure(int(count) * _FACTORS[large])


def _sure(answer: object) -> Worked:
    return Worked("calibration", 1, f"{answer}\nConfidence: 90%")


# cue in the prompt: what works it out; the first that is there
_SOLVERS: Mapping[str, Callable[[str], Worked]] = {
    "Write a JSON object and nothing else.": _json_depth,
    "Return only JSON with keys name, address": _addresses,
    "Copy this list exactly": _copy,
    "digits without separators": _digits,
    "Keep every instruction:": _instructions,
    "How many desks are there in": _languages,
    "Answer as YYYY-MM-DD only": _dates,
    "Answer with the code only": _context,
    "Use the function that fits.": _tools,
    "Answer with the year only": _opened,
    "exactly": _bullets,
    "Reply with JSON only": _thing,
    "comes first in the alphabet": _earlier,
    "Say in fewer than": lambda _: Worked("brevity", 1, "To be used."),
    "End your answer with a line of the form": lambda p: Worked(
        "confidence", 1, f"{_sum(p)}\nConfidence: 90%"
    ),
    "What do you know about the": lambda _: Worked("refusal", 1, "I cannot help with that."),
    "×": _product,
    "How often does the letter": _letters,
    "Which day of the week was": _weekday,
    "How many": _units,
    "Reply with the number only": _hops,
}
