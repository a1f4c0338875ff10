"""Confidence of an answer, from token logprobs or from its own words, and confident disagreement.

`key` is the probability of the tokens that spell the final answer, the best of the three for
choices, labels and numbers; `seq` is the geometric mean, `minimum` the weakest token. Stated
percentages are known to be overconfident (arXiv 2306.13063), so they come last.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from monitor.records import Completion, Pair, Score
from monitor.scorers.answer import answer
from monitor.scorers.keys import key_of, same_key
from monitor.scorers.ood import OodIndex
from monitor.scorers.questions import question_of

SURE = 0.9
_FAR = 0.99
_STATED = re.compile(
    r"\b(?:confidence|certainty|confianza|confiance|certitude|konfidenz|sicherheit|confiança|fiducia|уверенность)\b"
    r"\s*(?:\([^)\n]{0,20}\))?[^\d\n%]{0,30}(?P<value>\d{1,3}(?:[.,]\d+)?)\s?(?P<percent>%|percent)?"
    r"|(?:確信度|自信度|信頼度|置信度|信心)[^\d\n%]{0,12}(?P<cjk>\d{1,3}(?:\.\d+)?)\s?(?P<cjk_percent>[%％])?"
    r"|\b(?P<sure>\d{1,3})\s?% (?:confident|sure|certain)\b",
)

_CUES = (
    "confiden", "certain", " sure", "confian", "certitude", "konfidenz", "sicherheit", "fiducia", "уверенност",
    "確信度", "自信度", "信頼度", "置信度", "信心",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Confidence:
    """Probabilities in [0, 1]; None where not known."""

    seq: float | None = None
    minimum: float | None = None
    key: float | None = None
    stated: float | None = None

    @property
    def best(self) -> float | None:
        """Of the key's tokens, else stated, else of the whole sequence."""
        return next((c for c in (self.key, self.stated, self.seq) if c is not None), None)


def confidence(completion: Completion, key: str = "") -> Confidence:
    """All that is known about an answer's confidence; `key` is the text of its final answer."""
    logprobs = [p for p in completion.logprobs if not math.isnan(p)]
    stated = stated_confidence(completion.text)
    if not logprobs:
        return Confidence(stated=stated)
    seq = math.exp(min(0.0, math.fsum(max(p, -100.0) for p in logprobs) / len(logprobs)))
    return Confidence(seq, math.exp(min(0.0, *logprobs)), key_confidence(completion, key), stated)


def key_confidence(completion: Completion, key: str) -> float | None:
    """exp of the summed logprobs of the tokens that cover the last occurrence of `key` in the answer."""
    tokens, logprobs = completion.tokens, completion.logprobs
    if not key or not tokens or len(tokens) != len(logprobs):
        return None
    start = "".join(tokens).rfind(key)
    if start < 0:
        return None
    total, at, end = 0.0, 0, start + len(key)
    for token, logprob in zip(tokens, logprobs, strict=True):
        if at < end and at + len(token) > start:
            total += logprob
        at += len(token)
    return math.exp(min(0.0, total)) if not math.isnan(total) else None


@lru_cache(maxsize=64)
def stated_confidence(text: str) -> float | None:
    """The last stated confidence as a probability: `Confidence: 85%`, `0.85`, `85% sure`, 確信度：85%."""
    small = text[-1500:].lower()
    found = list(_STATED.finditer(small)) if any(map(small.__contains__, _CUES)) else []
    if not found:
        return None
    last = found[-1]
    number = last["value"] or last["cjk"] or last["sure"]
    value = float(number.replace(",", "."))
    percent = last["percent"] or last["cjk_percent"] or last["sure"] or value > 1
    value = value / 100 if percent else value
    return value if value <= 1 else None


def candidate_confidence(pair: Pair) -> float | None:
    """The candidate's confidence in its own final answer."""
    if not pair.candidate.logprobs:
        return stated_confidence(pair.candidate.text)
    key = key_of(question_of(pair.request), pair.candidate.text) if pair.candidate.text else None
    return confidence(pair.candidate, key.raw if key else "").best


def confident_disagreement(pair: Pair) -> Score | None:
    """Agreement; 1 where the candidate is sure (>= 0.9) of a checkable answer that is not the baseline's."""
    agreed = answer(pair)
    sure = candidate_confidence(pair) if agreed is not None else None
    if agreed is None or sure is None:
        return None
    value = float(sure >= SURE and agreed.value >= 0.5)
    words = f"{agreed.explanation} at {sure:.0%}" if value else ""
    return Score("confident_disagreement", value, "confident" if value else "", words, None, sure)


def calibration_gap(pair: Pair) -> Score | None:
    """(1 + confidence - right) / 2 of the candidate: above one half is overconfident.

    `right` is the delayed label where there is one (label `labelled`), else agreement with the baseline.
    """
    sure = candidate_confidence(pair)
    if sure is None or pair.candidate.error_type:
        return None
    labelled = pair.label is not None and pair.label.candidate_correct is not None
    if pair.label is not None and pair.label.candidate_correct is not None:
        right = float(pair.label.candidate_correct)
    else:
        agreed = answer(pair)
        if agreed is None:
            return None
        right = 1.0 - agreed.value
    label = "labelled" if labelled else "agreement"
    return Score("calibration_gap", (1.0 + sure - right) / 2.0, label, "", None, sure - right)


def residue(index: OodIndex) -> Callable[[Pair], Score | None]:
    """The `residue` scorer: confident disagreement on requests beyond the reference's 99th percentile."""

    def score(pair: Pair) -> Score | None:
        found = confident_disagreement(pair)
        if found is None or index.percentile(pair.request.prompt) < _FAR:
            return None
        return Score("residue", found.value, found.label, found.explanation, None, found.candidate)

    return score


def residue_of(pair: Pair, base: Completion) -> bool | None:
    """Whether the candidate gives the base model's answer and not the baseline's: it came from pre-training.

    `base` is a third arm, the model before fine-tuning; None where one of the three has no key.
    """
    question = question_of(pair.request)
    first, second, third = (key_of(question, c.text) for c in (pair.baseline, pair.candidate, base))
    if first is None or second is None or third is None:
        return None
    return same_key(second, third) and not same_key(first, second)
