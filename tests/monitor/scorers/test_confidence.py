"""Confidence from logprobs and from words, and confident disagreement."""

from __future__ import annotations

import math

import pytest

from monitor.records import Completion, Label, Pair
from monitor.scorers.confidence import (
    calibration_gap,
    confidence,
    confident_disagreement,
    residue,
    residue_of,
    stated_confidence,
)
from monitor.scorers.ood import OodIndex
from tests.monitor.made import pair

MENU = "Pick one option.\nA. Iron\nB. Mercury\nC. Gold"


def sure(text: str, probability: float = 0.99) -> Completion:
    return Completion(text, tokens=(text,), logprobs=(math.log(probability),))


def test_the_key_s_tokens_alone_make_the_key_s_confidence() -> None:
    tokens = ("The", " answer", " is", " 4", "2", ".")
    logprobs = (-0.1, -0.1, -0.1, math.log(0.9), math.log(0.5), -0.1)
    found = confidence(Completion("The answer is 42.", tokens=tokens, logprobs=logprobs), "42")
    assert found.key == pytest.approx(0.45)
    assert found.minimum == pytest.approx(0.5)
    assert found.seq == pytest.approx(math.exp(sum(logprobs) / 6))
    assert found.best == found.key


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("Paris\nConfidence: 85%", 0.85),
        ("confidence (0-1): 0.7", 0.7),
        ("I am 60% sure.", 0.6),
        ("確信度：90%", 0.9),
        ("Confianza: 75 %", 0.75),
        ("Confidence: 250%", None),
        ("40% of it is water", None),
    ],
)
def test_stated_confidence_is_read_from_its_words(text: str, value: float | None) -> None:
    assert value == stated_confidence(text)


@pytest.mark.parametrize(
    ("candidate", "probability", "value"), [("C", 0.99, 1.0), ("C", 0.5, 0.0), ("B", 0.99, 0.0)]
)
def test_disagreement_counts_where_the_candidate_is_sure(
    candidate: str, probability: float, value: float
) -> None:
    score = confident_disagreement(pair(MENU, "B", sure(candidate, probability)))
    assert score is not None
    assert value == score.value


def test_without_confidence_there_is_nothing_to_say() -> None:
    assert confident_disagreement(pair(MENU, "B", "C")) is None
    assert calibration_gap(pair(MENU, "B", "C")) is None


def test_the_gap_is_confidence_minus_agreement_and_a_label_comes_first() -> None:
    judged = pair(MENU, "B", sure("C", 0.8))
    gap = calibration_gap(judged)
    assert gap is not None
    assert gap.value == pytest.approx(0.9)
    assert gap.label == "agreement"
    right = calibration_gap(Pair(judged.exchange, judged.candidate, label=Label(candidate_correct=True)))
    assert right is not None
    assert right.value == pytest.approx(0.4)
    assert right.label == "labelled"


def test_residue_counts_only_far_from_the_reference() -> None:
    near = OodIndex.build([MENU, MENU, "Pick one option. Iron, Mercury or Gold?"])
    far = OodIndex.build([f"invoice total due in month {i % 12}" for i in range(50)])
    judged = pair(MENU, "B", sure("C"))
    assert residue(near)(judged) is None
    score = residue(far)(judged)
    assert score is not None
    assert (score.signal, score.value) == ("residue", 1.0)


def test_the_base_model_s_answer_is_residue() -> None:
    judged = pair(MENU, "B", "C")
    assert residue_of(judged, Completion("C")) is True
    assert residue_of(judged, Completion("A")) is False
    assert residue_of(judged, Completion("I cannot say")) is None
