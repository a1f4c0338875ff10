"""`first_option`: the candidate picks the first of the enumerated options, the baseline another.

Position bias moves accuracy by several points without touching the text (arXiv 2309.03882: 67.2 to
60.9 when the answer sits at D), so the shift of the first option's share is a signal of its own.
"""

from __future__ import annotations

from monitor.records import Pair, Score
from monitor.scorers.keys import key_of
from monitor.scorers.questions import question_of


def first_option(pair: Pair) -> Score | None:
    """Applies to enumerated options that both arms chose from; measurements are "picked the first"."""
    if pair.baseline.error_type or pair.candidate.error_type:
        return None
    question = question_of(pair.request)
    if question.kind != "choice":
        return None
    first, second = key_of(question, pair.baseline.text), key_of(question, pair.candidate.text)
    if first is None or second is None:
        return None
    letter = question.options[0][0]
    was, now = first.value == letter, second.value == letter
    value = float(now and not was)
    words = f"{first.value} → {second.value}, the first" if value else ""
    return Score("first_option", value, "first" if value else "", words, float(was), float(now))
