"""What a PromQL expression reads: every selector with its labels, and labels that no operand has."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import promql_parser

FOREIGN = re.compile(r"vllm:|ALERTS$")
"""Metrics of vLLM and of Prometheus itself: their labels are not ours to know."""


def selectors(expr: Any) -> list[Any]:
    """Every vector selector below `expr`."""
    found: list[Any] = []

    def visit(node: Any) -> bool:
        if isinstance(node, promql_parser.VectorSelector):
            found.append(node)
        return True

    promql_parser.walk(expr, visit)
    return found


def name_of(selector: Any) -> str:
    """The metric's name, also where it is a pattern on `__name__`."""
    if selector.name:
        return str(selector.name)
    return next(str(m.value) for m in selector.matchers.matchers if m.name == "__name__")


def problems(expression: str, known: Mapping[str, frozenset[str]]) -> list[str]:
    """What `expression` uses that nobody exports; empty = sound. Raises ValueError if it does not parse."""
    tree = promql_parser.parse(expression)
    return [*_unknown(tree, known), *_unmatched(tree, known)]


def _unknown(tree: Any, known: Mapping[str, frozenset[str]]) -> Iterator[str]:
    for selector in selectors(tree):
        name = name_of(selector)
        if FOREIGN.match(name):
            continue
        if name not in known:
            yield f"no metric {name}"
            continue
        used = {matcher.name for matcher in selector.matchers.matchers}
        yield from (f"{name} has no label {label}" for label in sorted(used - known[name]))


def _labels(node: Any, known: Mapping[str, frozenset[str]]) -> frozenset[str] | None:
    """Labels of the series below `node`; None where a foreign metric is among them."""
    names = [name_of(selector) for selector in selectors(node)]
    if any(FOREIGN.match(name) for name in names):
        return None
    return frozenset().union(*(known.get(name, frozenset()) for name in names))


def _unmatched(tree: Any, known: Mapping[str, frozenset[str]]) -> list[str]:
    found: list[str] = []

    def check(words: Any, node: Any) -> None:
        labels = _labels(node, known)
        missing = [] if labels is None else sorted(set(words) - labels)
        found.extend(
            f"{label} is a label of nothing in: {' '.join(node.prettify().split())}" for label in missing
        )

    def visit(node: Any) -> bool:
        if isinstance(node, promql_parser.AggregateExpr) and node.modifier:
            check(node.modifier.labels, node.expr)
        if isinstance(node, promql_parser.BinaryExpr) and node.modifier and node.modifier.matching:
            for side in (node.lhs, node.rhs):
                if selectors(side):
                    check(node.modifier.matching.labels, side)
        return True

    promql_parser.walk(tree, visit)
    return found
