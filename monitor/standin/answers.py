"""The stand-in's answer to a request: a pure function of request, seed, role and draw."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from monitor.records import Request, ToolCall
from monitor.standin import tasks
from monitor.standin.phrases import PHRASES, Phrases
from monitor.standin.tokens import unit

_REPHRASED_BY_CANDIDATE = 0.25
"""Share of open answers that a healthy candidate words differently: harmless, and to be ignored."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One choice. `key` is its checkable part (number, letter), `confidence` in [0, 1]."""

    text: str
    tool_calls: tuple[ToolCall, ...] = ()
    finish_reason: str = "stop"
    key: str | None = None
    confidence: float | None = None


def answer(request: Request, *, seed: int, role: str, draw: int = 0) -> Answer:
    """The right answer; `draw` > 0 words open text anew, as sampling would."""
    prompt = request.prompt
    call = _tool_call(request)
    if call:
        return Answer("", (call,), "tool_calls")
    if tasks.wants_json(request):
        return Answer(tasks.json_answer(request))
    letters = tasks.options(prompt)
    if letters:
        letter = tasks.choice(prompt)
        return Answer(letter if _brief(request) else f"The answer is {letter}.", key=letter)
    written = tasks.code(prompt) or tasks.fact(prompt)
    if written:
        return Answer(written)
    words = tasks.phrases(prompt)
    return _arithmetic(prompt, words) or _open(prompt, words, seed, role, draw)


def _brief(request: Request) -> bool:
    limit = request.body.get("max_tokens")
    return "letter only" in request.prompt or (isinstance(limit, int) and limit <= 8)


def _arithmetic(prompt: str, words: Phrases | None) -> Answer | None:
    worked = tasks.arithmetic(prompt)
    if worked is None:
        return None
    steps, result = worked
    key = tasks.shown(result)
    total = (words or PHRASES["en"]).total.format(x=key)
    last = f"\n#### {key}" if "####" in prompt else ""
    return Answer(f"{steps} {total}{last}", key=key)


def _open(prompt: str, words: Phrases | None, seed: int, role: str, draw: int) -> Answer:
    if words is None:
        return Answer(_echo(prompt))
    reworded = role != "baseline" and unit("reworded", seed, prompt) < _REPHRASED_BY_CANDIDATE
    salt = (seed, prompt, role if reworded else "", draw)
    order = sorted(words.says, key=lambda sentence: unit(sentence, *salt))
    return Answer(" ".join(order[: 3 + int(unit("length", seed, prompt) * 3)]))


def _echo(prompt: str) -> str:
    """In a language the stand-in has no words for: the question's own last sentences."""
    last = prompt.strip().rsplit("\n", 1)[-1]
    sentences = re.findall(r"[^.!?。।።؟]+[.!?。।።؟]?", last)
    return " ".join(sentence.strip() for sentence in sentences[:3]) or "…"


def _tool_call(request: Request) -> ToolCall | None:
    """A call of the tool whose name and description share most words with the question."""
    tools = [_function(tool) for tool in request.body.get("tools") or () if isinstance(tool, dict)]
    if not tools or request.body.get("tool_choice") == "none" or request.messages[-1].role == "tool":
        return None
    asked = set(re.findall(r"\w+", request.prompt.lower()))
    best = max(tools, key=lambda f: len(asked & _words(f)))
    properties = (best.get("parameters") or {}).get("properties") or {}
    required = set((best.get("parameters") or {}).get("required") or properties)
    arguments = {
        key: tasks.example(key, spec, request.prompt) for key, spec in properties.items() if key in required
    }
    call_id = f"call_{int(unit(request.prompt) * 16**12):012x}"
    return ToolCall(str(best.get("name", "")), json.dumps(arguments, ensure_ascii=False), call_id)


def _function(tool: Mapping[str, Any]) -> Mapping[str, Any]:
    function = tool.get("function", tool)
    return function if isinstance(function, dict) else {}


def _words(function: Mapping[str, Any]) -> set[str]:
    described = f"{function.get('name', '')} {function.get('description', '')}".replace("_", " ")
    return set(re.findall(r"\w+", described.lower()))
