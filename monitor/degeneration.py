"""Does a text loop? A cheap compression gate, then proof by repeated passages.

Quantized models fail by repeating one token or one passage until the token limit (lmdeploy#2017,
TensorRT-LLM#885). Compression alone is no proof: tables, long sums and scripts of three bytes a letter
compress well too, so the gate counts compressed bytes per *character*, by script, and only texts below it
pay for the search. A passage counts as looping when it stands in the text four times or more; lists and sums
vary within every few words and do not.
"""

from __future__ import annotations

import re
import zlib
from collections import Counter
from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Final, Literal

from monitor import scripts
from monitor.excerpts import excerpt

Loop = Literal["one_token", "loop"]

_SHORTEST: Final = 60
_WINDOW: Final = 2_048
_SAMPLE: Final = 512
_TIMES: Final = 4
_SHARE: Final = 0.5
# A text that finds its way out of a loop (a proof by cases, a refrain) needs more of it to be called one.
_SHARE_RECOVERED: Final = 0.66
_END: Final = 160
_LEAST: Final = 160
_TOKEN: Final = 12
# Compressed bytes per character, about half the median of 17,000 published answers, above nearly all loops.
_GATE: Final[Mapping[str, float]] = MappingProxyType(
    {"latin": 0.27, "unknown": 0.27, "japanese": 0.65, "han": 0.65}
)
_GATE_OTHERS: Final = 0.45
# A passage: about six words of an alphabet; ideographs say as much in half the characters.
_PASSAGE: Final = 32
_PASSAGE_DENSE: Final = 16
_ENUMERATOR: Final = re.compile(r"^\s*(?:\d{1,4}[.):]|[-*•・])\s*", re.MULTILINE)


def loops(text: str) -> Loop | None:
    """How the text degenerates: `one_token`, `loop`, or None. Bounded time on texts of any length."""
    return None if len(text) < _SHORTEST else _loops(excerpt(text.strip()))


@lru_cache(maxsize=64)
def _loops(text: str) -> Loop | None:
    if len(text) < _SHORTEST:
        return None
    if _one_token(text):
        return "one_token"
    if len(text) < _LEAST:
        return None
    system = scripts.script(text[-_SAMPLE:])
    gate = _GATE.get(system, _GATE_OTHERS)
    tail = text[-_WINDOW:]
    for window in (tail,) if len(text) <= _WINDOW else (tail, text):
        if _density(window) < gate and _repeats(window, system):
            return "loop"
    return None


def _density(text: str) -> float:
    return len(zlib.compress(text.encode("utf-8", "replace"), 1)) / len(text)


def _one_token(text: str) -> bool:
    """Whether the last part of the text repeats a string of up to 12 characters to its end."""
    tail = text[-_WINDOW:]
    for period in range(1, _TOKEN + 1):
        run = _run(tail, period)
        if run >= max(_SHORTEST, 10 * period) and run >= _SHARE * len(tail):
            return True
    return False


def _run(text: str, period: int) -> int:
    """Length of the longest suffix that has this period."""
    if text[-1] != text[-1 - period]:
        return 0
    low, high = 0, len(text) - period
    while low < high:
        middle = (low + high + 1) // 2
        same = text[len(text) - middle :] == text[len(text) - middle - period : len(text) - period]
        low, high = (middle, high) if same else (low, middle - 1)
    return low + period if low else 0


def _repeats(text: str, system: str) -> bool:
    """Whether half of the text is passages that stand in it four times or more."""
    size = _PASSAGE_DENSE if system in {"japanese", "han", "hangul"} else _PASSAGE
    text = " ".join(_ENUMERATOR.sub("", text).split())
    positions = len(text) - size + 1
    if positions < size:
        return False
    passages = [text[i : i + size] for i in range(positions)]
    counts = Counter(passages)
    looping = sum(n for n in counts.values() if n >= _TIMES)
    end = passages[-_END:]
    stuck = sum(counts[p] >= _TIMES for p in end) >= 0.8 * len(end)
    return looping >= _LEAST // 2 and looping >= (_SHARE if stuck else _SHARE_RECOVERED) * positions
