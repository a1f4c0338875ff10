"""What a request asks for and the right answer to it, for the kinds of requests the demo sends.

Rules, not a model: arithmetic is computed, JSON is extracted, code comes from a shelf, everything
else is answered with sentences in the language of the question.
"""

from __future__ import annotations

import ast
import json
import operator
import re
from collections.abc import Callable, Mapping
from typing import Any

from monitor import languages
from monitor.records import Request
from monitor.standin.phrases import PHRASES, Phrases
from monitor.standin.tokens import unit

_OPERATORS: dict[type[ast.operator], Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}
_EXPRESSION = re.compile(r"\d[\d.]*(?:\s*[-+*/×÷]\s*\d[\d.]*)+")
_NUMBER = re.compile(r"\d+(?:\.\d+)?")
_OPTION = re.compile(r"^\(?([A-H])[.):]\s*(\S.*)$", re.MULTILINE)
_FACT = re.compile(r"access code (?:of|for) ([\w ]{1,40}?) is (\d+)")
_FACT_ASKED = re.compile(r"What is the access code (?:of|for) ([\w ]{1,40}?)\?")
_JSON_ASKED = re.compile(r"\bJSON\b")
_KEYS = re.compile(r"keys? ((?:[a-z_]+(?:, | and |,)?)+)")
_FUNCTION = re.compile(r"function `(\w+)`")
_FENCED_SIGNATURE = re.compile(r"```python\n(.*?)```", re.DOTALL)

# Where the values of an order stand in the demo's prose.
_FIELDS: Mapping[str, tuple[str, Callable[[str], Any]]] = {
    "order_id": (r"\b([A-Z]{2}-\d+)\b", str),
    "customer": (r"(?:from|buyer is) ([A-Z]\w+ [A-Z]\w+)", str),
    "city": (r" in ([A-Z]\w+)", str),
    "quantity": (r"(\d+) (?:pieces|of)\b", int),
    "unit_price": (r" at (\d+\.\d\d)", float),
    "due": (r"(\d{4}-\d\d-\d\d)", str),
}

# Bodies of small functions by a word that the request uses; every one parses.
_CODE: Mapping[str, str] = {
    "vowels": 'def {f}(text):\n    """Count the vowels."""\n    return sum(1 for c in text.lower() if c in "aeiou")',
    "prime": "def {f}(n):\n    if n < 2:\n        return False\n    return all(n % d for d in range(2, int(n**0.5) + 1))",
    "reverse": "def {f}(items):\n    result = []\n    for item in items:\n        result.insert(0, item)\n    return result",
    "fibonacci": "def {f}(n):\n    a, b = 0, 1\n    for _ in range(n):\n        a, b = b, a + b\n    return a",
    "largest": "def {f}(numbers):\n    best = numbers[0]\n    for number in numbers[1:]:\n        if number > best:\n            best = number\n    return best",
    "words": "def {f}(text):\n    counts = {}\n    for word in text.split():\n        counts[word] = counts.get(word, 0) + 1\n    return counts",
}


def wants_json(request: Request) -> bool:
    """Whether JSON is asked for, by response_format or in words."""
    kind = _response_format(request).get("type")
    return kind in {"json_object", "json_schema"} or bool(_JSON_ASKED.search(request.prompt))


def _response_format(request: Request) -> Mapping[str, Any]:
    value = request.body.get("response_format")
    return value if isinstance(value, dict) else {}


def json_answer(request: Request) -> str:
    """The object that the request describes, filled from its prose."""
    schema = _response_format(request).get("json_schema")
    properties = schema.get("schema", {}).get("properties") if isinstance(schema, dict) else None
    if isinstance(properties, dict) and properties:
        value = {key: _field(key, request.prompt, spec) for key, spec in properties.items()}
    else:
        found = _KEYS.search(f"{request.system}\n{request.prompt}")
        keys = re.findall(r"[a-z_]+", found[1].replace(" and ", ", ")) if found else ["answer"]
        value = {key: _field(key, request.prompt, {}) for key in keys}
    return json.dumps(value, ensure_ascii=False)


def _field(key: str, prose: str, spec: object) -> Any:
    pattern, convert = _FIELDS.get(key, ("", str))
    found = re.search(pattern, prose) if pattern else None
    return convert(found[1]) if found else example(key, spec, prose)


