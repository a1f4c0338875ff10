"""Loops are found, long lists, sums and tables are not."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.degeneration import loops

LOOPS = {
    "one token": "!" * 2048,
    "after a good start": "The capital of France is Paris. " + "and " * 200,
    "a sentence": "The results are as expected. " * 40,
    "numbered": "\n".join(f"{i}. We need to find the value of the remaining side." for i in range(1, 40)),
    "Telugu": "మీ ప్రతిపాదన చాలా బాగుంది అని అనుకుంటున్నాను. " * 30,
    "Japanese": "気体のうち、液体のうち、固体のうち、" * 40,
    "a long passage": ("In the first case the sum is even, so the claim follows at once from the lemma above. "
        "In the second case the sum is odd, and we return to the first case by adding one to both sides. ") * 8,
}  # fmt: skip

SOUND = {
    "a sum": "\n".join(f"{i} + {i + 1} = {2 * i + 1}, and {2 * i + 1} + {i + 2} = {3 * i + 3}" for i in range(1, 80)),
    "a table": "| year | value | share |\n|---|---|---|\n"
    + "\n".join(f"| {1950 + i} | {i * i * 7 % 997} | {i * 37 % 100} % |" for i in range(60)),
    "primality": "\n".join(f"Is 17077 divisible by {p}? 17077 / {p} = {17077 / p:.3f}, so it is not." for p in range(3, 60, 2)),
    "json": "[" + ",".join(f'{{"id": {i}, "name": "item {i * 7919 % 1000}", "price": {i * 31 % 97}.99}}' for i in range(60)) + "]",
    "a refrain": "\n".join(
        f"Verse {v}: {w} comes over the hill and {w} goes down to the sea.\nOh the river runs, the river runs."
        for v, w in enumerate(("dawn", "rain", "snow", "wind"))
    ),
    "a rule": "Title\n" + "=" * 60 + "\nSome text that says a few different things about the matter at hand.",
    "short": "no no no no no",
}  # fmt: skip


@pytest.mark.parametrize("text", LOOPS.values(), ids=LOOPS)
def test_a_loop_is_found(text: str) -> None:
    assert loops(text) is not None


@pytest.mark.parametrize("text", SOUND.values(), ids=SOUND)
def test_repetitive_but_sound_text_is_none(text: str) -> None:
    assert loops(text) is None


def test_one_token_is_told_from_a_passage() -> None:
    assert [loops(LOOPS["one token"]), loops(LOOPS["a long passage"])] == ["one_token", "loop"]


@settings(deadline=None)
@given(st.text(st.characters(codec=None), max_size=400))
def test_any_text_is_judged(text: str) -> None:
    assert loops(text) in {None, "one_token", "loop"}


def test_a_megabyte_is_judged_in_bounded_time() -> None:
    began = time.process_time()
    assert loops("The sum is even, so the claim follows at once from the lemma above. " * 15_000) == "loop"
    assert time.process_time() - began < 1.0
