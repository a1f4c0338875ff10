"""Small plots as SVG text, for the page and the report. Pure: numbers in, markup out.

Colours come from the style sheet by class, positions are attributes: the page's content security
policy forbids inline style. No foreign text enters here, so the result is safe markup; what a plot
shows is also said in words (`aria-label`) or in the table beside it.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite, log10

from markupsafe import Markup

ALARM = 1.0
_DECADES = (-4.0, 1.0)
Point = tuple[float, float]


def _svg(width: int, height: int, label: str, parts: Sequence[str]) -> Markup:
    head = f'<svg class="plot" role="img" aria-label="{label}" viewBox="0 0 {width} {height}" width="{width}" height="{height}">'
    return Markup(head + "".join(parts) + "</svg>")  # noqa: S704  numbers and our own words only


def _line(kind: str, x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<line class="{kind}" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'


def _box(kind: str, x: float, y: float, width: float, height: float) -> str:
    return f'<rect class="{kind}" x="{x:.1f}" y="{y:.1f}" width="{max(width, 0):.1f}" height="{height:.1f}"/>'


def _dot(kind: str, x: float, y: float, radius: float) -> str:
    return f'<circle class="{kind}" cx="{x:.1f}" cy="{y:.1f}" r="{radius:.1f}"/>'


def _words(kind: str, x: float, y: float, words: str) -> str:
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}">{words}</text>'


def _percent(value: float | None) -> str:
    return "unknown" if value is None else f"{100 * value:.0f} %"


def rate(effect: float | None, lower: float | None, upper: float | None, floor: float | None) -> Markup:
    """Bad outcomes from 0 to 100 %: the noise floor as a band, the candidate with its interval.

    All four are shares; the candidate's rate is floor + effect.
    """
    if effect is None:
        return Markup("")
    width, middle, base = 150, 10.0, floor or 0.0

    def at(value: float) -> float:
        return 4 + (width - 8) * min(max(base + value, 0.0), 1.0)

    parts = [_line("axis", 4, middle, width - 4, middle), *(_line("axis", x, 6, x, 14) for x in (4, 146))]
    if floor is not None:
        parts += [_box("floor", 4, 3, at(0.0) - 4, 14), _line("floor-edge", at(0.0), 2, at(0.0), 18)]
    if lower is not None and upper is not None:
        parts.append(_box("interval", at(lower), 7, max(at(upper) - at(lower), 1.5), 6))
    parts.append(_dot("estimate", at(effect), middle, 4))
    label = f"candidate {_percent(base + effect)}, noise floor {_percent(floor)}"
    return _svg(width, 20, label, parts)


def evidence(wealth: float | None) -> Markup:
    """Evidence from 0.0001 to 10 on a log scale; the tick is the alarm at 1."""
    if wealth is None or not isfinite(wealth):
        return Markup("")
    width = 90

    def at(value: float) -> float:
        low, high = _DECADES
        share = (log10(max(value, 10**low)) - low) / (high - low)
        return 2 + (width - 4) * min(share, 1.0)

    kind = "alarm" if wealth >= ALARM else "wealth"
    parts = [
        _box("track", 2, 6, width - 4, 8),
        _box(kind, 2, 6, at(wealth) - 2, 8),
        _line("tick", at(ALARM), 2, at(ALARM), 18),
    ]
    return _svg(width, 20, f"evidence {wealth:.2g}, alarm at 1", parts)


def course(candidate: Sequence[Point], reference: Sequence[Point], label: str) -> Markup:
    """Shares over time: the candidate's line, the noise floor's dashed one. Points are (time, share)."""
    width, height, left, foot = 270, 90, 42, 14
    times = [time for time, _ in (*candidate, *reference)]
    if len(candidate) < 2:
        return Markup("")
    first, span = min(times), max(max(times) - min(times), 1e-9)

    def place(point: Point) -> str:
        x = left + (width - left - 6) * (point[0] - first) / span
        return f"{x:.1f},{6 + (height - foot - 10) * (1 - min(max(point[1], 0.0), 1.0)):.1f}"

    parts = []
    for share in (0.0, 0.5, 1.0):
        y = 6 + (height - foot - 10) * (1 - share)
        parts += [
            _line("grid", left, y, width - 6, y),
            _words("scale end", left - 4, y + 4, f"{100 * share:.0f} %"),
        ]
    if len(reference) > 1:
        parts.append(f'<polyline class="reference" points="{" ".join(map(place, reference))}"/>')
    parts.append(f'<polyline class="candidate" points="{" ".join(map(place, candidate))}"/>')
    return _svg(width, height, label, parts)


def ladder(rungs: Sequence[tuple[str, float | None, float | None]]) -> Markup:
    """Per arm (name, p50, p99) in seconds: a bar from the median to the 99th percentile, common scale."""
    known = [(name, p50, p99) for name, p50, p99 in rungs if p50 is not None and p99 is not None]
    if not known:
        return Markup("")
    width, left, right = 500, 78, 122
    largest = max(p99 for _, _, p99 in known) or 1.0
    parts = []
    for row, (name, p50, p99) in enumerate(known):
        y, start = 6 + 22 * row, left + (width - left - right) * p50 / largest
        end = left + (width - left - right) * p99 / largest
        parts += [
            _words("scale end", left - 6, y + 10, name),
            _line("grid", left, y + 6, width - right, y + 6),
            _box(f"arm {name}", start, y + 2, max(end - start, 2), 8),
            _dot(f"arm {name}", start, y + 6, 5),
            _words("scale", end + 6, y + 10, f"{seconds(p50)} – {seconds(p99)}"),
        ]
    spoken = "; ".join(f"{name} p50 {seconds(p50)}, p99 {seconds(p99)}" for name, p50, p99 in known)
    return _svg(width, 8 + 22 * len(known), spoken, parts)


def seconds(value: float | None) -> str:
    """`12 ms`, `1.24 s`."""
    if value is None:
        return "–"
    return f"{1000 * value:.0f} ms" if value < 1 else f"{value:.2f} s"


def reliability(bins: Sequence[Sequence[float]], label: str) -> Markup:
    """Accuracy over stated confidence with intervals; the diagonal is perfect. (confidence, accuracy, lower, upper, …)."""
    size, left = 190, 30

    def x(share: float) -> float:
        return left + (size - left - 6) * share

    def y(share: float) -> float:
        return 6 + (size - left - 6) * (1 - share)

    parts = [_line("grid", x(0), y(0), x(1), y(1))]
    for share in (0.0, 0.5, 1.0):
        parts += [
            _line("axis", x(0), y(share), x(1), y(share)),
            _words("scale end", left - 4, y(share) + 4, f"{100 * share:.0f}"),
        ]
    parts.append(_words("scale", x(0), size - 6, "confidence, %"))
    for sure, right, lower, upper, *_ in bins:
        parts += [
            _line("whisker", x(sure), y(lower), x(sure), y(upper)),
            _dot("estimate", x(sure), y(right), 4),
        ]
    return _svg(size, size, label, parts)
