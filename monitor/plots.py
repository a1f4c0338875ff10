"""Small plots as SVG text, for the page and the report. Pure: numbers in, markup out.

Colours come from the style sheet by class, positions are attributes: the page's content security
policy forbids inline style. No foreign text enters here, so the result is safe markup; what a plot
shows is also said in words (`aria-label`) or in the table beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import isfinite, log10
from time import gmtime, strftime

from markupsafe import Markup

ALARM = 1.0
Point = tuple[float, float]
_DECADES: Point = (-4.0, 1.0)
_TRAIL_DECADES: Point = (-3.0, 1.0)


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


def _along(wealth: float, low_end: float, high_end: float, decades: Point) -> float:
    """Where evidence stands on a log scale drawn from `low_end` to `high_end`."""
    low, high = decades
    share = (log10(max(wealth, 10**low)) - low) / (high - low)
    return low_end + (high_end - low_end) * min(share, 1.0)


def evidence(wealth: float | None) -> Markup:
    """Evidence from 0.0001 to 10 on a log scale; the tick is the alarm at 1."""
    if wealth is None or not isfinite(wealth):
        return Markup("")
    width = 90

    def at(value: float) -> float:
        return _along(value, 2, width - 2, _DECADES)

    kind = "alarm" if wealth >= ALARM else "wealth"
    parts = [
        _box("track", 2, 6, width - 4, 8),
        _box(kind, 2, 6, at(wealth) - 2, 8),
        _line("tick", at(ALARM), 2, at(ALARM), 18),
    ]
    return _svg(width, 20, f"evidence {wealth:.2g}, alarm at 1", parts)


def _steps(points: Sequence[Point], until: float, place: Callable[[float, float], Point]) -> str:
    """Corners of a step line: every value holds until the next point, the last one until `until`."""
    ends = [at for at, _ in points[1:]] + [max(until, points[-1][0])]
    corners = [
        place(at, wealth) for (start, wealth), end in zip(points, ends, strict=True) for at in (start, end)
    ]
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in corners)


def sparkline(points: Sequence[Point], until: float) -> Markup:
    """Evidence since the first point, log scale; the line is the alarm at 1. Said in numbers beside it."""
    if not points:
        return Markup("")
    width, height = 90, 22
    first, span = points[0][0], max(until - points[0][0], 1e-9)

    def place(at: float, wealth: float) -> Point:
        x = 1 + (width - 2) * min(max((at - first) / span, 0.0), 1.0)
        return x, _along(wealth, height - 2, 2, _TRAIL_DECADES)

    alarm = _along(ALARM, height - 2, 2, _TRAIL_DECADES)
    kind = "alarm-line" if points[-1][1] >= ALARM else "candidate"
    parts = [
        _line("grid", 1, alarm, width - 1, alarm),
        f'<polyline class="{kind}" points="{_steps(points, until, place)}"/>',
    ]
    return _svg(width, height, "evidence over time", parts)


def trail(points: Sequence[Point], until: float, label: str) -> Markup:
    """Evidence over time, log scale from 0.001 to 10; the dashed line is the alarm at 1."""
    if not points:
        return Markup("")
    width, height, left, foot = 500, 130, 42, 20
    first, span = points[0][0], max(until - points[0][0], 1e-9)

    def place(at: float, wealth: float) -> Point:
        x = left + (width - left - 6) * min(max((at - first) / span, 0.0), 1.0)
        return x, _along(wealth, height - foot, 6, _TRAIL_DECADES)

    parts = []
    for decade in range(int(_TRAIL_DECADES[0]), int(_TRAIL_DECADES[1]) + 1):
        _, y = place(first, 10.0**decade)
        kind = "threshold" if decade == 0 else "grid"
        parts += [
            _line(kind, left, y, width - 6, y),
            _words("scale end", left - 4, y + 4, f"{10.0**decade:g}"),
        ]
    kind = "alarm-line" if points[-1][1] >= ALARM else "candidate"
    parts += [
        f'<polyline class="{kind}" points="{_steps(points, until, place)}"/>',
        _words("scale", left, height - 6, clock(first)),
        _words("scale end", width - 6, height - 6, clock(until)),
    ]
    return _svg(width, height, label, parts)


def clock(at: float) -> str:
    """`11-26 21:30:05`, UTC."""
    return strftime("%m-%d %H:%M:%S", gmtime(at))


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
