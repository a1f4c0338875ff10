"""`number_scale`: final numbers that differ by a factor of ten or more.

The error that embeddings do not see ("1,250 dollars" against "1,250,000 dollars" has cosine .94)
and that costs most downstream; direction is unknown without a label, so it is agreement.
"""

from __future__ import annotations

import math

from monitor.records import Pair, Score
from monitor.scorers.answer import keys_of_pair
from monitor.scorers.numerals import Number


def number_scale(pair: Pair) -> Score | None:
    """1 where |log10 of the ratio| of both final numbers is 1 or more, or one of them is zero or negated."""
    if pair.baseline.error_type or pair.candidate.error_type or not pair.candidate.text:
        return None
    keys = keys_of_pair(pair)
    if keys is None or keys[0].number is None or keys[1] is None or keys[1].number is None:
        return None
    first, second = keys[0].number, keys[1].number
    decades = scale_gap(first, second)
    if decades < 1:
        return Score("number_scale", 0.0)
    return Score("number_scale", 1.0, "magnitude", f"{first.raw[:24]} → {second.raw[:24]}")


def scale_gap(a: Number, b: Number) -> float:
    """|log10(|a|/|b|)|, at least one for a flipped sign; infinite where just one of them is zero."""
    if a.value == b.value:
        return 0.0
    if not a.value or not b.value:
        return math.inf
    gap = abs(float((abs(a.value) / abs(b.value)).log10()))
    if a.percent != b.percent:
        gap = min(gap, abs(gap - 2))
    return max(gap, 1.0) if (a.value < 0) != (b.value < 0) else gap
