"""`code`: syntax, once the wrapping is taken off."""

from __future__ import annotations

import pytest

from monitor.records import Completion
from monitor.scorers.code import code
from monitor.scorers.languages import parses
from tests.monitor.made import pair

PROMPT = "Write it."


@pytest.mark.parametrize(
    ("language", "good", "bad"),
    [
        ("python", "def f(x):\n    return x", "def f(x:\n    return x"),
        ("js", "const f = (x) => x + 1;", "const f = (x => { x + ;"),
        ("typescript", "function f(x: number): number { return x }", "function f(x: number): { return"),
        ("go", "package main\nfunc main() { println(1) }", "package main\nfunc main( { println(1)"),
        ("java", "class A { int f() { return 1; } }", "class A { int f( { return 1; }"),
        ("c", "int main(void) { return 0; }", "int main(void { return 0; "),
        ("c++", "#include <vector>\nint main() { std::vector<int> v; }", "int main() { std::vector<int v; "),
        ("rust", "fn main() { let x: u8 = 1; }", "fn main( { let x: u8 = ; }"),
        ("bash", 'for f in *.txt; do echo "$f"; done', 'for f in *.txt; do echo "$f'),
        ("json", '{"a": [1, 2]}', '{"a": [1, 2}'),
    ],
)
def test_a_grammar_tells_whole_from_broken(language: str, good: str, bad: str) -> None:
    assert parses(good, language) is True
    assert parses(bad, language) is False


@pytest.mark.parametrize(("text", "language"), [("SELECT 1 FROM", "sql"), ("anything", ""), ("", "python")])
def test_what_no_grammar_knows_is_not_judged(text: str, language: str) -> None:
    assert parses(text, language) is None


def test_a_transcript_is_not_a_program() -> None:
    assert parses(">>> 1 +\n...", "python") is None


def test_a_fence_is_taken_off_and_broken_code_is_charged() -> None:
    good, bad = "def f(x):\n    return x", "def f(x:\n    return x"
    same = code(pair(PROMPT, good, f"```python\n{good}\n```"))
    worse = code(pair(PROMPT, f"```python\n{good}\n```", f"```python\n{bad}\n```"))
    better = code(pair(PROMPT, f"```python\n{bad}\n```", f"```python\n{good}\n```"))
    assert same is not None
    assert worse is not None
    assert better is not None
    assert (same.value, worse.value, better.value) == (0.0, 1.0, 0.0)
    assert (worse.baseline, worse.candidate) == (0.0, 1.0)


@pytest.mark.parametrize("cut", ["```python\ndef f(x:", "def f(x:"])
def test_a_block_that_the_token_limit_cut_is_not_judged(cut: str) -> None:
    whole = "```python\ndef f(x):\n    return x\n```"
    assert code(pair(PROMPT, whole, Completion(cut, finish_reason="length"))) is None
    assert code(pair(PROMPT, Completion(cut, finish_reason="length"), whole)) is None
    stopped = code(pair(PROMPT, whole, Completion(cut, finish_reason="stop")))
    assert stopped is not None
    assert stopped.value == 1.0


def test_an_answer_without_code_is_not_judged() -> None:
    assert code(pair(PROMPT, "```python\nx = 1\n```", "I would rather not.")) is None


def test_a_null_byte_does_not_parse_and_does_not_raise() -> None:
    assert parses("x = 1\x00", "python") is False
