"""Ids that spell their token."""

from hypothesis import given
from hypothesis import strategies as st

from monitor.standin import tokens


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"])))
def test_every_text_survives_its_ids(text: str) -> None:
    assert tokens.text_of(tokens.ids(text)) == text


@given(st.text(min_size=1))
def test_ids_are_exact_in_every_json_reader(text: str) -> None:
    assert all(0 <= number < 1 << 53 for number in tokens.ids(text))


@given(st.integers())
def test_any_integer_is_some_text(number: int) -> None:
    assert isinstance(tokens.token_text(abs(number)), str)


def test_logprobs_of_a_healthy_candidate_differ_by_rounding_and_damage_shows() -> None:
    pairs = [(a, a + 7) for a in range(2000)]
    base = [tokens.logprob(*pair, "baseline", 0.0) for pair in pairs]
    same = [tokens.logprob(*pair, "candidate", 0.0) for pair in pairs]
    hurt = [tokens.logprob(*pair, "candidate", 1.4) for pair in pairs]
    assert all(value <= 0.0 for value in (*base, *same, *hurt))
    assert 0.01 < sum(abs(a - b) for a, b in zip(base, same, strict=True)) / 2000 < 0.03
    assert 0.6 < sum(a - b for a, b in zip(base, hurt, strict=True)) / 2000 < 0.8
