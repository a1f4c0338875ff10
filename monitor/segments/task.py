"""`task`: what kind of answer a request asks for.

The order is the precedence: what the API call itself declares (tools, response_format) beats words,
a demanded form (JSON, a letter) beats the subject (code, mathematics), and all else is chat.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Final

from monitor.arithmetic import asks_arithmetic
from monitor.excerpts import excerpt
from monitor.lexicons import tasks
from monitor.records import Exchange, Request

_EXAMINED: Final = 6_000
# Word problems are short; a long text with numbers in it is something to read.
_STORY: Final = 1_500


def task(exchange: Exchange) -> str:
    """One of tools, json, choice, code, math, chat; unknown without any text."""
    request = exchange.request
    if offers_tools(request):
        return "tools"
    if structured(request):
        return "json"
    if not request.messages:
        return "unknown"
    return _by_words(excerpt(request.prompt, _EXAMINED), excerpt(request.system, _EXAMINED))


def offers_tools(request: Request) -> bool:
    """Whether the model may call tools."""
    offered = request.body.get("tools") or request.body.get("functions")
    return bool(offered) and request.body.get("tool_choice") != "none"


def structured(request: Request) -> bool:
    """Whether the call itself demands JSON (OpenAI response_format, vLLM structured outputs)."""
    wanted = request.body.get("response_format")
    if isinstance(wanted, Mapping) and str(wanted.get("type", "")).startswith("json"):
        return True
    text = request.body.get("text")  # the responses API
    if isinstance(text, Mapping) and isinstance(text.get("format"), Mapping):
        return str(text["format"].get("type", "")).startswith("json")
    outputs = request.body.get("structured_outputs")
    return bool(request.body.get("guided_json")) or (isinstance(outputs, Mapping) and "json" in outputs)


@lru_cache(maxsize=64)
def _by_words(prompt: str, system: str) -> str:
    if asks_for_json(prompt.lower()) or asks_for_json(system.lower()):
        return "json"
    if offers_choices(prompt):
        return "choice"
    if is_code(prompt):
        return "code"
    if is_math(prompt):
        return "math"
    return "chat"


def asks_for_json(small: str) -> bool:
    """JSON demanded as the form of the answer, not as a subject ("how do I parse JSON"). Lower-cased text."""
    return "json" in small and tasks.WANTS_JSON.search(small) is not None


def offers_choices(text: str) -> bool:
    """Two or more options labelled in sequence (A, B, ...), and a word that asks to pick."""
    labels = [m["label"].upper() for m in tasks.OPTION.finditer(text)]
    run = longest = 0
    for label in labels:
        run = run + 1 if ord(label) - ord("A") == run else int(label == "A")
        longest = max(longest, run)
    if longest < 2:
        return False
    asked = tasks.PICKS.search(text.lower()) is not None
    return asked or (
        longest >= 3 and (text.rstrip().endswith("?") or tasks.LETTERED.search(text) is not None)
    )


def is_code(text: str) -> bool:
    """Source code in the request, or something to program asked for or asked about."""
    if tasks.SOURCE.search(text) or tasks.TERMINAL.search(text):
        return True
    small = text.lower()
    return any(pattern.search(small) for pattern in tasks.PROGRAMMING)


def is_math(text: str) -> bool:
    """A numeric answer demanded, a formula to work on, or a question of quantity over two numbers."""
    small = text.lower()
    if tasks.NUMERIC_FORM.search(small) or tasks.MATHEMATICS.search(small) or asks_arithmetic(text):
        return True
    return len(text) <= _STORY and _numbers(small) >= 2 and tasks.QUANTITY.search(small) is not None


def _numbers(small: str) -> int:
    """Quantities in the text: no years, dates, ordinals or limits on the answer's length."""
    small = tasks.NO_QUANTITY.sub(" ", small)
    return len(tasks.NUMBER.findall(small)) + len(tasks.NUMBER_WORD.findall(small))
