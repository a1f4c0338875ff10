"""Segments: which slices of traffic an exchange belongs to, decided from the request alone.

Declared dimensions come first (values recorded with the exchange, then the configuration's rules),
built-in ones follow in the order of the table. `unknown` is a value: traffic never drops out of a dimension.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Final

from monitor.config import DeclaredSegment
from monitor.records import ALL, Exchange, Segment, Segmenter
from monitor.segments import declared, language, shape, task

Dimension = Callable[[Exchange], str]

DIMENSIONS: Final[Mapping[str, Dimension]] = MappingProxyType(
    {
        "language": language.language,
        "script": language.script,
        "task": task.task,
        "context": shape.context,
        "turn": shape.turn,
        "stream": shape.stream,
        "model": shape.model,
        "load": shape.load,
    }
)

# `ood` needs a reference sample, so it comes as a Segmenter; its place in the order is before `load`.
ORDER: Final = (*(d for d in DIMENSIONS if d != "load"), "ood", "load")


def segments_of(
    exchange: Exchange,
    rules: Mapping[str, DeclaredSegment] = MappingProxyType({}),
    ood: Segmenter | None = None,
) -> Mapping[str, str]:
    """One value per dimension: declared first, then built-in in the order of `ORDER`.

    A recorded or declared value replaces the built-in one of the same name. `ood` yields the `ood`
    dimension once a reference sample is given.
    """
    found = {name: declared.clean(value) for name, value in exchange.dims.items()}
    for name, rule in rules.items():
        found.setdefault(name, declared.value(rule, exchange))
    extra = ood(exchange) if ood is not None else {}
    for name in ORDER:
        if name in DIMENSIONS and name not in found:
            found[name] = DIMENSIONS[name](exchange)
        elif name in extra:
            found.setdefault(name, extra[name])
    return found


def segment_names(dims: Mapping[str, str], crosses: Iterable[Sequence[str]] = ()) -> tuple[Segment, ...]:
    """The segments of one exchange: `all`, one `dimension=value` each, then the declared crosses."""
    names = [ALL, *(Segment(f"{name}={value}") for name, value in dims.items())]
    whole = (cross for cross in crosses if all(name in dims for name in cross))
    names += [Segment(",".join(f"{name}={dims[name]}" for name in cross)) for cross in whole]
    return tuple(names)
