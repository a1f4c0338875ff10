"""Is the baseline's own answer sound? A loop is easy to agree with, so such pairs are counted apart."""

from __future__ import annotations

from typing import Literal

from monitor import degeneration, request_language, scripts
from monitor.answer_language import answer_prose
from monitor.records import Exchange
from monitor.scorers.script import expected_script

Illness = Literal["degenerate", "wrong_script"]
_LEAST_LETTERS = 40
_TRACE = 0.1


def baseline_illness(exchange: Exchange) -> Illness | None:
    """Why agreement with this baseline answer means nothing, None where it is healthy or failed.

    `wrong_script` is said only where the answer has less than a tenth of the expected script and the
    request's content nothing of the answer's: a translation or a quotation is no illness.
    """
    answer = exchange.baseline
    if answer.error_type is not None or not answer.text.strip():
        return None
    if degeneration.loops(answer.text) is not None:
        return "degenerate"
    return "wrong_script" if _wrong_script(exchange) else None


def _wrong_script(exchange: Exchange) -> bool:
    found = scripts.written_in(answer_prose(exchange.baseline.text))
    expected = expected_script(exchange.request)
    letters = sum(found.values())
    if expected == scripts.UNKNOWN or letters < _LEAST_LETTERS or found.get(expected, 0) >= _TRACE * letters:
        return False
    asked = scripts.written_in(request_language.content(exchange.request.prompt))
    return asked.get(max(found, key=found.__getitem__), 0) < _TRACE * sum(asked.values())
