"""Which language an answer is in: asked once, however many scorers want to know.

What counts is the prose. Code, links and formulas are in no language of the model's, and neither is its
reasoning.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from monitor import languages
from monitor.excerpts import excerpt
from monitor.request_language import prose

_EXAMINED: Final = 4_000


@lru_cache(maxsize=64)
def _prose(text: str) -> str:
    # Cut after the code is out: a cut through a fence would leave its code as prose.
    return excerpt(prose(text), _EXAMINED)


def answer_prose(text: str) -> str:
    """What of an answer is language: the examined part without code, links and formulas."""
    return _prose(excerpt(text))


def answer_language(text: str) -> str:
    """ISO 639 code of an answer's prose, reliable or not; `unknown` where no detector has an opinion."""
    return languages.language(answer_prose(text))