def example(key: str, spec: object, prose: str) -> Any:
    """Some value of a JSON schema, taken from the prose where it has one."""
    spec = spec if isinstance(spec, dict) else {}
    if isinstance(spec.get("enum"), list) and spec["enum"]:
        named = [value for value in spec["enum"] if str(value) in prose]
        return named[0] if named else spec["enum"][int(unit(key, prose) * len(spec["enum"]))]
    if spec.get("type") == "array":
        return [example(key, spec.get("items"), prose)]
    if spec.get("type") == "object":
        return {name: example(name, inner, prose) for name, inner in (spec.get("properties") or {}).items()}
    return _EXAMPLES.get(str(spec.get("type")), _word)(key, prose)


def _word(key: str, prose: str) -> str:
    capitals = re.findall(r"\b[A-Z][a-z]+\b", prose.partition(" ")[2])
    return capitals[int(unit(key) * len(capitals))] if capitals else key


def _first_number(key: str, prose: str) -> float:
    del key
    found = _NUMBER.search(prose)
    return float(found[0]) if found else 1.0


_EXAMPLES: Mapping[str, Callable[[str, str], Any]] = {
    "integer": lambda key, prose: int(_first_number(key, prose)),
    "number": _first_number,
    "boolean": lambda key, prose: unit(key, prose) < 0.5,
    "string": _word,
}


def options(prompt: str) -> dict[str, str]:
    """Options of a multiple-choice question by letter; empty where there are fewer than two."""
    found = dict(_OPTION.findall(prompt))
    return found if len(found) > 1 else {}


def choice(prompt: str) -> str:
    """The right letter where the question is arithmetic, else a fixed one."""
    letters = options(prompt)
    right = expression(prompt)
    for letter, text in letters.items():
        if right is not None and text.strip() == shown(right):
            return letter
    return sorted(letters)[int(unit("choice", prompt) * len(letters))]


def expression(prompt: str) -> float | None:
    """Value of the first arithmetic expression in a text."""
    found = _EXPRESSION.search(prompt)
    if not found:
        return None
    try:
        return _value(ast.parse(found[0].replace("×", "*").replace("÷", "/"), mode="eval").body)
    except (SyntaxError, ZeroDivisionError, OverflowError, RecursionError):
        return None


def _value(node: ast.expr) -> float:
    if isinstance(node, ast.BinOp):
        return _OPERATORS[type(node.op)](_value(node.left), _value(node.right))
    if isinstance(node, ast.Constant) and isinstance(node.value, int | float):
        return node.value
    raise SyntaxError("not arithmetic")


def arithmetic(prompt: str) -> tuple[str, float] | None:
    """Working and result of an expression, or of "a, and b times c more" word problems."""
    result = expression(prompt)
    if result is not None:
        found = _EXPRESSION.search(prompt)
        return f"{found[0] if found else ''} = {shown(result)}.", result
    numbers = [int(number) for number in re.findall(r"\d+", prompt)]
    if len(numbers) < 3:
        return None
    first, boxes, each = numbers[:3]
    product = boxes * each
    return f"{boxes} × {each} = {product}. {first} + {product} = {first + product}.", first + product


def shown(value: float) -> str:
    """A number as people write it."""
    return str(int(value)) if value == int(value) else f"{value:.2f}"


def code(prompt: str) -> str | None:
    """A function in a fence, where the request asks for one."""
    fenced = _FENCED_SIGNATURE.search(prompt)
    if fenced and "def " in fenced[1]:
        return f"```python\n{fenced[1].rstrip()}\n    return None\n```"
    named = _FUNCTION.search(prompt)
    if not named:
        return None
    body = next((body for word, body in _CODE.items() if word in prompt), _CODE["words"])
    return f"```python\n{body.replace('{f}', named[1])}\n```"


def fact(prompt: str) -> str | None:
    """The planted fact that a long document is asked for."""
    asked = _FACT_ASKED.search(prompt)
    if not asked:
        return None
    known = dict(_FACT.findall(prompt))
    return f"The access code of {asked[1]} is {known.get(asked[1], 'not in the document')}."


def phrases(prompt: str) -> Phrases | None:
    """The stand-in's words in the language of a text, if it has any."""
    return PHRASES.get(languages.language(prompt))
